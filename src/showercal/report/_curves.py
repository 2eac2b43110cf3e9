"""Bias and resolution versus energy for all methods, with error bands and a panel of ratios to the reference."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from showercal.evaluation import TERMS, resolution_curve
from showercal.report._content import ReportContent
from showercal.report._lookup import Curve, curve, curves_by_method, energy_range, overall, ratio_curve, spans_decades
from showercal.report._style import (
    MethodStyle,
    figure_style,
    legend_on_top,
    method_styles,
    new_figure,
    plain_text,
    sparse_minor,
)

FloatArray = NDArray[np.float64]
ENERGY_LABEL = r"True energy $E$ [GeV]"


def resolution_figure(content: ReportContent, suffix: str = "") -> Figure | None:
    """sigma/sqrt(E) in bins of energy, and its ratio to the reference below.

    Args:
        content: The report.
        suffix: Of the metrics: "" after the bias correction, "_local" after the strict one, "_raw" before any.

    Returns:
        The figure, or None when no method has the metric in bins.
    """
    curves = curves_by_method(content, f"sigma_over_sqrt_e{suffix}")
    if not curves:
        return None
    ratios = {name: found for name in curves if (found := ratio_curve(content, name, suffix)) is not None}
    return _with_ratio(content, curves, ratios, r"$\sigma/\sqrt{E}$  [$\sqrt{\mathrm{GeV}}$]")


def relative_resolution_figure(content: ReportContent) -> Figure | None:
    """sigma/E in bins of energy with the fit a/√E ⊕ b/E ⊕ c of each method where its terms are known.

    sigma is the standard deviation of predicted minus true energy and E the mean true energy, as in the fit. The
    spread of the response, predicted over true, would have no limit in a bin that begins at 0.

    Returns:
        The figure, or None when no method has sigma/sqrt(E) in bins.
    """
    curves = curves_by_method(content, "sigma_over_sqrt_e")
    if not curves:
        return None
    styles = method_styles(content)
    with figure_style():
        figure = new_figure(7.6, 4.6)
        axes = figure.add_subplot()
        for name, found in curves.items():
            fitted = _fitted(content, name, found)
            style = styles[name]
            energy = mean_energy(content, name, found)
            axes.errorbar(
                energy,
                100 * found.value / np.sqrt(energy),
                100 * np.nan_to_num(found.error) / np.sqrt(energy),
                fmt=style.marker,
                color=style.colour,
                elinewidth=1,
                label=plain_text(content.label(name)),
                ms=3.8,
            )
            if fitted is not None:
                axes.plot(fitted[0], 100 * fitted[1], color=style.colour, ls=style.line, lw=1.2)
        energy_axis(content, axes)
        axes.set_ylabel(r"$\sigma/E$  [%]")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(sparse_minor)
        if any(_fitted(content, name, found) is not None for name, found in curves.items()):
            text = r"lines: fit of $a/\sqrt{E} \oplus b/E \oplus c$"
            axes.text(0.97, 0.94, text, transform=axes.transAxes, ha="right", va="top", fontsize=11)
        legend_on_top(figure, axes)
    return figure


def bias_figure(content: ReportContent) -> Figure | None:
    """Bias in bins of energy: after the correction above, as the methods give it below.

    The frame is set by the bins from ``bias_floor`` up; points outside it are marked by an arrow at its edge.

    Returns:
        The figure, or None when no method has the metric in bins.
    """
    panels = {
        title: curves
        for title, metric in (("after correction", "bias"), ("before correction", "bias_raw"))
        if (curves := curves_by_method(content, metric))
    }
    if not panels:
        return None
    styles = method_styles(content)
    with figure_style():
        figure = new_figure(7.6, 1.2 + 2.6 * len(panels))
        column = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
        for axes, (title, curves) in zip(column, panels.items(), strict=True):
            axes.axhline(0, color="#8A9099", lw=0.8, zorder=1)
            limits = bias_limits(curves, content.bias_floor)
            for name, found in curves.items():
                _draw_band(axes, _inside(found, limits), styles[name], plain_text(content.label(name)), scale=100)
                place = (list(curves).index(name) + 0.5) / len(curves)
                _draw_arrows(axes, found, styles[name], limits, place)
            axes.set_ylim(*limits)
            axes.set_ylabel(r"$\langle E_\mathrm{pred} \rangle / \langle E \rangle - 1$  [%]")
            axes.text(0.97, 0.93, title, transform=axes.transAxes, ha="right", va="top", fontsize=11.5)
        energy_axis(content, column[-1])
        # a method may have raw results only: the panel with the most methods names them
        legend_on_top(figure, max(column, key=lambda axes: len(axes.get_legend_handles_labels()[1])))
    return figure


def bias_limits(curves: Mapping[str, Curve], floor: float) -> tuple[float, float]:
    """Frame of a bias panel in per cent, from the bins that start at ``floor`` [GeV] or above; 0 is inside."""
    parts = []
    for found in curves.values():
        upper = found.low >= floor - 1e-9
        chosen = upper if np.isfinite(found.value[upper]).any() else np.isfinite(found.value)
        value, error = found.value[chosen], np.nan_to_num(found.error[chosen])
        parts += [value - error, value + error]
    values = 100 * np.concatenate(parts)
    low, high = min(np.nanmin(values), 0.0), max(np.nanmax(values), 0.0)
    room = max(0.15 * (high - low), 0.25)
    return float(low - room), float(high + 1.8 * room)


def _with_ratio(content: ReportContent, curves: Mapping[str, Curve], ratios: Mapping[str, Curve], label: str) -> Figure:
    styles = method_styles(content)
    has_ratio = len(ratios) > 1 and content.reference in ratios
    with figure_style():
        figure = new_figure(7.6, 5.6 if has_ratio else 4.2)
        heights = [2.3, 1] if has_ratio else [1]
        column = figure.subplots(len(heights), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        for name, found in curves.items():
            _draw_band(column[0], found, styles[name], plain_text(content.label(name)))
        column[0].set_ylabel(label)
        if has_ratio:
            for name, found in ratios.items():
                _draw_band(column[1], found, styles[name], plain_text(content.label(name)))
            column[1].set_ylabel("Ratio to\n" + plain_text(_short(content.label(content.reference))), loc="center")
        energy_axis(content, column[-1])
        legend_on_top(figure, column[0])
    return figure


def _draw_band(axes: Axes, found: Curve, style: MethodStyle, label: str, scale: float = 1.0) -> None:
    value, error = scale * found.value, scale * found.error
    axes.fill_between(found.centre, value - error, value + error, color=style.colour, alpha=0.18, lw=0)
    axes.plot(found.centre, value, color=style.colour, ls=style.line, marker=style.marker, label=label)


def _inside(found: Curve, limits: tuple[float, float]) -> Curve:
    """The points inside a frame in per cent; the others, which get arrows, are NaN."""
    inside = (100 * found.value >= limits[0]) & (100 * found.value <= limits[1])
    return Curve(found.low, found.high, np.where(inside, found.value, np.nan), found.error)


def _draw_arrows(axes: Axes, found: Curve, style: MethodStyle, limits: tuple[float, float], place: float) -> None:
    """Arrows at the edge of the frame for points outside; ``place`` in the bin, 0 to 1, keeps methods apart."""
    low, high = limits
    inset = 0.04 * (high - low)
    value = 100 * found.value
    for outside, at, marker in ((value > high, high - inset, "^"), (value < low, low + inset, "v")):
        if outside.any():
            places = (found.low + place * (found.high - found.low))[outside]
            axes.plot(places, np.full_like(places, at), marker, color=style.colour, ms=5)


def mean_energy(content: ReportContent, name: str, found: Curve) -> FloatArray:
    """Mean true energy of the bins of a curve where it is known, else their centres, [GeV]."""
    mean = curve(content, name, "energy_mean")
    if mean is None or not np.array_equal(mean.low, found.low):
        return found.centre
    return np.where(np.isfinite(mean.value), mean.value, found.centre)


def _fitted(content: ReportContent, name: str, found: Curve) -> tuple[FloatArray, FloatArray] | None:
    terms = [overall(content, name, term) for term in TERMS]
    if terms[0] is None:
        return None
    lowest, highest = float(found.centre[0]), float(found.high[-1])
    energy = np.geomspace(max(lowest, 1e-3 * highest), highest, 200)
    return energy, resolution_curve(energy, *(0.0 if term is None else term.value for term in terms))


def energy_axis(content: ReportContent, axes: Axes) -> None:
    """True energy along x, over all bins."""
    axes.set_xlabel(ENERGY_LABEL)
    span = energy_range(content)
    if span is None:
        return
    low, high = span
    if spans_decades(content):
        axes.set_xscale("log")
    if high > low:
        axes.set_xlim(low, high)


def _short(label: str) -> str:
    return label if len(label) <= 18 else label[:17] + "…"
