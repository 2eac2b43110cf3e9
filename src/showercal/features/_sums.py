"""Sums over the cells of each layer."""

from __future__ import annotations

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter
from showercal.events import CELL, Events
from showercal.features._blocks import blocks


def layer_sums(events: Events, calorimeter: BoxCalorimeter, values: str) -> NDArray[np.float64]:
    """Sum of a field over the cells of each layer, shape (B, L).

    Args:
        events: Events with ``cells.id``.
        calorimeter: Their geometry.
        values: Field of the cells, e.g. ``cells.energy``.
    """
    return np.concatenate([_sums_of_block(events[block], calorimeter, values) for block in blocks(events)])


def _sums_of_block(events: Events, calorimeter: BoxCalorimeter, values: str) -> NDArray[np.float64]:
    event = np.repeat(np.arange(len(events)), np.diff(events.cell_offsets))
    layer = ak.to_numpy(ak.flatten(events.field(CELL))) // (calorimeter.n_x * calorimeter.n_y)
    weight = ak.to_numpy(ak.flatten(events.field(values)))
    slot = event * calorimeter.n_layers + layer
    sums = np.bincount(slot, weights=weight, minlength=len(events) * calorimeter.n_layers)
    return np.asarray(sums, dtype=np.float64).reshape(len(events), calorimeter.n_layers)
