"""Quantities of both samples versus the true energy, each with its ratio below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from showercal.evaluation import Compared
from showercal.report._curves import ENERGY_LABEL
from showercal.report._style import figure_style, legend_on_top, new_figure, plain_text
from showercal.report.validation._content import ValidationContent
from showercal.report.validation._panels import REFERENCE, SAMPLE, Points, draw_points, draw_ratio, ratio_panels


def versus_energy_figure(content: ValidationContent, panels: Sequence[tuple[str, str, float]]) -> Figure | None:
    """Some metrics side by side.

    Args:
        content: The page.
        panels: (metric, label of the ordinate, factor to its unit) of each panel.

    Returns:
        The figure, without panels where both samples are 0; None when nothing is left.
    """
    found = [
        (label, scale, rows) for metric, label, scale in panels if _has_signal(rows := content.of(metric, in_bins=True))
    ]
    if not found:
        return None
    bounds = {verdict.metric: verdict.bound for verdict in content.verdicts if verdict.bin is not None}
    edges = content.binning.edges
    is_logarithmic = edges[0] > 0 and edges[-1] / edges[0] > 30
    with figure_style():
        figure = new_figure(4.7 * len(found) + 0.6, 5.0)
        grid = ratio_panels(figure, len(found))
        for column, (label, scale, rows) in enumerate(found):
            top, bottom = grid[:, column]
            limits = np.array([[row.bin_low, row.bin_high] for row in rows], dtype=np.float64)
            for number, (low, high) in enumerate(limits):  # bins without events leave gaps
                for name, style, estimate in (
                    (content.reference_name, REFERENCE, rows[number].reference),
                    (content.sample_name, SAMPLE, rows[number].sample),
                ):
                    point = Points(scale * np.array([estimate.value]), scale * np.array([estimate.error]))
                    draw_points(top, np.array([low, high]), point, style, plain_text(name) if number == 0 else "")
            top.set_ylabel(label)
            top.margins(y=0.12)
            draw_ratio(bottom, *_ratio(rows), bounds.get(rows[0].metric))
            bottom.set_xlabel(ENERGY_LABEL)
            if is_logarithmic:
                bottom.set_xscale("log")
                bottom.xaxis.set_major_formatter("{x:g}")
                bottom.xaxis.set_minor_formatter(_two_and_five)
            bottom.set_xlim(edges[0], edges[-1])
        legend_on_top(figure, grid[0, 0])
    return figure


def _two_and_five(value: float, _: float) -> str:
    """Minor labels of a logarithmic axis of energy."""
    return f"{value:g}" if f"{value:e}"[:8] in {"2.000000", "5.000000"} else ""


def _has_signal(rows: Sequence[Compared]) -> bool:
    """Whether there is anything to see: an electron leaves nothing in the last layers."""
    return any(row.sample.value or row.reference.value for row in rows)


def _ratio(rows: Sequence[Compared]) -> tuple[np.ndarray, Points]:
    """Edges and ratios, with NaN in bins between those that have events."""
    edges = [rows[0].bin_low]
    value, error = [], []
    for row in rows:
        if edges[-1] != row.bin_low:
            edges.append(row.bin_low)
            value.append(np.nan)
            error.append(np.nan)
        edges.append(row.bin_high)
        value.append(row.ratio.value)
        error.append(row.ratio.error)
    return np.array(edges, dtype=np.float64), Points(np.array(value), np.array(error))
