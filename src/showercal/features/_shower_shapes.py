"""What physicists look at in a shower: about thirty numbers per event, for any box calorimeter."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter, calorimeter_of
from showercal.errors import DataError, nearest
from showercal.events import CELL, Events

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LIT_THRESHOLDS: Final = (0.0, 0.1, 1.0, 10.0)  # of the energy in a cell, [MeV]
# Less than the mean energy of a pair of charges in any medium: no deposit, [MeV]. Geant4 leaves 1e-9 MeV in a
# neighbouring cell where a particle touches the wall: the loss within the tolerance of its surfaces, 1e-9 mm.
LEAST_DEPOSIT: Final = 1e-6
_N_GROUPS: Final = 9
_GROWTH: Final = 1.5  # groups of layers grow with depth, as showers thin out
# A shower has begun where a layer holds more than this many minimum ionising particles leave in it.
_START_PARTICLES: Final = 4.0
# Loss of a minimum ionising particle, [MeV cm^2/g]: 1.1 (lead) to 2.0 (plastic) in the PDG's tables of materials. Only
# the order of magnitude matters for a threshold, so one number serves all.
_MINIMUM_LOSS: Final = 1.6
_IMPACT: Final = ("impact_x", "impact_y")


@dataclass(frozen=True, eq=False)
class ShowerShapes:
    """Shower shapes of events, one column each.

    Attributes:
        names: F names.
        values: Shape (B, F); NaN where an event has none, e.g. the depth of an event without a lit cell.
    """

    names: tuple[str, ...]
    values: FloatArray

    def __getitem__(self, where: NDArray[np.bool_] | IntArray | slice) -> ShowerShapes:
        """Shapes of some of the events."""
        return ShowerShapes(self.names, self.values[where])

    def column(self, name: str) -> FloatArray:
        """One shape of all events, shape (B,).

        Raises:
            DataError: If there is no such shape.
        """
        if name not in self.names:
            raise DataError(f"no shower shape {name!r}; {nearest(name, self.names)}")
        return self.values[:, self.names.index(name)]


@dataclass(frozen=True, eq=False)
class Hits:
    """Lit cells of all events end to end.

    Attributes:
        n_events: B.
        event, layer, ix, iy: Of each hit, shape (H,).
        energy: Shape (H,), [MeV].
        x, y: Centre of the cell from the impact point (from the axis where events carry none), shape (H,), [mm].
        tracks: Charged tracks, shape (H,), or None where they were not counted.
    """

    n_events: int
    event: IntArray
    layer: IntArray
    ix: IntArray
    iy: IntArray
    energy: FloatArray
    x: FloatArray
    y: FloatArray
    tracks: FloatArray | None

    def per_event(self, weight: NDArray[np.generic] | None = None) -> FloatArray:
        """Sum over the hits of each event, shape (B,); without a weight their number."""
        return np.bincount(self.event, weight, self.n_events).astype(np.float64)

    def table(self, column: IntArray, n_columns: int, weight: FloatArray | None = None) -> FloatArray:
        """Sum over the hits of each event and column, e.g. layer, shape (B, n_columns); else their number."""
        sums = np.bincount(self.event * n_columns + column, weight, self.n_events * n_columns)
        return sums.reshape(self.n_events, n_columns).astype(np.float64)


def shower_hits(events: Events, calorimeter: BoxCalorimeter) -> Hits:
    """Hits of events: cells with a deposit of at least an electronvolt.

    Raises:
        DataError: If the events have no ``cells.id`` and ``cells.energy``.
    """
    energy = 1e3 * np.asarray(ak.to_numpy(ak.flatten(events.field("cells.energy"))), dtype=np.float64)
    lit = energy > LEAST_DEPOSIT
    count = ak.to_numpy(ak.num(events.field(CELL), axis=1))
    event = np.repeat(np.arange(len(events)), count)[lit]
    layer, ix, iy = calorimeter.cell_index(ak.to_numpy(ak.flatten(events.field(CELL)))[lit])
    impact = [events.scalar(name) if name in events.fields else np.zeros(len(events)) for name in _IMPACT]
    tracks = None
    if "cells.tracks" in events.units:
        tracks = np.asarray(ak.to_numpy(ak.flatten(events.field("cells.tracks"))), dtype=np.float64)[lit]
    return Hits(
        n_events=len(events),
        event=event,
        layer=layer,
        ix=ix,
        iy=iy,
        energy=energy[lit],
        x=(ix + 0.5 - calorimeter.n_x / 2) * calorimeter.cell_x - impact[0][event],
        y=(iy + 0.5 - calorimeter.n_y / 2) * calorimeter.cell_y - impact[1][event],
        tracks=tracks,
    )


def shower_shapes(events: Events, hits: Hits | None = None) -> ShowerShapes:
    """Shower shapes of events, all in memory at once: about 200 bytes a hit.

    Energies stand over the true or the visible energy, so that the shapes of different energies can be compared; the
    true energy itself is the first column. Distances are from the impact point.

    Args:
        events: With ``energy_true``, ``cells.id``, ``cells.energy``; ``impact_x``, ``impact_y`` and ``cells.tracks``
            are used where they are. They must carry their geometry.
        hits: Their `shower_hits`, when at hand.

    Raises:
        DataError: If a field or the geometry is missing.
    """
    calorimeter = calorimeter_of(events)
    columns = _shapes(shower_hits(events, calorimeter) if hits is None else hits, events.energy_true, calorimeter)
    return ShowerShapes(tuple(columns), np.stack(list(columns.values()), axis=1))


def layer_groups(n_layers: int) -> list[slice]:
    """Neighbouring layers that are summed, finer in front.

    Example:
        >>> [(group.start, group.stop) for group in layer_groups(17)]
        [(0, 1), (1, 2), (2, 3), (3, 5), (5, 7), (7, 9), (9, 12), (12, 14), (14, 17)]
    """
    ends = np.round(n_layers * (np.arange(1, _N_GROUPS + 1) / _N_GROUPS) ** _GROWTH).astype(int)
    edges = [0, *(int(end) for end in np.unique(ends) if end > 0)]
    return [slice(low, high) for low, high in pairwise(edges)]


def first_leaking_layer(n_layers: int) -> int:
    """First of the layers whose share of the visible energy stands for the leakage behind them: the last tenth."""
    return n_layers - max(1, round(n_layers / 10))


def is_outermost(hits: Hits, calorimeter: BoxCalorimeter) -> NDArray[np.bool_]:
    """Whether a hit lies in the outermost ring of cells, whose share stands for the leakage at the sides."""
    return np.isin(hits.ix, (0, calorimeter.n_x - 1)) | np.isin(hits.iy, (0, calorimeter.n_y - 1))


def start_thresholds(calorimeter: BoxCalorimeter) -> FloatArray:
    """Visible energy of a layer above which a shower has begun, shape (L,), [MeV]."""
    mass = [0.1 * one.active_thickness * calorimeter.material(one.active).density for one in calorimeter.layers]
    return _START_PARTICLES * _MINIMUM_LOSS * np.array(mass)


def _shapes(hits: Hits, energy_gev: FloatArray, calorimeter: BoxCalorimeter) -> dict[str, FloatArray]:
    energy_true = 1e3 * energy_gev
    visible = hits.per_event(hits.energy)
    n_lit = hits.per_event()
    layers = hits.table(hits.layer, calorimeter.n_layers, hits.energy)
    with np.errstate(divide="ignore", invalid="ignore"):  # an event without visible energy has no shape: NaN
        return {
            "energy_true": energy_gev,
            "visible_fraction": visible / energy_true,
            **_track_shapes(hits, energy_true, visible, calorimeter.n_layers),
            **_depth_shapes(layers, visible, calorimeter),
            **_side_shapes(hits, visible, calorimeter),
            **{f"lit_cells_{t:g}_mev": hits.per_event(hits.energy > t) for t in LIT_THRESHOLDS},
            **_cell_shapes(hits, visible, n_lit),
        }


def _track_shapes(hits: Hits, energy_true: FloatArray, visible: FloatArray, n_layers: int) -> dict[str, FloatArray]:
    if hits.tracks is None:
        return {}
    tracks = hits.per_event(hits.tracks)
    layers = hits.table(hits.layer, n_layers, hits.tracks)
    return {
        "tracks_per_gev": 1e3 * tracks / energy_true,
        "tracks_per_visible_mev": tracks / visible,
        "tracks_depth": layers @ np.arange(n_layers) / tracks,
    }


def _depth_shapes(layers: FloatArray, visible: FloatArray, calorimeter: BoxCalorimeter) -> dict[str, FloatArray]:
    number = np.arange(calorimeter.n_layers, dtype=np.float64)
    depth = layers @ number / visible
    square = layers @ number**2 / visible
    begun = layers > start_thresholds(calorimeter)
    shares = {
        f"share_layers_{group.start}_{group.stop - 1}": layers[:, group].sum(1) / visible
        for group in layer_groups(calorimeter.n_layers)
    }
    return {
        **shares,
        "depth_mean": depth,
        "depth_rms": np.sqrt(np.maximum(square - depth**2, 0)),
        "shower_start": np.where(begun.any(1), begun.argmax(1), calorimeter.n_layers).astype(np.float64),
        "shower_maximum": np.where(visible > 0, layers.argmax(1), np.nan),
        "share_maximum_layer": layers.max(1) / visible,
        "share_last_layers": layers[:, first_leaking_layer(calorimeter.n_layers) :].sum(1) / visible,
    }


def _side_shapes(hits: Hits, visible: FloatArray, calorimeter: BoxCalorimeter) -> dict[str, FloatArray]:
    radius = np.hypot(hits.x, hits.y)
    mean = hits.per_event(hits.energy * radius) / visible
    square = hits.per_event(hits.energy * radius**2) / visible
    third = np.minimum(3 * hits.layer // calorimeter.n_layers, 2)
    inside = [np.where(third == part, hits.energy, 0.0) for part in range(3)]
    parts = {
        f"radius_{name}": hits.per_event(energy * radius) / hits.per_event(energy)
        for name, energy in zip(("front", "middle", "back"), inside, strict=True)
    }
    return {
        "share_outermost_cells": hits.per_event(hits.energy * is_outermost(hits, calorimeter)) / visible,
        "centre_x": hits.per_event(hits.energy * hits.x) / visible,
        "centre_y": hits.per_event(hits.energy * hits.y) / visible,
        "radius_mean": mean,
        "radius_rms": np.sqrt(square),
        **parts,
    }


def _cell_shapes(hits: Hits, visible: FloatArray, n_lit: FloatArray) -> dict[str, FloatArray]:
    """Shapes of the spectrum of cell energies."""
    logarithm = np.log10(hits.energy)
    mean = hits.per_event(logarithm) / n_lit
    square = hits.per_event(logarithm**2) / n_lit
    ordered = ak.to_numpy(ak.flatten(ak.sort(ak.unflatten(hits.energy, n_lit.astype(np.int64)), axis=1)))
    last = np.cumsum(n_lit).astype(np.int64) - 1
    lit = n_lit > 0

    def at(position: FloatArray) -> FloatArray:
        """Cell energy at a position among the rising energies of each event; NaN without any, 0 before the first."""
        found = np.full(len(n_lit), np.nan)
        found[lit] = 0.0
        inside = lit & (position >= 0)
        found[inside] = ordered[(last - n_lit.astype(np.int64) + 1)[inside] + position[inside].astype(np.int64)]
        return found

    return {
        "share_highest_cell": at(n_lit - 1) / visible,
        "share_second_cell": at(n_lit - 2) / visible,
        "share_fifth_cell": at(n_lit - 5) / visible,
        "concentration": hits.per_event(hits.energy**2) / visible**2,
        "log_cell_mean": mean,
        "log_cell_rms": np.sqrt(np.maximum(square - mean**2, 0)),
        "log_cell_median": np.log10(at(np.floor(0.5 * (n_lit - 1)))),
        "log_cell_90": np.log10(at(np.floor(0.9 * (n_lit - 1)))),
    }
