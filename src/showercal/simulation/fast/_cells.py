"""What a shower leaves in the cells of the calorimeter, and where the rest of its energy went."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from showercal.simulation.fast._compiled import compiled, inlined
from showercal.simulation.fast._records import new_record

# Sums of an event, by place in `Cells.sums`, [MeV].
ACTIVE: Final = 0  # deposited in active material, before Birks' law and the time cut
ABSORBER: Final = 1  # deposited in absorbers
LEAK_FRONT: Final = 2  # kinetic energy through the front face, ...
LEAK_BACK: Final = 3
LEAK_SIDE: Final = 4
INVISIBLE: Final = 5  # binding energy, neutrinos
N_SUMS: Final = 6

NO_TRACK: Final = 0


# A cell of the event: what was seen in it, the last track (-1 while nothing was seen) and the cell touched before it.
# A particle is followed to its end before the next begins, so the last track is enough to count distinct ones.
CELL: Final = np.dtype(
    [("energy", np.float64), ("last_track", np.int64), ("tracks", np.int32), ("previous", np.int32)], align=True
)


# Pieces of tracks in active layers, one after another, as `record_pieces` asks for them: where each begins and ends.
MAX_PIECES: Final = 1 << 14
PIECES: Final = np.dtype(
    [
        ("is_on", np.int64),
        ("size", np.int64),
        ("track", np.int64, MAX_PIECES),
        ("layer", np.int64, MAX_PIECES),
        ("place", np.float64, (MAX_PIECES, 4)),  # x and y of its begin, x and y of its end, [mm]
        ("seen", np.float64, MAX_PIECES),  # [MeV]
    ],
    align=True,
)


class Cells(NamedTuple):
    """Cells of one event, kept dense because a shower comes back to the same cells; only touched ones are reset.

    Attributes:
        data: Records of layout `CELL`, shape (n_cells + 1,); the touched ones form a chain that begins at the last one.
        sums: Where the energy went, shape (N_SUMS,), [MeV].
        pieces: Takes what the cells would see, piece by piece, when it is on: a record of layout `PIECES`.
    """

    data: NDArray[Any]
    sums: NDArray[np.float64]
    pieces: Any


def new_cells(n_cells: int, *, record_pieces: bool = False) -> Cells:
    """Empty cells; with ``record_pieces`` they stay empty and pieces of tracks are kept instead."""
    data = np.zeros(n_cells + 1, CELL)
    data["last_track"] = -1
    data["previous"] = -1
    pieces = new_record(PIECES)
    pieces.is_on = record_pieces
    return Cells(data, np.zeros(N_SUMS), pieces)


@compiled
def first_touched(cells):
    """Number of the cell that was touched last, -1 for none; `Cells.data[...].previous` leads on to the others."""
    return cells.data[cells.data.shape[0] - 1].previous


@compiled
def clear(cells):
    """Forget the event."""
    anchor = cells.data.shape[0] - 1
    cell = cells.data[anchor].previous
    while cell >= 0:
        following = cells.data[cell].previous
        cells.data[cell].energy = 0.0
        cells.data[cell].tracks = 0
        cells.data[cell].last_track = -1
        cell = following
    cells.data[anchor].previous = -1
    cells.sums[:] = 0.0
    cells.pieces.size = 0


@inlined
def _add(cells, cell, energy, track):
    last = cells.data[cell].last_track
    if last == -1:
        anchor = cells.data.shape[0] - 1
        cells.data[cell].previous = cells.data[anchor].previous
        cells.data[anchor].previous = cell
        cells.data[cell].last_track = NO_TRACK
        last = NO_TRACK
    cells.data[cell].energy += energy
    if track not in (NO_TRACK, last):
        cells.data[cell].last_track = track
        cells.data[cell].tracks += 1


@inlined
def _column(medium, x, y):
    """Number of the cell within its layer; the outermost ones reach to the edge whatever the rounding."""
    ix = int(math.floor((x + medium.half_x) / medium.cell_x))
    iy = int(math.floor((y + medium.half_y) / medium.cell_y))
    ix = min(max(ix, 0), medium.n_x - 1)
    iy = min(max(iy, 0), medium.n_y - 1)
    return ix, iy


@inlined
def deposit_point(medium, cells, slab, x, y, energy, track, time):
    """Energy left at a point of a slab, [MeV]; counts the track when it is not NO_TRACK."""
    layer = medium.layer[slab]
    if layer < 0:
        cells.sums[ABSORBER] += energy
        return
    cells.sums[ACTIVE] += energy
    if time > medium.time_cut:
        return
    if cells.pieces.is_on:
        _record(cells.pieces, layer, x, y, x, y, energy, track)
        return
    ix, iy = _column(medium, x, y)
    _add(cells, (layer * medium.n_x + ix) * medium.n_y + iy, energy, track)


@compiled
def _record(pieces, layer, x0, y0, x1, y1, seen, track):
    """Keep a piece of a track, as one with the piece before it where that is of the same track and layer."""
    n = pieces.size
    if n > 0 and track != NO_TRACK and pieces.track[n - 1] == track and pieces.layer[n - 1] == layer:
        n -= 1
    else:
        if n >= MAX_PIECES:
            raise OverflowError("a shower of the library has more pieces of tracks than it can hold")
        pieces.size = n + 1
        pieces.track[n], pieces.layer[n], pieces.seen[n] = track, layer, 0.0
        pieces.place[n, 0], pieces.place[n, 1] = x0, y0
    pieces.place[n, 2], pieces.place[n, 3] = x1, y1
    pieces.seen[n] += seen


@inlined
def deposit(medium, cells, slab, x0, y0, z0, x1, y1, z1, energy, track, time):
    """Energy left evenly along a straight piece of a charged track inside one slab, [MeV].

    Split at the walls of cells; the track counts once in each cell; with Birks' law a piece gives dE / (1 + k_B dE/dx).

    References:
        J. B. Birks, Proc. Phys. Soc. A 64 (1951) 874.
    """
    layer = medium.layer[slab]
    if layer < 0:
        cells.sums[ABSORBER] += energy
        return
    cells.sums[ACTIVE] += energy
    if time > medium.time_cut:
        return
    seen = energy
    if medium.birks > 0.0 and energy > 0.0:
        length = math.sqrt((x1 - x0) ** 2 + (y1 - y0) ** 2 + (z1 - z0) ** 2)
        if length > 0.0:
            seen = energy / (1.0 + medium.birks * energy / length)
    if cells.pieces.is_on:
        _record(cells.pieces, layer, x0, y0, x1, y1, seen, track)
        return
    spread(medium, cells, layer, x0, y0, x1, y1, seen, track)


@compiled
def spread(medium, cells, layer, x0, y0, x1, y1, seen, track):
    """Seen energy of a piece of a track, shared by the cells of a layer that it crosses."""
    ix, iy = _column(medium, x0, y0)
    ix_end, iy_end = _column(medium, x1, y1)
    base = layer * medium.n_x
    if ix == ix_end and iy == iy_end:
        _add(cells, (base + ix) * medium.n_y + iy, seen, track)
        return
    dx, dy, done = x1 - x0, y1 - y0, 0.0
    step_x = 1 if ix_end > ix else -1
    step_y = 1 if iy_end > iy else -1
    while ix != ix_end or iy != iy_end:
        t_x, t_y = 2.0, 2.0
        if ix != ix_end:
            t_x = ((ix + (step_x > 0)) * medium.cell_x - medium.half_x - x0) / dx
        if iy != iy_end:
            t_y = ((iy + (step_y > 0)) * medium.cell_y - medium.half_y - y0) / dy
        t = max(done, min(t_x, t_y, 1.0))
        _add(cells, (base + ix) * medium.n_y + iy, seen * (t - done), track)
        done = t
        # by number, not by place: rounding may put a wall that is crossed behind the end of the piece
        if iy == iy_end or (ix != ix_end and t_x <= t_y):
            ix += step_x
        else:
            iy += step_y
    _add(cells, (base + ix) * medium.n_y + iy, seen * (1.0 - done), track)
