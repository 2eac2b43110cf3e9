"""The comparison of all methods as a table of text: what the page and results.md both show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from showercal.report._content import ReportContent
from showercal.report._lookup import Curve, Measured, curve, largest_bias, overall, ratio
from showercal.report._rounding import DASH, rounded

QUALITY: Final = "Resolution and bias"
COST: Final = "Fitted terms and cost"


@dataclass(frozen=True)
class Cell:
    """One number as text; ``is_best`` marks the best of its column."""

    value: str
    error: str = ""
    is_best: bool = False

    @property
    def text(self) -> str:
        """Value and error, e.g. ``0.2523 ± 0.0012``."""
        return f"{self.value} ± {self.error}" if self.error else self.value


@dataclass(frozen=True)
class Column:
    """One column: its group, heading, unit, what it means, and a cell per method."""

    group: str
    heading: str
    unit: str
    meaning: str
    cells: dict[str, Cell] = field(default_factory=dict)


_Lookup = Callable[[ReportContent, str], Measured | None]


@dataclass(frozen=True)
class _Recipe:
    group: str
    heading: str
    unit: str
    meaning: str
    lookup: _Lookup
    scale: float = 1.0
    best: Callable[[float], float] | None = None  # smallest wins
    text: Callable[[Measured], tuple[str, str]] = lambda m: rounded(m.value, m.error)


def comparison_columns(content: ReportContent) -> list[Column]:
    """All columns that have a number for at least one method; the best of a column is marked when there are several.

    Raw resolutions carry no mark: before the bias correction the smallest is not the best.
    """
    columns = []
    for recipe in _recipes(content):
        found = {name: recipe.lookup(content, name) for name in content.methods}
        if all(one is None for one in found.values()):
            continue
        known = {name: one.scaled(recipe.scale) for name, one in found.items() if one is not None}
        texts = {name: recipe.text(one) for name, one in known.items()}
        best: set[str] = set()
        if recipe.best is not None and len(known) > 1:
            score = recipe.best
            first = min(known, key=lambda name: score(known[name].value))
            best = {name for name in known if texts[name][0] == texts[first][0]}
        cells = {
            name: Cell(*texts[name], is_best=name in best) if name in known else Cell(DASH) for name in content.methods
        }
        columns.append(Column(recipe.group, recipe.heading, recipe.unit, recipe.meaning, cells))
    return columns


@dataclass(frozen=True)
class BinTable:
    """One metric in bins of energy: a line per bin, a cell per method."""

    heading: str
    unit: str
    methods: list[str]
    lines: list[tuple[str, list[Cell]]]


def bin_table(content: ReportContent, metric: str, heading: str, unit: str, scale: float = 1.0) -> BinTable | None:
    """A metric by bins for the methods that have it, or None when none has."""
    curves = {name: found for name in content.methods if (found := curve(content, name, metric)) is not None}
    if not curves:
        return None
    edges = sorted({(float(a), float(b)) for c in curves.values() for a, b in zip(c.low, c.high, strict=True)})
    lines = []
    for low, high in edges:
        cells = [_bin_cell(found, low, scale) for found in curves.values()]
        lines.append((f"{low:g} – {high:g}", cells))
    return BinTable(heading, unit, list(curves), lines)


def _bin_cell(found: Curve, low: float, scale: float) -> Cell:
    for number, edge in enumerate(found.low):
        if edge == low and (one := found.at(number)) is not None:
            return Cell(*rounded(one.value * scale, one.error * scale))
    return Cell(DASH)


def _recipes(content: ReportContent) -> list[_Recipe]:
    def metric(name: str) -> _Lookup:
        return lambda content, method: overall(content, method, name)

    def bias_in(number: int) -> _Lookup:
        def lookup(content: ReportContent, method: str) -> Measured | None:
            found = curve(content, method, "bias")
            return None if found is None else found.at(number)

        return lookup

    return [
        _Recipe(
            QUALITY,
            "σ/√E",
            "√GeV",
            "Width of predicted minus true energy after the bias correction, over √E, mean of the bins; smaller is "
            "better.",
            metric("sigma_over_sqrt_e"),
            best=_smallest,
        ),
        _Recipe(
            QUALITY,
            "σ/√E raw",
            "√GeV",
            "Before the bias correction; flatters methods that pull towards the middle of the spectrum.",
            metric("sigma_over_sqrt_e_raw"),
        ),
        _Recipe(
            QUALITY,
            "Ratio",
            "",
            f"σ/√E over that of {content.label(content.reference)}, on the same events.",
            ratio,
            best=_smallest,
            text=_ratio_text,
        ),
        _Recipe(
            QUALITY,
            "Published",
            "√GeV",
            "σ/√E in the publication, on another sample.",
            lambda content, method: Measured(float(content.published[method])) if method in content.published else None,
        ),
        _Recipe(
            QUALITY,
            "Max |bias|",
            "%",
            f"Largest |mean response − 1| of the bins from {content.bias_floor:g} GeV up.",
            largest_bias,
            scale=100,
            best=abs,
        ),
        _Recipe(
            QUALITY, "Bias, first bin", "%", "Mean response − 1 in the lowest bin.", bias_in(0), scale=100, best=abs
        ),
        _Recipe(
            QUALITY, "Bias, last bin", "%", "Mean response − 1 in the highest bin.", bias_in(-1), scale=100, best=abs
        ),
        _Recipe(COST, "a", "√GeV", "Stochastic term of σ/E = a/√E ⊕ b/E ⊕ c.", metric("stochastic_term")),
        _Recipe(COST, "b", "MeV", "Noise term of σ/E = a/√E ⊕ b/E ⊕ c.", metric("noise_term"), scale=1000),
        _Recipe(COST, "c", "%", "Constant term of σ/E = a/√E ⊕ b/E ⊕ c.", metric("constant_term"), scale=100),
        _Recipe(COST, "Parameters", "", "Numbers that the fit adjusts.", _parameters, text=_count_text),
        _Recipe(
            COST,
            "Training",
            "events/s",
            "Events that training passes per second.",
            metric("train_events_per_s"),
            text=_plain_text,
        ),
        _Recipe(COST, "Fit time", "s", "Wall-clock time of the whole fit.", metric("fit_seconds"), text=_plain_text),
        _Recipe(COST, "Width", "", "Whether the method predicts a width beside the energy.", _width, text=_width_text),
    ]


def _smallest(value: float) -> float:
    return value


def _ratio_text(one: Measured) -> tuple[str, str]:
    return ("1", "") if one.value == 1 and one.error == 0 else rounded(one.value, one.error)


def _plain_text(one: Measured) -> tuple[str, str]:
    return rounded(one.value)[0], ""


def _width(content: ReportContent, method: str) -> Measured | None:
    """Whether a method predicts a width, as a number; None for all when none does, which leaves the column out."""
    if not any(summary.has_width for summary in content.methods.values()):
        return None
    return Measured(float(content.methods[method].has_width))


def _width_text(one: Measured) -> tuple[str, str]:
    return ("yes" if one.value else "no"), ""


def _count_text(one: Measured) -> tuple[str, str]:
    return f"{round(one.value):,}", ""


def _parameters(content: ReportContent, method: str) -> Measured | None:
    count = content.methods[method].n_parameters
    return overall(content, method, "n_parameters") if count is None else Measured(float(count))
