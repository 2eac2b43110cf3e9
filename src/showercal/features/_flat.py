"""Fields of events as flat tensors: what exported graphs start from.

Fields come flat, as they lie in memory and in files: ``offsets`` (B + 1,) int64, of which hits ``offsets[i]`` to
``offsets[i + 1]`` belong to event i; ``cells.id`` (H,) int64 and values of the cells (H,); scalars of the event (B,);
images (B, ...).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

from showercal.detectors import BoxCalorimeter
from showercal.events import CELL, OFFSETS

Fields = Mapping[str, Tensor]
_NOWHERE: Final = 1 << 40


def layer_sums_of_fields(fields: Fields, calorimeter: BoxCalorimeter, values: str) -> Tensor:
    """Sum of a field over the cells of each layer, shape (B, L), float64: `layer_sums` on flat fields."""
    n_events, n_layers = fields[OFFSETS].shape[0] - 1, calorimeter.n_layers
    place = n_layers * event_of_hit(fields) + layer_of_hit(fields, calorimeter)
    # float64, as NumPy adds them; whole numbers of tracks are exact in either
    sums = torch.zeros(n_events * n_layers, dtype=torch.float64).scatter_add(0, place, fields[values].double())
    return sums.view(n_events, n_layers)


def event_of_hit(fields: Fields) -> Tensor:
    """Number of the event of each hit, shape (H,): how many events end at or before it."""
    ends = fields[OFFSETS][1:]
    n_ending = torch.zeros(fields[CELL].shape[0] + 1, dtype=torch.int64).scatter_add(0, ends, torch.ones_like(ends))
    return n_ending.cumsum(0)[:-1]


def layer_of_hit(fields: Fields, calorimeter: BoxCalorimeter) -> Tensor:
    """Layer of each hit, shape (H,)."""
    return checked_cell(fields, calorimeter) // (calorimeter.n_x * calorimeter.n_y)


def checked_cell(fields: Fields, calorimeter: BoxCalorimeter) -> Tensor:
    """Cell number of each hit, shape (H,).

    A number outside the detector would light a cell of a neighbouring event. It is replaced by one so large that using
    it as an index fails, here and in every program that runs the exported graph.
    """
    cell = fields[CELL]
    return torch.where((cell >= 0) & (cell < calorimeter.n_cells), cell, _NOWHERE)
