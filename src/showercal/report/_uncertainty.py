"""Whether the predicted widths are right: coverage, PIT, pulls, predicted against observed width."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from showercal.evaluation import METRICS, WidthArrays, is_covered, reliability
from showercal.report._content import ReportContent
from showercal.report._curves import energy_axis
from showercal.report._lookup import curve
from showercal.report._style import figure_style, legend_on_top, method_styles, new_figure, plain_text

FloatArray = NDArray[np.float64]
_LEVELS: Final = np.linspace(0.02, 0.98, 49)
_BAND: Final = "#E3E6EA"
_LINE: Final = "#8A9099"
_PULL_RANGE: Final = 5.0


def coverage_figure(content: ReportContent) -> Figure | None:
    """Share of events inside the central intervals against their nominal content, and the difference below.

    Returns:
        The figure, or None when no method has a width.
    """
    widths = _widths(content)
    if not widths:
        return None
    styles = method_styles(content)
    statistics = 100 * np.sqrt(_LEVELS * (1 - _LEVELS) / len(content.energy_true))
    nominal = 100 * _LEVELS
    with figure_style():
        figure = new_figure(7.6, 5.6)
        upper, lower = figure.subplots(2, sharex=True, height_ratios=[2.3, 1])
        upper.plot([0, 100], [0, 100], color=_LINE, lw=0.9, zorder=1)
        lower.axhline(0, color=_LINE, lw=0.9, zorder=1)
        lower.fill_between(nominal, -statistics, statistics, color=_BAND, lw=0, zorder=0)
        for name, width in widths.items():
            found = 100 * np.array([is_covered(width.pit, level).mean() for level in _LEVELS])
            look = {"color": styles[name].colour, "ls": styles[name].line, "label": plain_text(content.label(name))}
            upper.plot(nominal, found, **look)
            lower.plot(nominal, found - nominal, **look)
        upper.set(xlim=(0, 100), ylim=(0, 100), ylabel="Coverage  [%]")
        lower.set_xlabel("Nominal content of the interval  [%]")
        lower.set_ylabel("Difference\n[%]", loc="center")
        legend_on_top(figure, upper)
    return figure


def coverage_bins_figure(content: ReportContent) -> Figure | None:
    """Coverage of the central 68.27 % and 95 % intervals in bins of energy.

    The grey band is what right intervals scatter by, one standard deviation of the binomial distribution.

    Returns:
        The figure, or None when no method has a width.
    """
    panels = {
        metric: curves
        for metric in ("coverage_68", "coverage_95")
        if (curves := {n: c for n in content.methods if (c := curve(content, n, metric)) is not None})
    }
    if not panels:
        return None
    styles = method_styles(content)
    with figure_style():
        figure = new_figure(7.6, 1.2 + 2.6 * len(panels))
        column = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
        for axes, (metric, curves) in zip(column, panels.items(), strict=True):
            nominal = METRICS[metric].nominal
            assert nominal is not None
            _draw_expected(content, axes, next(iter(curves)), nominal)
            for name, found in curves.items():
                style = styles[name]
                axes.plot(
                    found.centre,
                    100 * found.value,
                    color=style.colour,
                    ls=style.line,
                    marker=style.marker,
                    lw=1.2,
                    label=plain_text(content.label(name)),
                )
            axes.set_ylabel("Coverage  [%]")
            axes.set_title(f"central {100 * nominal:.4g} % interval", loc="left", fontsize=11.5)
        energy_axis(content, column[-1])
        legend_on_top(figure, column[0])
    return figure


def pit_figure(content: ReportContent) -> Figure | None:
    """Distribution of the probability integral transform: flat when the predicted distributions are right.

    Returns:
        The figure, or None when no method has a width.
    """
    widths = _widths(content)
    if not widths:
        return None
    styles = method_styles(content)
    n_bins = 20 if len(content.energy_true) >= 1000 else 10
    edges = np.linspace(0, 1, n_bins + 1)
    error = np.sqrt((n_bins - 1) / len(content.energy_true))
    with figure_style():
        figure = new_figure(7.6, 4.2)
        axes = figure.add_subplot()
        axes.axhspan(1 - error, 1 + error, color=_BAND, lw=0, zorder=0)
        axes.axhline(1, color=_LINE, lw=0.9, zorder=1)
        highest = 1 + error
        for name, width in widths.items():
            density = np.histogram(width.pit, edges)[0] * n_bins / len(width.pit)
            highest = max(highest, float(density.max()))
            style = styles[name]
            axes.stairs(
                density, edges, color=style.colour, ls=style.line, lw=1.5, label=plain_text(content.label(name))
            )
        axes.set(xlim=(0, 1), ylim=(0, 1.1 * highest))
        axes.set_xlabel("PIT: predicted probability of an energy below the true one")
        axes.set_ylabel("Density of events")
        legend_on_top(figure, axes)
    return figure


def reliability_figure(content: ReportContent) -> Figure | None:
    """Observed against predicted width in bins of the predicted width, and their ratio below.

    Returns:
        The figure, or None when no method has a width.
    """
    widths = _widths(content)
    if not widths:
        return None
    styles = method_styles(content)
    with figure_style():
        figure = new_figure(7.6, 5.6)
        upper, lower = figure.subplots(2, sharex=True, height_ratios=[2.3, 1])
        lower.axhline(1, color=_LINE, lw=0.9, zorder=1)
        highest = 0.0
        for name, width in widths.items():
            found = reliability(content.energy_true, width.median, width.std)
            style = styles[name]
            look = {"fmt": style.marker, "color": style.colour, "ls": style.line, "lw": 1.2, "elinewidth": 1}
            upper.errorbar(found.predicted, found.observed, found.error, label=plain_text(content.label(name)), **look)
            lower.errorbar(found.predicted, found.observed / found.predicted, found.error / found.predicted, **look)
            highest = max(highest, float(found.predicted.max()), float((found.observed + found.error).max()))
        upper.plot([0, highest], [0, highest], color=_LINE, lw=0.9, zorder=1)
        upper.set(xlim=(0, 1.05 * highest), ylim=(0, 1.05 * highest))
        upper.set_ylabel("Observed width\n(root mean square) [GeV]", loc="center")
        lower.set_xlabel("Predicted width (standard deviation)  [GeV]")
        lower.set_ylabel("Observed /\npredicted", loc="center")
        legend_on_top(figure, upper)
    return figure


def pull_figure(content: ReportContent) -> Figure | None:
    """Distribution of (E_pred - E) / sigma with the unit normal, on a linear and on a logarithmic scale.

    Returns:
        The figure, or None when no method has a width.
    """
    pulls = {name: width.pulls(content.energy_true) for name, width in _widths(content).items()}
    if not pulls:
        return None
    styles = method_styles(content)
    edges = np.linspace(-_PULL_RANGE, _PULL_RANGE, 51 if len(content.energy_true) >= 1000 else 26)
    fine = np.linspace(-_PULL_RANGE, _PULL_RANGE, 201)
    normal = np.exp(-(fine**2) / 2) / np.sqrt(2 * np.pi)
    with figure_style():
        figure = new_figure(8.4, 3.8)
        panels = figure.subplots(1, 2)
        for axes in panels:
            axes.fill_between(fine, normal, color=_BAND, lw=0, zorder=0, label="Unit normal")
            for name, pull in pulls.items():
                density = np.histogram(pull, edges)[0] / len(pull) / np.diff(edges)
                style = styles[name]
                axes.stairs(
                    density, edges, color=style.colour, ls=style.line, lw=1.5, label=plain_text(content.label(name))
                )
            axes.set_xlim(-_PULL_RANGE, _PULL_RANGE)
            axes.set_xlabel(r"Pull  $(E_\mathrm{pred} - E)\,/\,\sigma_\mathrm{pred}$")
        panels[0].set_ylabel("Density of events")
        panels[0].set_ylim(0, 1.08 * panels[0].get_ylim()[1])
        panels[1].set_yscale("log")
        # half an event in a bin: below this there is nothing to see
        panels[1].set_ylim(0.5 / len(content.energy_true) / float(edges[1] - edges[0]), 2)
        legend_on_top(figure, panels[0])
    return figure


def pulls_outside(content: ReportContent) -> dict[str, int]:
    """By method, how many pulls lie outside the frame of `pull_figure`; methods without any are left out."""
    counts = {
        name: int(np.sum(np.abs(width.pulls(content.energy_true)) > _PULL_RANGE))
        for name, width in _widths(content).items()
    }
    return {name: count for name, count in counts.items() if count}


def _widths(content: ReportContent) -> dict[str, WidthArrays]:
    """Predicted distributions by method in the order of the methods; none when there are no events."""
    if not len(content.energy_true):
        return {}
    return {name: content.widths[name] for name in content.methods if name in content.widths}


def _draw_expected(content: ReportContent, axes: Axes, name: str, nominal: float) -> None:
    """The nominal content and the scatter of a share of the events of each bin."""
    axes.axhline(100 * nominal, color=_LINE, lw=0.9, zorder=1)
    counts = curve(content, name, "n_events")
    if counts is None:
        return
    error = np.repeat(100 * np.sqrt(nominal * (1 - nominal) / np.maximum(counts.value, 1)), 2)
    edges = np.column_stack([counts.low, counts.high]).ravel()
    axes.fill_between(edges, 100 * nominal - error, 100 * nominal + error, color=_BAND, lw=0, zorder=0)
