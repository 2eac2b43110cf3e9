"""Profiles of both samples: along the beam, away from the axis, over the energy of the cells."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from showercal.features import CELL_EDGES, Observables, ring_edges
from showercal.report._style import figure_style, legend_on_top, new_figure, plain_text
from showercal.report.validation._content import ValidationContent
from showercal.report.validation._panels import (
    REFERENCE,
    SAMPLE,
    Points,
    draw_points,
    draw_ratio,
    logarithmic_frame,
    means,
    ratio_panels,
    whole_numbers,
)

FloatArray = NDArray[np.float64]


def layer_figure(content: ValidationContent) -> Figure:
    """Mean energy per layer in up to three ranges of the true energy."""
    edges = np.arange(content.calorimeter.n_layers + 1, dtype=np.float64) - 0.5
    bound = next((v.bound for v in content.verdicts if v.metric == "layer_energy_ratio"), None)

    def finish(top: Axes, bottom: Axes) -> None:
        top.set_ylabel("Mean energy per layer [MeV]")
        bottom.set_xlabel("Layer")
        whole_numbers(bottom.xaxis)

    return _in_ranges(content, edges, lambda one: means(one.profiles.layers), finish, bound, is_logarithmic=False)


def ring_figure(content: ValidationContent) -> Figure:
    """Mean energy per area of a ring around the impact point in up to three ranges of the true energy."""
    edges = ring_edges(content.calorimeter)
    area = np.pi * np.diff((edges / 10) ** 2)

    def profile(one: Observables) -> Points:
        found = means(one.profiles.rings)
        return Points(found.value / area, found.error / area)

    def finish(top: Axes, bottom: Axes) -> None:
        top.set_ylabel(r"Mean energy density [MeV / cm$^2$]")
        bottom.set_xlabel("Distance from the impact point [mm]")

    return _in_ranges(content, edges, profile, finish)


def cell_figure(content: ValidationContent) -> Figure:
    """Lit cells per event over the energy of a cell in up to three ranges of the true energy."""
    counts = content.reference.profiles.cells.sum(axis=0) + content.sample.profiles.cells.sum(axis=0)
    lit = np.flatnonzero(counts)
    first, last = (int(lit[0]), int(lit[-1]) + 1) if len(lit) else (0, len(CELL_EDGES) - 1)

    def finish(top: Axes, bottom: Axes) -> None:
        top.set_ylabel("Lit cells per event and bin")
        bottom.set_xscale("log")
        bottom.set_xlabel("Energy of the cell [MeV]")

    edges = CELL_EDGES[first : last + 1]
    return _in_ranges(content, edges, lambda one: means(one.profiles.cells[:, first:last]), finish)


def energy_ranges(content: ValidationContent, most: int = 3) -> list[tuple[float, float]]:
    """Neighbouring bins joined to a few ranges with at least 2 events in each sample."""
    edges = np.array(content.binning.edges)
    cuts = np.unique(np.round(np.linspace(0, len(edges) - 1, most + 1)).astype(int))
    ranges = [(float(edges[a]), float(edges[b])) for a, b in pairwise(cuts)]
    full = [one for one in ranges if all(_inside(sample, one).sum() > 1 for sample in content.samples.values())]
    return full or [(float(edges[0]), float(edges[-1]))]


def range_title(limits: tuple[float, float]) -> str:
    """A range of the true energy for the top of a panel."""
    return f"{limits[0]:g}–{limits[1]:g} GeV"


def in_range(sample: Observables, limits: tuple[float, float]) -> Observables:
    """Events of a range of the true energy."""
    return sample[_inside(sample, limits)]


def _inside(sample: Observables, limits: tuple[float, float]) -> NDArray[np.bool_]:
    return np.logical_and(sample.energy_true >= limits[0], sample.energy_true <= limits[1])


def _in_ranges(
    content: ValidationContent,
    edges: FloatArray,
    profile: Callable[[Observables], Points],
    finish: Callable[[Axes, Axes], None],
    bound: float | None = None,
    *,
    is_logarithmic: bool = True,
) -> Figure:
    ranges = energy_ranges(content)
    with figure_style():
        figure = new_figure(3.6 * len(ranges) + 0.9, 5.0)
        grid = ratio_panels(figure, len(ranges))
        for column, limits in enumerate(ranges):
            top, bottom = grid[:, column]
            reference, sample = (profile(in_range(one, limits)) for one in (content.reference, content.sample))
            for name, style, points in (
                (content.reference_name, REFERENCE, reference),
                (content.sample_name, SAMPLE, sample),
            ):
                draw_points(top, edges, points, style, plain_text(name))
            if is_logarithmic:
                logarithmic_frame(top, reference, sample)
            finish(top, bottom)
            draw_ratio(bottom, edges, sample.over(reference), bound)
            bottom.set_xlim(edges[0], edges[-1])
            top.set_title(range_title(limits))
            if column:
                top.set_ylabel("")
                bottom.set_ylabel("")
        legend_on_top(figure, grid[0, 0])
    return figure
