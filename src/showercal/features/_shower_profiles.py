"""Where the energy of a shower lies: per layer, per ring around the axis, per decade of cell energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter
from showercal.features._shower_shapes import Hits

FloatArray = NDArray[np.float64]

CELL_EDGES: Final = np.logspace(-4, 5, 37)  # of the energy in a cell, [MeV]; four bins a decade
_N_RINGS: Final = 16
_REACH: Final = 1.25  # of the rings, in half widths of the detector: impact points lie off the axis


@dataclass(frozen=True, eq=False)
class ShowerProfiles:
    """Profiles of single events, as sums so that means and their errors can be taken later.

    Attributes:
        layers: Energy per layer, shape (B, L), [MeV].
        rings: Energy per ring of distance from the impact point, shape (B, R), [MeV].
        cells: Lit cells per bin of their energy (`CELL_EDGES`), shape (B, K).
    """

    layers: FloatArray
    rings: FloatArray
    cells: FloatArray

    def __getitem__(self, where: NDArray[np.bool_] | NDArray[np.int64] | slice) -> ShowerProfiles:
        """Profiles of some of the events."""
        return ShowerProfiles(self.layers[where], self.rings[where], self.cells[where])


def ring_edges(calorimeter: BoxCalorimeter) -> FloatArray:
    """Edges of the rings, shape (R + 1,), [mm]; the last ring also holds all energy beyond it."""
    return np.linspace(0, _REACH * min(calorimeter.width) / 2, _N_RINGS + 1)


def shower_profiles(hits: Hits, calorimeter: BoxCalorimeter) -> ShowerProfiles:
    """Profiles of the hits of a block of events."""
    edges = ring_edges(calorimeter)
    ring = np.minimum((np.hypot(hits.x, hits.y) / edges[1]).astype(np.int64), _N_RINGS - 1)
    cell = np.clip(np.searchsorted(CELL_EDGES, hits.energy, side="right") - 1, 0, len(CELL_EDGES) - 2)
    return ShowerProfiles(
        layers=hits.table(hits.layer, calorimeter.n_layers, hits.energy),
        rings=hits.table(ring, _N_RINGS, hits.energy),
        cells=hits.table(cell, len(CELL_EDGES) - 1),
    )
