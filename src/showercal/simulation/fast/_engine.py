"""The loop over particles and events, compiled: particles in, sparse cells out."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from showercal.simulation.fast._cells import N_SUMS, clear, first_touched
from showercal.simulation.fast._compiled import compiled
from showercal.simulation.fast._electrons import transport_electron
from showercal.simulation.fast._frozen import HIGHEST, LOWEST, replay_frozen
from showercal.simulation.fast._gflash import gflash_applies, gflash_shower
from showercal.simulation.fast._hadrons import transport_hadron
from showercal.simulation.fast._medium import slab_of
from showercal.simulation.fast._muon_transport import transport_muon
from showercal.simulation.fast._photons import annihilate_at_rest, transport_photon
from showercal.simulation.fast._random import seed_state
from showercal.simulation.fast._replay import LIBRARY_HIGHEST, LIBRARY_LOWEST, replay
from showercal.simulation.fast._stack import ELECTRON, MUON_PLUS, PHOTON, POSITRON, push

_SLOW_MUON: Final = 10_000.0  # [MeV]; slower ones in hadron showers hardly radiate, but decay and are captured
_ELECTRONS_REPLAYED: Final = 0.5  # [MeV]; slower ones stop within a step or two

FloatArray = NDArray[np.float64]


class World(NamedTuple):
    """All that showers are made of: records of the geometry and of the tables of its materials.

    ``hadrons`` is None where no hadrons come: what they do is then not even compiled.
    """

    medium: Any
    em: Any
    gflash: Any
    library: Any
    ionisation: Any
    muons: Any
    frozen: Any
    hadrons: Any = None


class Block(NamedTuple):
    """What a range of events left: a flat list of N cells of B events.

    Attributes:
        event: Which event of the block, shape (N,).
        cell: Cell number, shape (N,).
        energy: Seen energy, shape (N,), [MeV].
        tracks: Distinct charged tracks, shape (N,).
        sums: Where the energy of each event went, shape (B, N_SUMS), [MeV].
    """

    event: NDArray[np.int64]
    cell: NDArray[np.int64]
    energy: FloatArray
    tracks: NDArray[np.int64]
    sums: FloatArray


@compiled
def shower(world, hadrons, cells, stack, rng):
    """Follow everything on the stack until it is empty; ``hadrons`` are those of the world, or None."""
    medium = world.medium
    track = 0
    while stack.size > 0:
        stack.size -= 1
        n = stack.size
        kind, energy, time = int(stack.values[n, 0]), stack.values[n, 1], stack.values[n, 8]
        x, y, z = stack.values[n, 2], stack.values[n, 3], stack.values[n, 4]
        ux, uy, uz = stack.values[n, 5], stack.values[n, 6], stack.values[n, 7]
        if world.frozen.is_on and kind <= PHOTON and LOWEST <= energy < HIGHEST:
            replay_frozen(medium, world.frozen, cells, rng, kind, energy, x, y, z, ux, uy, uz, time)
            continue
        slab = slab_of(medium, z)
        track += 1
        if (
            world.library.is_on
            and kind <= PHOTON
            and LIBRARY_LOWEST <= energy < LIBRARY_HIGHEST
            and (kind == PHOTON or energy > _ELECTRONS_REPLAYED)
        ):
            if kind == POSITRON:
                annihilate_at_rest(stack, rng, x, y, z, time)
                kind = ELECTRON
            track = replay(medium, world.library, cells, rng, slab, kind, energy, x, y, z, ux, uy, uz, time, track)
        elif kind == PHOTON:
            transport_photon(medium, world.em, cells, stack, rng, slab, energy, x, y, z, ux, uy, uz, time)
        elif kind <= POSITRON and gflash_applies(medium, world.gflash, energy, z, uz):
            gflash_shower(medium, world.gflash, cells, rng, energy, x, y, z, ux, uy, uz, time)
        elif kind <= POSITRON:
            transport_electron(
                medium, world.em, cells, stack, rng, slab, kind, energy, x, y, z, ux, uy, uz, time, track
            )
        elif kind <= MUON_PLUS and (hadrons is None or energy > _SLOW_MUON):
            transport_muon(world, cells, stack, rng, slab, kind, energy, x, y, z, ux, uy, uz, time, track)
        elif hadrons is not None:
            transport_hadron(medium, hadrons, cells, stack, rng, slab, kind, energy, x, y, z, ux, uy, uz, time, track)


@compiled
def simulate_block(world, cells, stack, particles, offsets, seeds):
    """Showers of B events.

    Args:
        world: Geometry and tables.
        cells: Work space of this thread, empty.
        stack: Work space of this thread, empty.
        particles: Rows of `Stack.values`, all events one after another, shape (P, 9).
        offsets: Where the particles of each event begin and end, shape (B + 1,).
        seeds: Of the events, shape (B,).

    Returns:
        The arrays of a `Block`.

    Raises:
        OverflowError: If an event has more particles than the stack can hold.
    """
    n_events = len(seeds)
    rng = np.empty(4, np.uint64)
    capacity, used = 1024, 0
    event, cell = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
    energy, tracks = np.empty(capacity), np.empty(capacity, np.int64)
    sums = np.empty((n_events, N_SUMS))
    for b in range(n_events):
        seed_state(rng, seeds[b])
        for p in range(offsets[b], offsets[b + 1]):
            row = particles[p]
            push(stack, row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8])
        shower(world, world.hadrons, cells, stack, rng)
        touched = first_touched(cells)
        while touched >= 0:
            if used == capacity:
                capacity *= 2
                event, cell = _grown(event, capacity), _grown(cell, capacity)
                energy, tracks = _grown(energy, capacity), _grown(tracks, capacity)
            event[used], cell[used] = b, touched
            energy[used], tracks[used] = cells.data[touched].energy, cells.data[touched].tracks
            used += 1
            touched = cells.data[touched].previous
        sums[b] = cells.sums
        clear(cells)
    return event[:used], cell[:used], energy[:used], tracks[:used], sums


@compiled
def _grown(values, capacity):
    grown = np.empty(capacity, values.dtype)
    grown[: len(values)] = values
    return grown
