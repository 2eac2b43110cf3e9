"""The comparison of all methods as a table of text: what the page and results.md both show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from showercal.evaluation import COVERAGES, METRICS, TERMS, Metric
from showercal.report._content import ReportContent
from showercal.report._lookup import Curve, Measured, curve, curves_by_method, largest_bias, overall, ratio
from showercal.report._rounding import DASH, rounded

RESOLUTION: Final = "Resolution"
TRACKER: Final = "Combination with a tracker"
BIAS: Final = "Bias and terms of the resolution curve"
DEPENDENCE: Final = "What the error (E_pred − E)/√E tells about the true energy"
COST: Final = "Cost"
#: Groups of columns in the comparison of all methods.
GROUPS: Final = (RESOLUTION, TRACKER, BIAS, DEPENDENCE, COST)

SCORES: Final = "Scores"
PULLS: Final = "Pulls"
COVERAGE: Final = "Coverage of central intervals"
BEFORE: Final = "Before the recalibration of the width"
#: Groups of columns on the predicted widths.
WIDTH_GROUPS: Final = (SCORES, PULLS, COVERAGE, BEFORE)
#: What the errors hold, and what they do not.
ERRORS: Final = (
    "Errors are one standard deviation, from resampled test events; they do not hold that of the bias corrections, "
    "which were fitted once on the validation events."
)


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


_BESIDE_A_TRACKER: Final = {
    "mean_improvement": "Mean improvement (MI)",
    "max_rmse": "Max RMSE/E",
    "mean_improvement_event": "MI by event",
    "max_rmse_event": "Max RMSE/E by event",
}
_Lookup = Callable[[ReportContent, str], Measured | None]


def _value_and_error(one: Measured) -> tuple[str, str]:
    return rounded(one.value, one.error)


@dataclass(frozen=True)
class _Recipe:
    group: str
    heading: str
    unit: str
    meaning: str
    lookup: _Lookup
    scale: float = 1.0
    best: Callable[[float], float] | None = None  # smallest wins
    text: Callable[[Measured], tuple[str, str]] = _value_and_error


def comparison_columns(content: ReportContent) -> list[Column]:
    """All columns that have a number for at least one method; the best of a column is marked when there are several.

    Raw resolutions and improvements carry no mark: before the bias correction the smallest width is not the best.
    """
    return _columns(content, _recipes(content), list(content.methods))


def uncertainty_columns(content: ReportContent) -> list[Column]:
    """Columns of the methods that have a width, or a spread between their models; none when no method has any."""
    names = [n for n in content.methods if any(overall(content, n, m) for m in ("coverage_68", "model_spread"))]
    return _columns(content, _width_recipes(), names)


def without_width(content: ReportContent) -> str:
    """Names the methods that predict no width; empty when all do."""
    labels = [method.label for method in content.methods.values() if not method.has_width]
    if not labels:
        return ""
    names = labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"
    return f"{names} {'predicts' if len(labels) == 1 else 'predict'} an energy and no width."


def _columns(content: ReportContent, recipes: list[_Recipe], names: list[str]) -> list[Column]:
    columns = []
    for recipe in recipes:
        found = {name: recipe.lookup(content, name) for name in names}
        if all(one is None for one in found.values()):
            continue
        known = {name: one.scaled(recipe.scale) for name, one in found.items() if one is not None}
        texts = {name: recipe.text(one) for name, one in known.items()}
        best: set[str] = set()
        if recipe.best is not None and len(known) > 1:
            score = recipe.best
            first = min(known, key=lambda name: score(known[name].value))
            best = {name for name in known if texts[name][0] == texts[first][0]}
        cells = {name: Cell(*texts[name], is_best=name in best) if name in known else Cell(DASH) for name in names}
        columns.append(Column(recipe.group, recipe.heading, recipe.unit, recipe.meaning, cells))
    return columns


@dataclass(frozen=True)
class BinTable:
    """One metric in bins of energy: a line per bin, a cell per method."""

    heading: str
    unit: str
    methods: list[str]
    lines: list[tuple[str, list[Cell]]]


#: What is shown in bins of energy, under which heading.
BIN_HEADINGS: Final = {
    "sigma_over_sqrt_e": "σ/√E after the bias correction",
    "sigma_over_sqrt_e_local": "σ/√E after the strict correction",
    "bias": "Bias after the correction",
    "bias_raw": "Bias before the correction",
}
#: The same beside a tracker.
TRACKER_BIN_HEADINGS: Final = {
    "rmse_over_e": "RMSE/E of the calorimeter",
    "tracker_over_e": "σ/E of the tracker",
    "combined_over_e": "σ/E of both, by the formula",
    "combined_event_over_e": "RMSE/E of both, event by event",
}
#: The same of the predicted widths.
WIDTH_BIN_HEADINGS: Final = {
    "coverage_68": "Coverage of the central 68.27 % interval",
    "coverage_95": "Coverage of the central 95 % interval",
    "pull_width": "Width of the pulls",
    "sharpness": "Predicted σ/√E",
}


def bin_table(content: ReportContent, metric: str) -> BinTable | None:
    """A metric of one of the headings above by bins for the methods that have it; None when none has."""
    curves = curves_by_method(content, metric)
    if not curves:
        return None
    edges = sorted({(float(a), float(b)) for c in curves.values() for a, b in zip(c.low, c.high, strict=True)})
    lines = []
    for low, high in edges:
        cells = [_bin_cell(found, low, METRICS[metric].scale) for found in curves.values()]
        lines.append((f"{low:g} – {high:g}", cells))
    heading = (BIN_HEADINGS | TRACKER_BIN_HEADINGS | WIDTH_BIN_HEADINGS)[metric]
    return BinTable(heading, METRICS[metric].shown_unit, list(curves), lines)


def _bin_cell(found: Curve, low: float, scale: float) -> Cell:
    for number, edge in enumerate(found.low):
        if edge == low and (one := found.at(number)) is not None:
            return Cell(*rounded(one.value * scale, one.error * scale))
    return Cell(DASH)


def _recipes(content: ReportContent) -> list[_Recipe]:
    reference = content.label(content.reference)
    return [
        _of("sigma_over_sqrt_e", RESOLUTION, best=_smallest),
        _of("sigma_over_sqrt_e_local", RESOLUTION, best=_smallest),
        _of("sigma_over_sqrt_e_raw", RESOLUTION),
        _ratio_to(reference, ""),
        _ratio_to(reference, "_local"),
        _Recipe(
            RESOLUTION,
            "Published",
            "√GeV",
            "σ/√E in the publication, on another sample.",
            lambda content, method: Measured(float(content.published[method])) if method in content.published else None,
        ),
        *(_of(name, TRACKER, text, best=_score(METRICS[name])) for name, text in _BESIDE_A_TRACKER.items()),
        _of("mean_improvement_local", TRACKER, "MI strict", best=lambda value: -value),
        _of("mean_improvement_ratio", TRACKER, "MI ratio", best=lambda value: -value, text=_ratio_text),
        _of("mean_improvement_raw", TRACKER, "MI raw"),
        _Recipe(
            BIAS,
            "Max |bias|",
            "%",
            f"Largest |bias| of the bins from {content.bias_floor:g} GeV up. {METRICS['bias'].meaning}",
            largest_bias,
            scale=100,
            best=abs,
        ),
        _bias_in("Bias, first bin", "Bias in the bin of the lowest energies.", 0),
        _bias_in("Bias, last bin", "Bias in the bin of the highest energies.", -1),
        *(_of(term, BIAS, heading) for term, heading in zip(TERMS, "abc", strict=True)),
        *(_of(f"dependence_{key}{suffix}", DEPENDENCE, best=abs) for suffix in ("", "_raw") for key in ("dcor", "mi")),
        _of("n_parameters", COST, lookup=_parameters, text=_count_text),
        _of("train_events_per_s", COST, "Training", text=_plain_text),
        _of("fit_seconds", COST, text=_plain_text),
        _Recipe(COST, "Width", "", "Whether the method predicts a width beside the energy.", _width, text=_width_text),
    ]


def _width_recipes() -> list[_Recipe]:
    scores = ("nll", "crps", "sharpness", "model_spread", "ence")
    pulls = ("pull_mean", "pull_width", "pull_sigma68")
    before = ("nll_raw", "pull_width_raw", "coverage_68_raw", "coverage_95_raw")
    return [
        *(_of(name, SCORES, best=_score(METRICS[name])) for name in scores),
        _of("pit_p", SCORES, text=_p_value_text),
        *(_of(name, PULLS, best=_score(METRICS[name])) for name in pulls),
        *(_of(name, COVERAGE, best=_score(METRICS[name])) for name in COVERAGES),
        *(_of(name, BEFORE, METRICS[name.removesuffix("_raw")].title, best=_score(METRICS[name])) for name in before),
    ]


def _score(metric: Metric) -> Callable[[float], float] | None:
    """How far a value in the shown unit is from the best; None when the metric is no judgement."""
    match metric.better:
        case "lower":
            return _smallest
        case "higher":
            return lambda value: -value
        case "zero" | "one" | "nominal":
            ideal = {"zero": 0.0, "one": 1.0, "nominal": metric.nominal or 0.0}[metric.better] * metric.scale
            return lambda value: abs(value - ideal)
        case _:
            return None


def _of(
    name: str,
    group: str,
    heading: str | None = None,
    *,
    lookup: _Lookup | None = None,
    best: Callable[[float], float] | None = None,
    text: Callable[[Measured], tuple[str, str]] = _value_and_error,
) -> _Recipe:
    """The column of a metric over all events."""
    metric = METRICS[name]
    return _Recipe(
        group,
        heading or metric.title,
        metric.shown_unit,
        metric.meaning,
        lookup or (lambda content, method: overall(content, method, name)),
        metric.scale,
        best,
        text,
    )


def _ratio_to(reference: str, suffix: str) -> _Recipe:
    metric = METRICS[f"sigma_ratio{suffix}"]
    return _Recipe(
        RESOLUTION,
        metric.title,
        "",
        f"{metric.meaning} The reference is {reference}.",
        lambda content, method: ratio(content, method, suffix),
        best=_smallest,
        text=_ratio_text,
    )


def _bias_in(heading: str, meaning: str, number: int) -> _Recipe:
    def lookup(content: ReportContent, method: str) -> Measured | None:
        found = curve(content, method, "bias")
        return None if found is None else found.at(number)

    return _Recipe(BIAS, heading, "%", meaning, lookup, scale=100, best=abs)


def _smallest(value: float) -> float:
    return value


def _ratio_text(one: Measured) -> tuple[str, str]:
    return ("1", "") if one.value == 1 and one.error == 0 else rounded(one.value, one.error)


def _plain_text(one: Measured) -> tuple[str, str]:
    return rounded(one.value)[0], ""


def _p_value_text(one: Measured) -> tuple[str, str]:
    return ("< 0.0001" if one.value < 1e-4 else rounded(one.value, digits=2)[0]), ""


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
