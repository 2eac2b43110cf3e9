import dataclasses
from typing import Any

import pytest

from showercal.report import ReportContent
from showercal.report._headline import headline_cards, headline_sentence


def spoken(text: str) -> str:
    return text.replace("\u00a0", " ")


def with_overall(content: ReportContent, **values: float) -> ReportContent:
    """The content with other strict widths over all events, by method; paired ratios are left out."""

    def changed(row: dict[str, Any]) -> dict[str, Any]:
        is_strict = row["metric"] == "sigma_over_sqrt_e_local" and row["bin"] is None
        return {**row, "value": values[row["method"]]} if is_strict and row["method"] in values else row

    rows = [changed(dict(row)) for row in content.rows if row["metric"] != "sigma_ratio_local"]
    return dataclasses.replace(content, rows=rows)


def test_the_gain_is_given_in_both_ways(content: ReportContent) -> None:
    cards = {card.label: card for card in headline_cards(content)}
    assert spoken(cards["Gain over reference"].value) == "8.6 ± 0.4 %"
    assert spoken(cards["Gain, strict"].value) == "7.2 ± 0.4 %"
    assert "; best there is" not in cards["Gain, strict"].note
    sentence = spoken(headline_sentence(content))
    assert "8.6 ± 0.4 % narrower than the reference (Straight line); 7.2 ± 0.4 % narrower with the strict" in sentence


def test_a_gain_that_was_shrinkage_is_called_a_loss(content: ReportContent) -> None:
    content = with_overall(content, line=0.25, convnet=0.26, trees=0.24)
    cards = {card.label: card for card in headline_cards(content)}
    assert float(cards["Gain, strict"].value.split("\u00a0")[0]) == pytest.approx(-4, abs=0.05)
    assert cards["Gain, strict"].note.endswith("; best there is Boosted trees")
    assert "4.0 ± 0.8 % wider with the strict correction" in spoken(headline_sentence(content))


def test_without_strict_numbers_nothing_is_said_of_them(content: ReportContent) -> None:
    bare = dataclasses.replace(content, rows=[r for r in content.rows if not r["metric"].endswith("_local")])
    assert "Gain, strict" not in {card.label for card in headline_cards(bare)}
    assert "strict" not in headline_sentence(bare)


def test_the_reference_gains_nothing_over_itself(content: ReportContent) -> None:
    alone = dataclasses.replace(content, reference="convnet")
    assert not any(card.label.startswith("Gain") for card in headline_cards(alone))
    assert "reference" not in headline_sentence(alone)
