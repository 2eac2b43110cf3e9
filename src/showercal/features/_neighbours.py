"""Lit cells with what lies around them."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from showercal.detectors import BoxCalorimeter
from showercal.events import OFFSETS
from showercal.features._flat import Fields, checked_cell, event_of_hit

_SAME: Final = ((0, 0),)
_EDGE: Final = ((1, 0), (-1, 0), (0, 1), (0, -1))
_CORNER: Final = ((1, 1), (1, -1), (-1, 1), (-1, -1))
# Groups of neighbours: (steps in depth, steps across). One sum each.
_GROUPS: Final = (
    ((-1,), _SAME),
    ((1,), _SAME),
    ((0,), _EDGE),
    ((0,), _CORNER),
    ((-1,), _EDGE),
    ((1,), _EDGE),
    ((-1, 1), _CORNER),
)
# Signals, in units of the mean lit cell: below it a cell does not weigh less, nor is anything divided by less.
_LEAST: Final = 0.1
# Cells from the centre; further out nothing is told apart.
_FURTHEST: Final = 4.0


def neighbourhoods(fields: Fields, calorimeter: BoxCalorimeter, values: tuple[str, ...], unit: Tensor) -> Tensor:
    """Features of each lit cell, shape (H, 3 F + 8), float32.

    The same under shifts by whole cells and, where x and y are alike, under the symmetries of the square, so that
    nothing need be augmented. With v_f the signal of field f in units of ``unit``:

    * sqrt(v_f) and log(1 + 10 v_f) of each field; log(1 + 10 v_f / v_1) of each but the first;
    * the larger and the smaller of the distances in x and in y from the centre of the event, weighted by v_1, in cells;
    * the root of the sum of v_1 over each of seven groups of neighbours: the cell before, the cell behind, in the same
      layer those at the four edges and at the four corners, the edges before, the edges behind, the corners of both.

    Args:
        fields: Of B events with H hits.
        calorimeter: Their geometry.
        values: The F fields; negative values (noise) count as 0.
        unit: Mean value of each field in lit cells, shape (F,).
    """
    n_layers, n_x, n_y = calorimeter.shape
    cell, event = checked_cell(fields, calorimeter), event_of_hit(fields)
    n_events = fields[OFFSETS].shape[0] - 1
    layer, x, y = cell // (n_x * n_y), cell // n_y % n_x, cell % n_y
    signals = [(fields[name].float() / scale).clamp(min=0) for name, scale in zip(values, unit.unbind(), strict=True)]
    first = signals[0]

    weight = first.clamp(min=_LEAST)
    total = _sums(weight, event, n_events)
    away = [
        (place - (_sums(weight * place, event, n_events) / total).index_select(0, event)).abs().clamp(max=_FURTHEST)
        for place in (x.float(), y.float())
    ]
    # a rim of dark cells around the grid saves all questions at its borders
    across = n_y + 2
    deep = (n_x + 2) * across
    place = (event * (n_layers + 2) + layer + 1) * deep + (x + 1) * across + y + 1
    grid = _sums(first, place, n_events * (n_layers + 2) * deep)
    steps = [[dz * deep + dx * across + dy for dz in depth for dx, dy in plane] for depth, plane in _GROUPS]
    # one step at a time, by gather: other kinds of indexing take five times as long in ONNX Runtime
    around = [torch.stack([grid.gather(0, place + step) for step in group]).sum(0) for group in steps]
    features = [
        *(signal.sqrt() for signal in signals),
        *((10 * signal).log1p() for signal in signals),
        *((10 * signal / weight).log1p() for signal in signals[1:]),
        torch.maximum(*away),
        torch.minimum(*away),
        *(one.sqrt() for one in around),
    ]
    return torch.stack(features, 1)


def _sums(values: Tensor, place: Tensor, n: int) -> Tensor:
    """Sums of values (H,) at places (H,), shape (n,)."""
    return torch.zeros(n, dtype=values.dtype).scatter_add(0, place, values)
