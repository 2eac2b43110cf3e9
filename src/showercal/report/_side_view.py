"""The display events seen from the side: what prints, and what shows where WebGL does not."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from showercal.events import Events
from showercal.report._shower import display_geometry, display_showers
from showercal.report._style import GRID_COLOUR, figure_style, new_figure, panel_grid


def side_view_figure(events: Events) -> Figure | None:
    """Energy per layer and column of cells, summed over y, one panel per event.

    Args:
        events: A few events with ``cells.id``, ``cells.energy`` and a box geometry.

    Returns:
        The figure, or None when no cell has energy.

    Raises:
        DataError: If the events carry no geometry.
    """
    calorimeter = display_geometry(events)
    showers = display_showers(events)
    if not showers:
        return None
    images = []
    for shower in showers:
        layer, ix, _ = calorimeter.cell_index(shower.cell)
        image = np.zeros((calorimeter.n_layers, calorimeter.n_x))
        np.add.at(image, (layer, ix), 1000 * shower.energy)
        images.append(image)
    highest = max(image.max() for image in images)
    lowest = max(min(image[image > 0].min() for image in images), 1e-3 * highest)
    columns = min(2, len(showers))
    n_rows = math.ceil(len(showers) / columns)
    x_edges = (np.arange(calorimeter.n_x + 1) - calorimeter.n_x / 2) * calorimeter.cell_x
    z_edges = np.append(calorimeter.layer_front(), calorimeter.depth)
    with figure_style():
        figure = new_figure(0.9 + 4.0 * columns, 0.5 + 2.4 * n_rows)
        drawn = None
        for number, axes in enumerate(panel_grid(figure, len(showers), columns, sharex=True, sharey=True)):
            drawn = axes.pcolormesh(
                z_edges,
                x_edges,
                np.ma.masked_equal(images[number].T, 0),
                norm=LogNorm(lowest, max(highest, 1.01 * lowest)),
                cmap="viridis_r",
                rasterized=True,
            )
            axes.vlines(z_edges, x_edges[0], x_edges[-1], color=GRID_COLOUR, lw=0.6, zorder=0)
            axes.tick_params(which="both", top=False, right=False, direction="out")
            title = showers[number].label
            axes.set_title(title if showers[number].energy_true is None else f"E = {title}", loc="left", fontsize=11)
            if number % columns == 0:
                axes.set_ylabel(r"$x$ [mm]")
            if number + columns >= len(showers):
                axes.set_xlabel(r"Depth $z$ [mm]")
                axes.tick_params(labelbottom=True)
        assert drawn is not None
        figure.colorbar(drawn, ax=figure.axes, label="Energy [MeV]", aspect=30, pad=0.02, format="{x:g}")
    return figure
