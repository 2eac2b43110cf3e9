"""A library of small showers in a layered calorimeter, made by the cascade itself and replayed in its place.

Half of a shower's particles are below a few MeV, and most leave nothing that is seen. Instead of following each, a
shower of the library that began in the same place of the same slab, with about its energy and direction, is put down,
turned about the axis. The library is made for one geometry when the simulator starts, by the same code that would
follow the particles: it has no constants of physics.

References:
    E. Barberio et al., J. Phys. Conf. Ser. 160 (2009) 012082 (frozen showers in ATLAS).
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter
from showercal.simulation.fast._cells import ACTIVE, LEAK_BACK, LEAK_FRONT, N_SUMS, NO_TRACK, clear, new_cells
from showercal.simulation.fast._compiled import compiled
from showercal.simulation.fast._engine import World, shower
from showercal.simulation.fast._medium import build_medium
from showercal.simulation.fast._random import seed_state
from showercal.simulation.fast._records import new_record
from showercal.simulation.fast._replay import (
    COSINE_EDGES,
    FACE_EDGES,
    FIRST_LEANT,
    HIT,
    LIBRARY,
    LIBRARY_LOWEST,
    MAX_CLASSES,
    N_COSINES,
    N_ENERGIES,
    N_PLACES,
    PER_STRATUM,
)
from showercal.simulation.fast._stack import ELECTRON, PHOTON, new_stack

_WIDTH: Final = 4000.0  # of the calorimeter in the library, [mm]: nothing leaves at its sides
_SEED: Final = 20250711
# How many showers begin in a slab, of one kind and bin of energy: (along the axis, in each other bin of the cosine),
# below and above _LONG. Most of the energy flows along the axis: there the chance of the library would show in events.
_SHORT_SHOWERS: Final = (1500, 300)
_LONG_SHOWERS: Final = (3200, 80)
_LONG: Final = 16.0  # [MeV]
_LEAST: Final = 8  # in a bin
_DEEP: Final = 22.0  # [X0], behind which ...
_DEEP_SHARE: Final = 0.25  # ... this share is enough
_SHOWERS_PER_CALL: Final = 20_000


def build_library(calorimeter: BoxCalorimeter, world: World, threads: int) -> Any:
    """Make the library of a calorimeter, a record of layout `LIBRARY`.

    Args:
        calorimeter: Layered.
        world: Its geometry and tables.
        threads: At once.
    """
    library = new_record(LIBRARY)
    wide = replace(calorimeter, n_x=1, n_y=1, cell_x=_WIDTH, cell_y=_WIDTH)
    medium = build_medium(wide, birks=float(world.medium.birks))
    medium.stop_range = world.medium.stop_range
    boundless = world._replace(medium=medium, library=new_record(LIBRARY))
    classes, slabs = _slab_classes(medium)
    if len(slabs) > MAX_CLASSES:
        return library  # so irregular a calorimeter is simulated particle by particle
    library.slab_class[: medium.n_slabs] = classes
    library.base_layer[: medium.n_slabs] = np.maximum.accumulate(medium.layer[: medium.n_slabs])
    depth = np.concatenate([[0.0], calorimeter.depth_in_radiation_lengths()])[library.base_layer[: medium.n_slabs]]
    weight = np.where(depth < _DEEP, 1.0, _DEEP_SHARE)
    particles = _particles(medium, library, slabs, weight)
    starts = np.searchsorted(medium.z_low[: medium.n_slabs], particles[:, 4], side="right") - 1
    own_layer = library.base_layer[starts]
    seeds = np.random.SeedSequence(_SEED).generate_state(len(particles), np.uint64)
    items = library.shower[: len(particles)]
    items["energy"] = particles[:, 1]
    leant = particles[:, 7] >= COSINE_EDGES[FIRST_LEANT]
    items["slope"] = np.where(leant, particles[:, 5] / np.where(leant, particles[:, 7], 1.0), 0.0)
    ends = [*range(0, len(particles), _SHOWERS_PER_CALL), len(particles)]

    def make(first: int, last: int) -> tuple[Any, ...]:
        made: tuple[Any, ...] = _record(
            boundless, new_cells(1, record_pieces=True), new_stack(), particles[first:last], seeds[first:last]
        )
        return made

    n_hits = 0
    with ThreadPoolExecutor(threads) as pool:
        for first, last, made in zip(ends[:-1], ends[1:], pool.map(make, ends[:-1], ends[1:]), strict=True):
            hits, counts, sums = made
            hits["layer"] -= np.repeat(own_layer[first:last], counts).astype(np.int16)
            library.hit[n_hits : n_hits + len(hits)] = hits
            items["first_hit"][first:last] = n_hits + np.cumsum(counts) - counts
            items["n_hits"][first:last] = counts
            for name, place in (("active", ACTIVE), ("front", LEAK_FRONT), ("back", LEAK_BACK)):
                items[name][first:last] = sums[:, place]
            n_hits += len(hits)
    library.is_on = 1
    return library


@compiled
def _record(world, cells, stack, particles, seeds):
    """Showers of single particles: (hits of all, how many of each, sums of each)."""
    hits = np.empty(_SHOWERS_PER_CALL, HIT)
    counts = np.zeros(len(seeds), np.int64)
    sums = np.empty((len(seeds), N_SUMS))
    rng, n = np.empty(4, np.uint64), 0
    for k in range(len(seeds)):
        seed_state(rng, seeds[k])
        stack.values[0, :] = particles[k]
        stack.size = 1
        shower(world, None, cells, stack, rng)
        pieces = cells.pieces
        if n + pieces.size > len(hits):
            grown = np.empty(2 * (n + pieces.size), HIT)
            grown[:n] = hits[:n]
            hits = grown
        for p in range(pieces.size):
            hits[n].x0, hits[n].y0 = pieces.place[p, 0], pieces.place[p, 1]
            hits[n].x1, hits[n].y1 = pieces.place[p, 2], pieces.place[p, 3]
            hits[n].seen, hits[n].layer = pieces.seen[p], pieces.layer[p]
            hits[n].is_track = 1 if pieces.track[p] != NO_TRACK else 0
            n += 1
        counts[k] = pieces.size
        sums[k] = cells.sums
        clear(cells)
    return hits[:n], counts, sums


def _slab_classes(medium: Any) -> tuple[NDArray[np.int64], list[int]]:
    """(class of each slab, one slab of each class): slabs of a class are equal, and so are two to either side."""
    n = medium.n_slabs
    kinds = [
        (int(medium.material[s]), float(np.round(medium.z_high[s] - medium.z_low[s], 6)), bool(medium.layer[s] >= 0))
        for s in range(n)
    ]
    around = [tuple(kinds[k] if 0 <= k < n else None for k in range(s - 2, s + 3)) for s in range(n)]
    classes = {key: number for number, key in enumerate(dict.fromkeys(around))}
    members = np.array([classes[key] for key in around])
    return members, [int(np.flatnonzero(members == number)[0]) for number in range(len(classes))]


def _particles(medium: Any, library: Any, slabs: list[int], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Particles that fill all bins evenly, flat in place, cosine and energy. Sets where the bins begin."""
    random = np.random.default_rng(_SEED)
    rows, n = [], 0
    edges = np.array([0.0, *FACE_EDGES])
    for which, kind in enumerate((ELECTRON, PHOTON)):
        for number, slab in enumerate(slabs):
            thickness = medium.z_high[slab] - medium.z_low[slab]
            for place in range(N_PLACES):
                side, k = divmod(place, len(edges))
                near = edges[k]
                far = min(edges[k + 1] if k + 1 < len(edges) else np.inf, thickness / 2)
                if near >= thickness / 2:
                    continue
                for cosine in range(N_COSINES):
                    for e in range(N_ENERGIES):
                        low = LIBRARY_LOWEST * 2.0 ** (e // 2) * (1.5 if e % 2 else 1.0)
                        asked = (_SHORT_SHOWERS if low < _LONG else _LONG_SHOWERS)[cosine < N_COSINES - 1]
                        share = weight[slab] * (far - near) / thickness
                        count = PER_STRATUM * math.ceil(max(asked * share, _LEAST) / PER_STRATUM)
                        library.first[which, number, place, cosine, e] = n
                        library.count[which, number, place, cosine, e] = count
                        n += count
                        high = low * (4 / 3 if e % 2 else 1.5)
                        row = np.zeros((count, 9))
                        row[:, 0] = kind
                        strata = np.arange(count) // PER_STRATUM
                        row[:, 1] = low + (high - low) * (strata + random.uniform(size=count)) * PER_STRATUM / count
                        distance = random.uniform(near, far, count)
                        row[:, 4] = medium.z_high[slab] - distance if side else medium.z_low[slab] + distance
                        row[:, 7] = random.uniform(COSINE_EDGES[cosine], COSINE_EDGES[cosine + 1], count)
                        row[:, 5] = np.sqrt(1 - row[:, 7] ** 2)
                        rows.append(row)
    return np.concatenate(rows)
