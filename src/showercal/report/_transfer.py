"""What a pretraining was worth: resolution against the number of the study's own events, as figure, table and text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from showercal.evaluation import METRICS
from showercal.report._content import ReportContent
from showercal.report._lookup import Measured, measured
from showercal.report._rounding import DASH, rounded
from showercal.report._style import MethodStyle, figure_style, method_styles, new_figure, panel_grid, plain_text
from showercal.report._table import Cell

# Where no events are drawn, in decades below the fewest.
_NONE_AT: Final = 0.7
# Relative errors below this are those of floating-point numbers.
_ROUNDING: Final = 1e-9
# Heading, metric, and whether of the pretrained fits; for each number of events.
_COLUMNS: Final = (
    ("σ/√E, pretrained", "sigma_over_sqrt_e", True),
    ("σ/√E, alone", "sigma_over_sqrt_e", False),
    ("Ratio, pretrained", "sigma_ratio", True),
    ("Ratio, alone", "sigma_ratio", False),
    ("Gain kept", "gain_kept", True),
    ("Ratio strict, pretrained", "sigma_ratio_local", True),
    ("Ratio strict, alone", "sigma_ratio_local", False),
    ("Gain kept, strict", "gain_kept_local", True),
    ("Bias raw, pretrained", "bias_raw", True),
)


def transfer_of(content: ReportContent, method: str, n_train: int, pretrained: bool, metric: str) -> Measured | None:
    """A number of one fit, or None when it is not among the rows or not finite."""
    for row in content.transfer:
        if (row["method"], row["n_train"], row["pretrained"], row["metric"]) == (method, n_train, pretrained, metric):
            return measured(row)
    return None


def transfer_figure(content: ReportContent, suffix: str = "") -> Figure | None:
    """sigma/sqrt(E) against the number of the study's own events, pretrained and alone, one panel per method.

    Bars are the paired errors of the ratio to the reference, whose scale is on the right.

    Args:
        content: The report.
        suffix: Of the metrics: "" after the bias correction, "_local" after the strict one.

    Returns:
        The figure, or None when nothing was pretrained.
    """
    methods = [name for name in _methods(content) if name != content.reference]
    counts = sorted({int(row["n_train"]) for row in content.transfer})
    base = transfer_of(content, content.reference, counts[-1], False, f"sigma_over_sqrt_e{suffix}") if counts else None
    if base is None or not methods:
        return None
    styles = method_styles(content)
    columns = min(3, len(methods))
    n_rows = math.ceil(len(methods) / columns)
    reference = plain_text(content.label(content.reference))
    with figure_style():
        figure = new_figure(max(6.4, 4.1 * columns), 0.5 + 3.3 * n_rows)
        to_ratio: Any = (lambda y: y / base.value, lambda y: y * base.value)
        panels = panel_grid(figure, len(methods), columns, sharex=True, sharey=True)
        for number, (method, axes) in enumerate(zip(methods, panels, strict=True)):
            for name in (content.reference, method):
                _draw(content, axes, name, styles[name], suffix, base.value)
            axes.set_title(plain_text(content.label(method)), loc="left", fontsize=11.5)
            if number % columns == 0:
                axes.set_ylabel(r"$\sigma/\sqrt{E}$  [$\sqrt{\mathrm{GeV}}$]")
            _count_axis(axes, counts, labelled=number + columns >= len(methods))
            right = axes.secondary_yaxis("right", functions=to_ratio)
            axes.tick_params(right=False, which="both")
            if number % columns == columns - 1 or number == len(methods) - 1:
                right.set_ylabel("Ratio to " + reference)
            else:
                right.tick_params(labelright=False)
        grey = styles[content.reference].colour
        handles = [
            Line2D([], [], color=grey, marker="s", ls="-", label="pretrained"),
            Line2D([], [], color=grey, marker="s", ls="--", mfc="white", label="alone"),
            Line2D([], [], color=grey, marker="o", ls="--", mfc="white", label=reference),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), columnspacing=1.6)
    return figure


def _draw(
    content: ReportContent,
    axes: Axes,
    method: str,
    style: MethodStyle,
    suffix: str,
    scale: float,
) -> None:
    """The fits of one method: pretrained ones filled, others open."""
    for pretrained in (True, False):
        x, y, error = [], [], []
        for n in sorted({int(row["n_train"]) for row in content.transfer}):
            sigma, ratio = (
                transfer_of(content, method, n, pretrained, f"{metric}{suffix}")
                for metric in ("sigma_over_sqrt_e", "sigma_ratio")
            )
            if sigma is not None and ratio is not None:
                x.append(_place(content, n))
                y.append(sigma.value)
                error.append(scale * (ratio.error if math.isfinite(ratio.error) else 0.0))
        if not x:
            continue
        axes.errorbar(
            x,
            y,
            error,
            color=style.colour,
            marker=style.marker,
            ls="-" if pretrained else "--",
            mfc=style.colour if pretrained else "white",
            ms=5.5,
            lw=1.5,
            elinewidth=1,
            capsize=2,
        )


def _place(content: ReportContent, n: int) -> float:
    """Where a number of events is drawn: by its logarithm, and none below the fewest."""
    if n > 0:
        return math.log10(n)
    fewest = min((int(row["n_train"]) for row in content.transfer if row["n_train"] > 0), default=1)
    return math.log10(fewest) - _NONE_AT


def _count_axis(axes: Axes, counts: list[int], *, labelled: bool) -> None:
    """Numbers of events along x, labelled as they are."""
    fewest = math.log10(min(n for n in counts if n > 0))
    places = [math.log10(n) if n > 0 else fewest - _NONE_AT for n in counts]
    axes.set_xlim(places[0] - 0.25, places[-1] + 0.25)
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{n:,}" for n in counts])
    if counts[0] == 0:
        axes.axvline(fewest - _NONE_AT / 2, color="#D9DCE1", lw=0.8, ls=":")
    if labelled:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("Training events of the study")


@dataclass(frozen=True)
class TransferTable:
    """Headings with their units and meanings; and a line per method and number of events, with its cells."""

    headings: list[tuple[str, str, str]]
    lines: list[tuple[str, str, list[Cell]]]


def transfer_table(content: ReportContent) -> TransferTable | None:
    """All numbers of the pretraining that are shown, or None when nothing was pretrained."""
    counts = sorted({int(row["n_train"]) for row in content.transfer})
    lines = []
    for method in _methods(content):
        for n in counts:
            found = [transfer_of(content, method, n, pretrained, metric) for _, metric, pretrained in _COLUMNS]
            if any(one is not None for one in found):
                cells = [_cell(one, METRICS[c[1]].scale) for one, c in zip(found, _COLUMNS, strict=True)]
                lines.append((method, f"{n:,}", cells))
    headings = [(heading, METRICS[m].shown_unit, METRICS[m].meaning) for heading, m, _ in _COLUMNS]
    return TransferTable(headings, lines) if lines else None


def transfer_sentences(content: ReportContent) -> list[str]:
    """What each network keeps without an event of the study, and what it gains with some; empty without any."""
    sentences = []
    reference = content.label(content.reference)
    for method in _methods(content):
        counts = sorted({int(r["n_train"]) for r in content.transfer if r["method"] == method and r["pretrained"]})
        if method == content.reference or not counts:
            continue
        parts = []
        kept = [transfer_of(content, method, 0, True, f"gain_kept{suffix}") for suffix in ("", "_local")]
        if kept[0] is not None:
            strict = "" if kept[1] is None else f" (strict: {_percent(kept[1])})"
            parts.append(
                f"without any event of the study it keeps {_percent(kept[0])}{strict} of its gain over {reference}"
            )
        for n in counts[1:] if counts[0] == 0 else counts:
            ratio = transfer_of(content, method, n, True, "sigma_ratio_alone")
            if ratio is not None:
                value, error = _rounded(ratio, 1)
                parts.append(f"with {n:,} its σ/√E is {value} ± {error} of what all events alone give")
        if parts:
            sentences.append(f"{content.label(method)}: {'; '.join(parts)}.")
    return sentences


def _methods(content: ReportContent) -> list[str]:
    """The methods that took part, in the order of the report."""
    taking_part = {row["method"] for row in content.transfer}
    return [name for name in content.methods if name in taking_part]


def _percent(one: Measured) -> str:
    value, error = _rounded(one, 100)
    return f"{value} ± {error}\u00a0%" if error else f"{value}\u00a0%"


def _cell(one: Measured | None, scale: float) -> Cell:
    return Cell(DASH) if one is None else Cell(*_rounded(one, scale))


def _rounded(one: Measured, scale: float) -> tuple[str, str]:
    """As text; a line refitted to other events differs from itself by rounding alone, which is no error."""
    exact = one.error < _ROUNDING * abs(one.value)
    return rounded(one.value * scale, math.nan if exact else one.error * scale)
