"""Sums over the cells of each layer."""

from __future__ import annotations

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter
from showercal.events import Events


def layer_sums(events: Events, calorimeter: BoxCalorimeter, values: str) -> NDArray[np.float64]:
    """Sum of a field over the cells of each layer, shape (B, L).

    Args:
        events: Events with ``cells.id``.
        calorimeter: Their geometry.
        values: Field of the cells, e.g. ``cells.energy``.
    """
    count = ak.to_numpy(ak.num(events.field("cells.id"), axis=1))
    event = np.repeat(np.arange(len(events)), count)
    layer = ak.to_numpy(ak.flatten(events.field("cells.id"))) // (calorimeter.n_x * calorimeter.n_y)
    weight = ak.to_numpy(ak.flatten(events.field(values)))
    slot = event * calorimeter.n_layers + layer
    sums = np.bincount(slot, weights=weight, minlength=len(events) * calorimeter.n_layers)
    return np.asarray(sums, dtype=np.float64).reshape(len(events), calorimeter.n_layers)
