"""The event display that turns: lit cells as boxes in the calorimeter, one button per event."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter
from showercal.events import Events
from showercal.report._rounding import rounded
from showercal.report._shower import Shower, display_geometry, display_showers

FloatArray = NDArray[np.float64]
MOST_CELLS: Final = 1500  # per event; beyond it a browser turns the picture slowly
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
# Corners of a box as (z, x, y) signs, and the twelve triangles of its six faces.
_CORNERS: Final = np.array([(i >> 2 & 1, i >> 1 & 1, i & 1) for i in range(8)]) * 2 - 1
_FACES: Final = np.array(
    [
        *((0, 2, 3), (0, 3, 1), (4, 5, 7), (4, 7, 6), (0, 1, 5), (0, 5, 4)),
        *((2, 6, 7), (2, 7, 3), (0, 4, 6), (0, 6, 2), (1, 3, 7), (1, 7, 5)),
    ]
)


def display_figure(events: Events) -> go.Figure | None:
    """A 3-D figure of a few events, the beam from left to right; hovering over a cell tells what is in it.

    Colour is the deposited energy of a cell on a common logarithmic scale; so is the size of its box, which fills the
    cell at the highest energy.

    Args:
        events: A few events with ``cells.id``, ``cells.energy``, optionally ``cells.tracks``, and a box geometry.

    Returns:
        The figure, or None when no cell has energy.

    Raises:
        DataError: If the events carry no geometry.
    """
    calorimeter = display_geometry(events)
    showers = display_showers(events)
    if not showers:
        return None
    highest = max(float(shower.energy.max()) for shower in showers)
    lowest = max(min(float(shower.energy.min()) for shower in showers), 1e-4 * highest)
    limits = (np.log10(lowest), max(np.log10(highest), np.log10(lowest) + 0.1))
    figure = go.Figure(_frame_traces(calorimeter))
    n_frame, shown = len(figure.data), len(showers) - 1
    for number, shower in enumerate(showers):
        figure.add_trace(_cells_trace(calorimeter, shower, limits).update(visible=number == shown))
        figure.add_trace(_beam_trace(calorimeter, shower).update(visible=number == shown))
    figure.update_layout(_layout(calorimeter, limits))
    figure.update_layout(annotations=[_caption(showers[shown])])
    if len(showers) > 1:
        buttons = [
            {
                "label": shower.label,
                "method": "update",
                "args": [
                    {"visible": [True] * n_frame + [n == number for n in range(len(showers)) for _ in range(2)]},
                    {"annotations": [_caption(shower)]},
                ],
            }
            for number, shower in enumerate(showers)
        ]
        figure.update_layout(updatemenus=[{**_MENU, "buttons": buttons, "active": shown}])
    return figure


_MENU: Final[dict[str, Any]] = {
    "type": "buttons",
    "direction": "right",
    "x": 0,
    "xanchor": "left",
    "y": 1.0,
    "yanchor": "bottom",
    "pad": {"l": 0, "b": 6},
    "bgcolor": "#FFFFFF",
    "bordercolor": "#C3C8D0",
    "font": {"size": 13},
}


def _cells_trace(calorimeter: BoxCalorimeter, shower: Shower, limits: tuple[float, float]) -> go.Mesh3d:
    chosen = np.sort(np.argsort(shower.energy)[::-1][:MOST_CELLS])
    cell, energy = shower.cell[chosen], shower.energy[chosen]
    share = np.clip((np.log10(energy) - limits[0]) / (limits[1] - limits[0]), 0, 1)
    layer, ix, iy = calorimeter.cell_index(cell)
    # thin active layers are drawn thicker than they are, or they could not be seen from the side
    drawn = [max(o.active_thickness, min(0.016 * calorimeter.depth, 0.9 * o.thickness)) for o in calorimeter.layers]
    side = 0.35 + 0.61 * share
    size = np.stack([np.array(drawn)[layer], side * calorimeter.cell_x, side * calorimeter.cell_y])
    x, y, z = calorimeter.cell_position(cell).T
    corner = np.stack([z, x, y])[:, :, None] + 0.5 * size[:, :, None] * _CORNERS.T[:, None, :]
    first = 8 * np.arange(len(cell))[:, None]
    faces = (first + _FACES.reshape(1, -1)).reshape(-1, 3)
    tracks = None if shower.tracks is None else shower.tracks[chosen]
    text = [
        f"layer {layer[n]}, ix {ix[n]}, iy {iy[n]}<br>{rounded(1000 * energy[n])[0]} MeV"
        + ("" if tracks is None else f"<br>{tracks[n]} charged tracks")
        for n in range(len(cell))
    ]
    return go.Mesh3d(
        x=corner[0].ravel().astype(np.float32),
        y=corner[1].ravel().astype(np.float32),
        z=corner[2].ravel().astype(np.float32),
        i=faces[:, 0].astype(np.int32),
        j=faces[:, 1].astype(np.int32),
        k=faces[:, 2].astype(np.int32),
        intensity=np.repeat(np.log10(energy), 8).astype(np.float32),
        coloraxis="coloraxis",
        flatshading=True,
        lighting={"ambient": 0.75, "diffuse": 0.5, "specular": 0.05},
        hovertext=np.repeat(text, 8).tolist(),
        hoverinfo="text",
        name=shower.label,
        showlegend=False,
    )


def _beam_trace(calorimeter: BoxCalorimeter, shower: Shower) -> go.Scatter3d:
    x, y = (0.0, 0.0) if shower.impact is None else shower.impact
    start = -0.13 * calorimeter.depth
    known = shower.impact is not None
    return go.Scatter3d(
        x=[start, 0.0] if known else [],
        y=[x, x] if known else [],
        z=[y, y] if known else [],
        mode="lines",
        line={"color": "#D55E00", "width": 6},
        hoverinfo="text",
        hovertext="incoming particle",
        showlegend=False,
    )


def _frame_traces(calorimeter: BoxCalorimeter) -> list[go.Scatter3d]:
    """The outline of the box, and the front of every layer."""
    half_x, half_y = (width / 2 for width in calorimeter.width)
    depth = calorimeter.depth
    edges: list[tuple[float | None, float | None, float | None]] = []
    for sign_x, sign_y in ((-1, -1), (-1, 1), (1, 1), (1, -1)):
        edges += [(0.0, sign_x * half_x, sign_y * half_y), (depth, sign_x * half_x, sign_y * half_y), (None,) * 3]
    for z in (0.0, depth):
        edges += [*_rectangle(z, half_x, half_y), (None,) * 3]
    layers: list[tuple[float | None, float | None, float | None]] = []
    for z in calorimeter.layer_front()[1:]:
        layers += [*_rectangle(float(z), half_x, half_y), (None,) * 3]
    return [_lines(layers, "#D3D8DF", 1.5), _lines(edges, "#5B626C", 3)]


def _rectangle(z: float, half_x: float, half_y: float) -> list[tuple[float | None, float | None, float | None]]:
    signs = ((-1, -1), (-1, 1), (1, 1), (1, -1), (-1, -1))
    return [(z, sign_x * half_x, sign_y * half_y) for sign_x, sign_y in signs]


def _lines(points: list[tuple[float | None, float | None, float | None]], colour: str, width: float) -> go.Scatter3d:
    z, x, y = zip(*points, strict=True) if points else ((), (), ())
    line = {"color": colour, "width": width}
    return go.Scatter3d(x=z, y=x, z=y, mode="lines", line=line, hoverinfo="skip", showlegend=False)


def _caption(shower: Shower) -> dict[str, Any]:
    truth = "" if shower.energy_true is None else f"<b>E = {shower.label}</b> · "
    tracks = "" if shower.tracks is None else f" · {int(shower.tracks.sum()):,} charged tracks"
    more = "" if len(shower.cell) <= MOST_CELLS else f" (the {MOST_CELLS:,} highest drawn)"
    visible = rounded(1000 * float(shower.energy.sum()))[0]
    text = f"{truth}{len(shower.cell):,} lit cells{more}<br>{visible} MeV deposited{tracks}"
    place = {"xref": "paper", "yref": "paper", "x": 0, "y": 0, "xanchor": "left", "yanchor": "top"}
    return {**place, "text": text, "align": "left", "showarrow": False, "font": {"size": 14}}


def _layout(calorimeter: BoxCalorimeter, limits: tuple[float, float]) -> dict[str, Any]:
    half_x, half_y = (width / 2 for width in calorimeter.width)
    ticks = _ticks(*limits)
    axis: dict[str, Any] = {
        "showbackground": False,
        "gridcolor": "#EEF0F3",
        "zeroline": False,
        "showspikes": False,
        "tickfont": {"size": 11},
        "nticks": 5,
    }
    return {
        "font": {"family": _FONT, "color": "#23272E"},
        "paper_bgcolor": "#FFFFFF",
        "margin": {"l": 0, "r": 0, "t": 44, "b": 48},
        "height": 620,
        "coloraxis": {
            "cmin": limits[0],
            "cmax": limits[1],
            "colorscale": "Viridis",
            "reversescale": True,
            "colorbar": {
                "title": {"text": "Cell energy [MeV]", "side": "right"},
                "tickvals": [tick[0] for tick in ticks],
                "ticktext": [tick[1] for tick in ticks],
                "thickness": 14,
                "len": 0.75,
                "x": 0.94,
            },
        },
        "scene": {
            "xaxis": {
                **axis,
                "nticks": 8,
                "title": {"text": "depth z [mm]"},
                "range": [-0.14 * calorimeter.depth, calorimeter.depth],
            },
            "yaxis": {**axis, "title": {"text": "x [mm]"}, "range": [-half_x, half_x]},
            "zaxis": {**axis, "title": {"text": "y [mm]"}, "range": [-half_y, half_y]},
            "aspectmode": "manual",
            "aspectratio": _aspect(calorimeter),
            "camera": {"eye": {"x": -0.66, "y": -1.46, "z": 0.62}, "center": {"x": 0, "y": 0, "z": -0.06}},
            "dragmode": "orbit",
        },
        "uirevision": "keep the view when another event is chosen",
    }


def _aspect(calorimeter: BoxCalorimeter) -> dict[str, float]:
    """True proportions, but for boxes more than three times as deep as wide: those would be a thread."""
    width = calorimeter.width
    depth = min(1.14 * calorimeter.depth, 3 * max(width))
    longest = max(depth, *width) / 1.35
    return {"x": depth / longest, "y": width[0] / longest, "z": width[1] / longest}


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Places (log10 of GeV) and labels (MeV) at 1, 2 and 5 of the decades inside the scale, thinned when many."""
    decades = range(int(np.floor(low)) + 2, int(np.ceil(high)) + 4)
    leading = (1, 2, 5) if high - low < 2 else (1,)
    places = [(float(np.log10(one) + d - 3), f"{one * 10.0**d:g}") for d in decades for one in leading]
    return [(place, text) for place, text in places if low <= place <= high]
