"""The summary at the top of the page: one sentence and a few cards, computed from the rows."""

from __future__ import annotations

from dataclasses import dataclass

from showercal.report._content import ReportContent
from showercal.report._lookup import Measured, best_method, energy_range, largest_bias, n_events, overall, ratio
from showercal.report._rounding import rounded
from showercal.report._tracker import best_combination, tracker_sentence


@dataclass(frozen=True)
class Card:
    """One headline number: what it is, the number, and a line below it."""

    label: str
    value: str
    note: str = ""


def headline_cards(content: ReportContent) -> list[Card]:
    """Best method, its gain over the reference, its largest bias, what the calorimeter adds to a tracker, sample and
    energy range, then the caller's facts.
    """
    cards = []
    best = best_method(content)
    if best is not None:
        sigma = overall(content, best, "sigma_over_sqrt_e")
        assert sigma is not None
        cards.append(Card("Best resolution", content.label(best), f"σ/√E = {_text(sigma)} √GeV"))
        gain = _gain(content, best)
        if gain is not None:
            note = f"σ/√E against {content.label(content.reference)}"
            cards.append(Card("Gain over reference", f"{_text(gain)}\u00a0%", note))
        strict = _gain(content, best, "_local")
        if strict is not None:
            cards.append(Card("Gain, strict", f"{_text(strict)}\u00a0%", _strict_note(content, best)))
        bias = largest_bias(content, best)
        if bias is not None:
            note = f"{content.label(best)}, bins from {content.bias_floor:g}\u00a0GeV up"
            cards.append(Card("Largest bias", f"{_text(bias.scaled(100))}\u00a0%", note))
    combination = best_combination(content)
    if combination is not None:
        name, improvement = combination
        note = f"{content.label(name)} with the tracker, over the tracker alone"
        cards.append(Card("Mean improvement", f"{_text(improvement.scaled(100))}\u00a0%", note))
    if count := n_events(content):
        cards.append(Card("Test events", f"{count:,}", "in the comparison below"))
    span = energy_range(content)
    if span is not None:
        cards.append(Card("True energy", f"{span[0]:g} – {span[1]:g} GeV"))
    return cards + [Card(label, value) for label, value in content.facts]


def headline_sentence(content: ReportContent) -> str:
    """What the comparison found, in one to three sentences; empty when nothing was measured."""
    best = best_method(content)
    if best is None:
        return ""
    sigma = overall(content, best, "sigma_over_sqrt_e")
    assert sigma is not None
    start = f"{content.label(best)} resolves best: σ/√E = {_text(sigma)}\u00a0√GeV after the bias correction"
    gain = _gain(content, best)
    if gain is not None:
        start += f", {_narrower(gain)} than the reference ({content.label(content.reference)})"
        strict = _gain(content, best, "_local")
        if strict is not None:
            start += f"; {_narrower(strict)} with the strict correction"
    sentence = start + "."
    others = {
        name: found.value
        for name in content.methods
        if name not in {best, content.reference} and (found := overall(content, name, "sigma_over_sqrt_e")) is not None
    }
    if others:
        second = min(others, key=others.__getitem__)
        measured = overall(content, second, "sigma_over_sqrt_e")
        assert measured is not None
        sentence += f" Next is {content.label(second)} with {_text(measured)}\u00a0√GeV."
    return f"{sentence} {tracker_sentence(content)}".strip()


def _strict_note(content: ReportContent, best: str) -> str:
    """What the strict gain is, and whether it changes the order."""
    note = "without what is shrinkage at the ends of the spectrum"
    first = best_method(content, "_local")
    return note if first in {best, None} else f"{note}; best there is {content.label(str(first))}"


def _narrower(gain: Measured) -> str:
    return f"{_text(gain.scaled(-1))}\u00a0% wider" if gain.value < 0 else f"{_text(gain)}\u00a0% narrower"


def _gain(content: ReportContent, method: str, suffix: str = "") -> Measured | None:
    """How much narrower than the reference, in per cent; None for the reference itself; ``suffix`` as in `ratio`."""
    found = ratio(content, method, suffix)
    if method == content.reference or found is None:
        return None
    return Measured(100 * (1 - found.value), 100 * found.error)


def _text(one: Measured) -> str:
    value, error = rounded(one.value, one.error)
    # spaces that do not break: a number stays on one line with its error and unit
    return f"{value}\u00a0±\u00a0{error}" if error else value
