"""How the energies of the layers vary together, and by what the trees tell the samples apart."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

from showercal.features import Observables
from showercal.report._style import GRID_COLOUR, PALETTE, REFERENCE_COLOUR, figure_style, new_figure, plain_text
from showercal.report.validation._content import ValidationContent
from showercal.report.validation._histograms import shape_label
from showercal.report.validation._panels import whole_numbers

FloatArray = NDArray[np.float64]
_N_SHOWN: Final = 15
_SELDOM: Final = 0.01  # of the events: a few of them would decide the correlations of such a layer


def correlation_figure(content: ValidationContent) -> Figure:
    """Correlation of the energies of the layers, each over the true energy, in both samples, and the difference."""
    both = [layer_correlation(one) for one in (content.reference, content.sample)]
    difference = both[1] - both[0]
    finite = np.abs(difference[np.isfinite(difference)])
    reach = max(0.1, float(finite.max())) if len(finite) else 0.1
    titles = [content.reference_name, content.sample_name, "Difference"]
    with figure_style():
        figure = new_figure(12.6, 4.2)
        row = figure.subplots(1, 3)
        colours = colormaps["RdBu_r"].with_extremes(bad=GRID_COLOUR)
        for axes, title, matrix, limit in zip(row, titles, [*both, difference], (1, 1, reach), strict=True):
            image = axes.imshow(matrix, cmap=colours, vmin=-limit, vmax=limit, origin="lower")
            axes.set_title(plain_text(title))
            axes.set_xlabel("Layer")
            axes.set_ylabel("Layer")
            for axis in (axes.xaxis, axes.yaxis):
                whole_numbers(axis)
            figure.colorbar(image, ax=axes, shrink=0.85, label="Correlation" if limit == 1 else "Difference")
    return figure


def layer_correlation(sample: Observables) -> FloatArray:
    """Correlations of the energies of the layers over the true energy, shape (L, L); NaN for layers seldom lit."""
    layers = sample.profiles.layers / sample.energy_true[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        matrix = np.atleast_2d(np.asarray(np.corrcoef(layers, rowvar=False), dtype=np.float64))
    seldom = (layers > 0).mean(axis=0) < _SELDOM
    matrix[seldom] = matrix[:, seldom] = np.nan
    return matrix


def importance_figure(content: ValidationContent) -> Figure:
    """Share of each shape in what the trees gained, and how well it alone tells the samples apart."""
    names = list(content.test.importance)[:_N_SHOWN]
    place = np.arange(len(names))[::-1]
    with figure_style():
        figure = new_figure(9.6, 0.28 * len(names) + 1.4)
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1.2, 1])
        left.barh(place, [100 * content.test.importance[name] for name in names], color=PALETTE[0], height=0.7)
        left.set_yticks(place, [shape_label(name) for name in names])
        left.tick_params(axis="y", which="both", length=0)
        left.set_xlabel("Share of the gain [%]")
        right.axvline(0.5, color=REFERENCE_COLOUR, lw=0.9)
        right.plot([content.test.single_auc[name] for name in names], place, "o", color=PALETTE[1], ms=5)
        right.set_xlabel("AUC of the shape alone")
        distance = max(0.05, *(abs(content.test.single_auc[name] - 0.5) for name in names))
        right.set_xlim(0.5 - 1.15 * distance, 0.5 + 1.15 * distance)
        right.set_ylim(-0.7, len(names) - 0.3)
        right.tick_params(axis="y", which="both", length=0)
    return figure
