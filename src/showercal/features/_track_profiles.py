"""What lies around a straight track in each layer: energies by distance, numbers of cells, moments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import awkward as ak
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from showercal.detectors import BoxCalorimeter, calorimeter_of
from showercal.errors import DataError
from showercal.events import CELL, OFFSETS, Events
from showercal.features._blocks import blocks
from showercal.features._finite import check_finite
from showercal.features._flat import Fields, checked_cell, event_of_hit
from showercal.features._shower_shapes import LEAST_DEPOSIT

FloatArray = NDArray[np.float64]

#: Distances from the track that part the rings of `track_profiles`, [mm].
TRACK_RINGS: Final = (3.0, 6.0, 10.5, 18.75, 33.75)
#: Energies of a cell above which `track_profiles` counts it, [GeV].
TRACK_THRESHOLDS: Final = (1e-5, 1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
UNIT: Final = 1e-3  # below it the logarithm of an energy is a straight line, [GeV]
# A muon leaves some 40 MeV in a layer of 2.6 cm of lead tungstate or so: cells with more are on a track or in a shower,
# and each of the latter weighs no more than one of the former in the place of the track.
TRACK_LEAST: Final = 0.01
TRACK_MOST: Final = 0.05
_WHOSE: Final = "track profiles"
_LEAST: Final = 1e-3 * LEAST_DEPOSIT  # [GeV]


def profile_names(rings: Sequence[float] = TRACK_RINGS, thresholds: Sequence[float] = TRACK_THRESHOLDS) -> list[str]:
    """What the last axis of `track_profiles` holds, C names.

    Args:
        rings: Distances that part the rings, [mm].
        thresholds: Energies above which cells are counted, [GeV].
    """
    edges = (0.0, *rings, math.inf)
    return [
        *(f"energy_{low:g}_to_{high:g}_mm" for low, high in pairwise(edges)),
        *(f"cells_above_{threshold:g}_gev" for threshold in thresholds),
        "centre_x",
        "centre_y",
        "radius_squared",
        "root_centre_x",
        "energy_max",
        "energy",
    ]


def check_profile_options(rings: Sequence[float], thresholds: Sequence[float]) -> None:
    """Refuse rings or thresholds that do not rise from above 0.

    Raises:
        DataError: Saying which.
    """
    for name, unit, values in (("rings", "mm", rings), ("thresholds", "GeV", thresholds)):
        if any(not low < high for low, high in zip((0.0, *values), (*values, math.inf), strict=True)):
            raise DataError(f"{name} of track profiles must rise from above 0 {unit}; got {list(values)}")


def track_profiles(
    events: Events,
    *,
    energy: str = "cells.energy",
    impact: tuple[str, str] | None = ("impact_x", "impact_y"),
    rings: Sequence[float] = TRACK_RINGS,
    thresholds: Sequence[float] = TRACK_THRESHOLDS,
) -> NDArray[np.float32]:
    """Numbers that tell how a particle along z showers in each layer, shape (B, L, C).

    With E the energy of a cell, d = (dx, dy) its centre from the track (the line along z through the impact point), and
    all sums over the cells of one layer, they are in the order of `profile_names`:

    * log(1 + sum of E / 1 MeV) for each ring of |d|;
    * log(1 + number of cells) above each threshold;
    * asinh of sum E dx / sum E and of sum E dy / sum E, [mm]; log(1 + sum E d^2 / sum E), [mm^2];
      asinh of sum sqrt(E) dx / sum sqrt(E), [mm], in which the bending shows that a shower would hide;
    * log(1 + E / 1 MeV) of the brightest cell, and the same of all cells.

    A layer without light has zeros. Energies span five orders of magnitude; their logarithms do not.

    Args:
        events: With ``cells.id`` and the fields below. They must carry their geometry.
        energy: Field of the energies of cells, [GeV]. Deposits below an electronvolt do not count.
        impact: Fields of x and y where the particle enters, [mm]; None to find the track from the cells: the mean place
            of those above 10 MeV, each by its energy but at most 50 MeV.
        rings: Distances from the track that part the rings, rising, [mm].
        thresholds: Energies above which cells are counted, rising, [GeV].

    Raises:
        DataError: If a field or the geometry is missing, an impact point or energy is not finite, or rings or
            thresholds do not rise.
    """
    check_profile_options(rings, thresholds)
    calorimeter = calorimeter_of(events)
    track = None if impact is None else np.stack([events.scalar(name) for name in impact], axis=1)
    check_finite(events, *(impact or ()), whose=_WHOSE)

    # Numba is imported only by those who need it
    from showercal.features._track_kernel import find_tracks, profile_rows

    x, y = cell_centres(calorimeter)
    dim, bright = _single(TRACK_LEAST, TRACK_MOST)
    squares, edges = (np.array(_single(*values)) for values in ([edge**2 for edge in rings], thresholds))

    def rows(block: slice) -> NDArray[np.float32]:
        some = events[block]
        cell = ak.to_numpy(ak.flatten(some.field(CELL)))
        deposit = ak.to_numpy(ak.flatten(some.field(energy))).astype(np.float32)
        calorimeter.check_cells(cell, where="the events given")
        check_finite(some, energy, whose=_WHOSE, first_event=block.start)
        cells = some.cell_offsets, cell, deposit, calorimeter.shape, x, y
        place = find_tracks(*cells, dim, bright) if track is None else track[block]
        made: NDArray[np.float32] = profile_rows(*cells, place, np.float32(_LEAST), squares, edges, UNIT)
        return made

    profiles = np.empty((len(events), calorimeter.n_layers, len(profile_names(rings, thresholds))), np.float32)
    for block in blocks(events):
        profiles[block] = rows(block)
    return profiles


def track_profiles_of_fields(
    fields: Fields,
    calorimeter: BoxCalorimeter,
    energy: str,
    impact: tuple[str, str] | None,
    rings: Sequence[float],
    thresholds: Sequence[float],
) -> Tensor:
    """`track_profiles` on flat fields, as tensor operations, shape (B, L, C), float32."""
    n_layers, n_x, n_y = calorimeter.shape
    n_events = fields[OFFSETS].shape[0] - 1
    cell, event, deposit = checked_cell(fields, calorimeter), event_of_hit(fields), fields[energy].float().double()
    x, y = (torch.from_numpy(centre) for centre in cell_centres(calorimeter))
    x, y = x[cell // n_y % n_x], y[cell % n_y]
    if impact is None:
        least, most = _single(TRACK_LEAST, TRACK_MOST)
        weight = deposit.clamp(max=most) * (deposit > least)
        total = _or_one(_sums(weight, event, n_events))
        track_x, track_y = (_sums(weight * place, event, n_events) / total for place in (x, y))
    else:
        track_x, track_y = (fields[name].double() for name in impact)
    dx, dy = x - track_x.gather(0, event), y - track_y.gather(0, event)
    squared = dx * dx + dy * dy
    deposit = torch.where(deposit > _single(_LEAST)[0], deposit, 0.0)
    slot, n_slots = event * n_layers + cell // (n_x * n_y), n_events * n_layers
    n_rings = len(rings) + 1
    # counted, as in the kernel: from which edges on a distance or an energy lies beyond
    ring = sum((squared >= edge).long() for edge in _single(*(edge**2 for edge in rings)))
    energy_of_ring = _sums(deposit, slot * n_rings + ring, n_slots * n_rings).view(n_slots, n_rings)
    numbers = torch.stack([_sums((deposit > edge).double(), slot, n_slots) for edge in _single(*thresholds)], 1)
    total, root = energy_of_ring.sum(1), deposit.sqrt()
    weighted = [_sums(deposit * value, slot, n_slots) for value in (dx, dy, squared)]
    roots = _sums(root, slot, n_slots)
    mean_x, mean_y, mean_squared = (one / _or_one(total) for one in weighted)
    root_x = _sums(root * dx, slot, n_slots) / _or_one(roots)
    highest = deposit.new_zeros(n_slots).scatter_reduce(0, slot, deposit, "amax")
    # ONNX Runtime has no asinh in float64
    shape = [mean_x.float().asinh(), mean_y.float().asinh(), mean_squared.float().log1p(), root_x.float().asinh()]
    bright = [(one / UNIT).float().log1p() for one in (highest, total)]
    moments = torch.stack([*shape, *bright], 1)
    rows = torch.cat([(energy_of_ring / UNIT).float().log1p(), numbers.float().log1p(), moments], 1)
    return rows.view(n_events, n_layers, -1)


def cell_centres(calorimeter: BoxCalorimeter) -> tuple[FloatArray, FloatArray]:
    """Centres of the rows and of the columns of cells across, shapes (n_x,) and (n_y,), [mm]."""
    _, n_x, n_y = calorimeter.shape
    place = calorimeter.cell_position(np.arange(n_x * n_y)).reshape(n_x, n_y, 3)
    return np.ascontiguousarray(place[:, 0, 0]), np.ascontiguousarray(place[0, :, 1])


def _single(*values: float) -> tuple[float, ...]:
    """The nearest numbers in single precision, as an exported graph compares with: else a deposit of exactly one of
    them, which rounding of what a digitiser gives makes often, would lie above it here and not there."""
    return tuple(float(np.float32(value)) for value in values)


def _or_one(total: Tensor) -> Tensor:
    """What a sum is divided by: itself, or 1 where there is nothing."""
    return torch.where(total > 0, total, 1.0)


def _sums(values: Tensor, place: Tensor, n: int) -> Tensor:
    return torch.zeros(n, dtype=values.dtype).scatter_add(0, place, values)
