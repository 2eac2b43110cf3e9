"""Distributions over the events of both samples."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from showercal.report._style import figure_style, legend_on_top, new_figure, panel_grid, plain_text
from showercal.report.validation._content import ValidationContent
from showercal.report.validation._panels import (
    REFERENCE,
    SAMPLE,
    Points,
    draw_points,
    draw_ratio,
    ratio_panels,
    whole_numbers,
)
from showercal.report.validation._profiles import energy_ranges, in_range, range_title

FloatArray = NDArray[np.float64]

_N_WORST: Final = 8
_N_BINS: Final = 30
_TAIL: Final = 0.005  # of the events at each end, beyond the frame of a histogram
_LONG_TAIL: Final = 5.0  # a highest value so many times the median asks for a logarithmic axis

#: Names and units of shower shapes for axes; other shapes by their own name.
LABELS: Final = {
    "energy_true": "True energy [GeV]",
    "visible_fraction": "Visible over true energy",
    "tracks_per_gev": "Tracks per true energy [1/GeV]",
    "tracks_per_visible_mev": "Tracks per visible energy [1/MeV]",
    "tracks_depth": "Mean layer of the tracks",
    "depth_mean": "Mean layer of the energy",
    "depth_rms": "R.m.s. of the layer of the energy",
    "shower_start": "Layer where the shower starts",
    "shower_maximum": "Layer with the most energy",
    "share_maximum_layer": "Share of the highest layer",
    "share_last_layers": "Share of the last layers",
    "share_outermost_cells": "Share of the outermost cells",
    "centre_x": "Centre in x from the impact [mm]",
    "centre_y": "Centre in y from the impact [mm]",
    "radius_mean": "Mean radius [mm]",
    "radius_rms": "R.m.s. radius [mm]",
    "radius_front": "Mean radius, front third [mm]",
    "radius_middle": "Mean radius, middle third [mm]",
    "radius_back": "Mean radius, last third [mm]",
    "share_highest_cell": "Share of the highest cell",
    "share_second_cell": "Share of the second cell",
    "share_fifth_cell": "Share of the fifth cell",
    "concentration": r"$\sum E_\mathrm{cell}^2 / (\sum E_\mathrm{cell})^2$",
    "log_cell_mean": r"Mean $\log_{10}(E_\mathrm{cell}$ / MeV)",
    "log_cell_rms": r"Width of $\log_{10}(E_\mathrm{cell}$ / MeV)",
    "log_cell_median": r"Median $\log_{10}(E_\mathrm{cell}$ / MeV)",
    "log_cell_90": r"90 % point of $\log_{10}(E_\mathrm{cell}$ / MeV)",
}


def shape_label(name: str) -> str:
    """Name and unit of a shower shape."""
    if name in LABELS:
        return LABELS[name]
    words = name.split("_")
    if name.startswith("share_layers_"):
        return f"Share of layer {words[2]}" if words[2] == words[3] else f"Share of layers {words[2]}–{words[3]}"
    if name.startswith("lit_cells_"):
        return f"Cells above {words[2]} MeV"
    return name


def response_figure(content: ValidationContent) -> Figure:
    """Distribution of the visible over the true energy in up to three ranges of the true energy."""
    ranges = energy_ranges(content)
    with figure_style():
        figure = new_figure(3.6 * len(ranges) + 0.9, 5.0)
        grid = ratio_panels(figure, len(ranges))
        for column, limits in enumerate(ranges):
            chosen = [in_range(one, limits).shapes.column("visible_fraction") for one in _both(content)]
            joined = 100 * np.concatenate(chosen)
            edges = _edges(joined)
            if edges[-1] > _LONG_TAIL * np.median(joined):
                edges = _logarithmic_edges(joined)
                grid[1, column].set_xscale("log")
                for axes in grid[:, column]:
                    axes.xaxis.set_major_formatter("{x:g}")
            _histograms(content, grid[:, column], [100 * values for values in chosen], edges)
            grid[0, column].set_title(range_title(limits))
            grid[1, column].set_xlabel("Visible over true energy [%]")
            if column:
                for axes in grid[:, column]:
                    axes.set_ylabel("")
        legend_on_top(figure, grid[0, 0])
    return figure


def counts_figure(content: ValidationContent) -> Figure:
    """Distributions of the number of lit cells and of the layer where the shower starts."""
    n_layers = content.calorimeter.n_layers
    with figure_style():
        figure = new_figure(9.6, 5.0)
        grid = ratio_panels(figure, 2)
        name = f"lit_cells_{content.lit_threshold:g}_mev"
        _histograms(content, grid[:, 0], [one.shapes.column(name) for one in _both(content)])
        starts = [one.shapes.column("shower_start") for one in _both(content)]
        _histograms(content, grid[:, 1], starts, np.arange(n_layers + 2, dtype=np.float64) - 0.5)
        grid[0, 1].set_yscale("log")
        grid[0, 1].set_ylim(bottom=0.3 / max(map(len, starts)))  # a single event is seen, an empty bin has no end
        for axes in grid[1]:
            whole_numbers(axes.xaxis)
        grid[1, 0].set_xlabel(f"Number of cells above {content.lit_threshold:g} MeV")
        grid[1, 1].set_xlabel(f"Layer where the shower starts ({n_layers}: it does not)")
        legend_on_top(figure, grid[0, 0])
    return figure


def worst_figure(content: ValidationContent) -> Figure:
    """Histograms of the shapes by which the trees tell the samples apart."""
    names = [name for name in content.test.importance if name != "energy_true"][:_N_WORST]
    columns = min(4, len(names))
    with figure_style():
        n_rows = math.ceil(len(names) / columns)
        figure = new_figure(3.2 * columns + 0.4, 2.8 * n_rows + 0.5)
        panels = panel_grid(figure, len(names), columns)
        for name, axes in zip(names, panels, strict=True):
            _histograms(content, [axes], [one.shapes.column(name) for one in _both(content)])
            axes.set_xlabel(shape_label(name), fontsize=10)
            axes.set_ylabel("")
            axes.tick_params(labelsize=9)
            text = f"AUC alone {content.test.single_auc[name]:.3f}"
            axes.set_title(text, fontsize=10, loc="right", pad=4)
        for axes in panels[::columns]:
            axes.set_ylabel("Share of events", fontsize=10)
        legend_on_top(figure, panels[0])
    return figure


def _both(content: ValidationContent) -> list[Any]:
    return [content.reference, content.sample]


def _histograms(
    content: ValidationContent, panels: Any, columns: list[FloatArray], edges: FloatArray | None = None
) -> None:
    """Shares of the events of both in common bins, and their ratio where there is a second panel."""
    kept = [values[np.isfinite(values)] for values in columns]
    edges = _edges(np.concatenate(kept)) if edges is None else edges
    found = [_shares(values, edges) for values in kept]
    axes: Axes = panels[0]
    for name, style, points in zip(
        (content.reference_name, content.sample_name), (REFERENCE, SAMPLE), found, strict=True
    ):
        axes.stairs(points.value, edges, color=style["color"], lw=1.2)
        draw_points(axes, edges, points, {**style, "marker": "."}, plain_text(name))
    axes.set_ylabel("Share of events")
    axes.set_xlim(edges[0], edges[-1])
    axes.margins(y=0.12)
    if len(panels) > 1:
        draw_ratio(panels[1], edges, found[1].over(found[0]))
        panels[1].set_xlim(edges[0], edges[-1])


def _shares(values: FloatArray, edges: FloatArray) -> Points:
    """Share of the events in each bin with its binomial error."""
    n = max(len(values), 1)
    share = np.histogram(values, edges)[0] / n
    return Points(share, np.sqrt(share * (1 - share) / n))


def _edges(values: FloatArray) -> FloatArray:
    """Common bins around the bulk; whole numbers get bins around them."""
    if not len(values):
        return np.linspace(0, 1, 2)
    low, high = (float(edge) for edge in np.quantile(values, [_TAIL, 1 - _TAIL]))
    if np.all(values == np.round(values)):
        step = max(1, math.ceil((high - low + 1) / _N_BINS))
        return np.arange(math.floor(low) - 0.5, high + step + 0.5, step)
    apart = high - low or abs(high) or 1.0
    return np.linspace(low - 0.02 * apart, high + 0.02 * apart, _N_BINS + 1)


def _logarithmic_edges(values: FloatArray) -> FloatArray:
    """Common bins of equal width in the logarithm around the bulk of values above 0."""
    low, high = np.quantile(values[values > 0], [_TAIL, 1 - _TAIL])
    return np.geomspace(low, high, _N_BINS + 1)
