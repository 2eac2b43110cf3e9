"""Small showers from a library, put down in place of being followed."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from showercal.simulation.fast._cells import ABSORBER, ACTIVE, LEAK_BACK, LEAK_FRONT, LEAK_SIDE, NO_TRACK, spread
from showercal.simulation.fast._compiled import compiled, inlined
from showercal.simulation.fast._medium import MAX_SLABS
from showercal.simulation.fast._random import azimuth, uniform
from showercal.simulation.fast._stack import ELECTRON

# Energies: two steps an octave, from 2^-5 MeV.
FIRST_OCTAVE: Final = -5
N_ENERGIES: Final = 25
LIBRARY_LOWEST: Final = 2.0**FIRST_OCTAVE
LIBRARY_HIGHEST: Final = 1.5 * 2.0 ** (FIRST_OCTAVE + N_ENERGIES // 2)
_BIAS: Final = (1023 + FIRST_OCTAVE) * 2

# Distance to the nearer face of the slab, [mm]; the front and the back half have bins of their own.
FACE_EDGES: Final = (0.3, 1.0, 2.5, 6.0, 12.0)
N_PLACES: Final = 2 * (len(FACE_EDGES) + 1)
COSINE_EDGES: Final = (-1.0, -0.4, 0.2, 0.6, 0.85, 0.97, 1.0)
N_COSINES: Final = len(COSINE_EDGES) - 1
FIRST_LEANT: Final = 3  # bins of the cosine from here on are leant: above 0.6

MAX_CLASSES: Final = 64
PER_STRATUM: Final = 4
_MAX_ITEMS: Final = 1 << 22
_MAX_HITS: Final = 1 << 23

# A piece of a track in an active layer: from the start, the particle flying towards +x.
HIT: Final = np.dtype(
    [
        ("x0", np.float32),
        ("y0", np.float32),
        ("x1", np.float32),
        ("y1", np.float32),
        ("seen", np.float32),
        ("layer", np.int16),
        ("is_track", np.int16),
    ],
    align=True,
)

# A shower: its particle, where its hits begin and how many there are, and what of its energy did not end in absorbers.
ITEM: Final = np.dtype(
    [
        ("energy", np.float32),  # [MeV]
        ("slope", np.float32),  # of the particle's way to the axis, 0 where it is not followed
        ("first_hit", np.int32),
        ("n_hits", np.int32),
        ("active", np.float32),  # [MeV]
        ("front", np.float32),
        ("back", np.float32),
    ],
    align=True,
)

LIBRARY: Final = np.dtype(
    [
        ("is_on", np.int64),
        # slabs with the same surroundings are one class; layers of hits count from the slab's own
        ("slab_class", np.int64, MAX_SLABS),
        ("base_layer", np.int64, MAX_SLABS),
        # by kind (electron, photon), class, place, cosine, energy: the first shower of the bin and how many there are
        ("first", np.int32, (2, MAX_CLASSES, N_PLACES, N_COSINES, N_ENERGIES)),
        ("count", np.int32, (2, MAX_CLASSES, N_PLACES, N_COSINES, N_ENERGIES)),
        ("shower", ITEM, _MAX_ITEMS),
        ("hit", HIT, _MAX_HITS),
    ],
    align=True,
)


@inlined
def energy_bin(energy):
    """Bin of an energy between LIBRARY_LOWEST and LIBRARY_HIGHEST, from the exponent and first bit of the mantissa."""
    return (np.float64(energy).view(np.int64) >> 51) - _BIAS


@inlined
def place_bin(medium, slab, z):
    """Bin of a depth within its slab."""
    front, back = z - medium.z_low[slab], medium.z_high[slab] - z
    distance = min(front, back)
    k = 0
    while k < len(FACE_EDGES) and distance >= FACE_EDGES[k]:
        k += 1
    return k if front < back else k + len(FACE_EDGES) + 1


@inlined
def cosine_bin(uz):
    """Bin of the cosine to the axis."""
    k = 0
    while k < N_COSINES - 1 and uz >= COSINE_EDGES[k + 1]:
        k += 1
    return k


@compiled
def replay(medium, library, cells, rng, slab, kind, energy, x, y, z, ux, uy, uz, time, track):
    """Put down a shower of the library for an electron or photon between LIBRARY_LOWEST and LIBRARY_HIGHEST.

    The shower is one of those of nearly the same energy; its energies are scaled to the particle's.

    Returns:
        The number of the last track that it made; the first has the number after ``track``.
    """
    k = energy_bin(energy)
    which = 0 if kind == ELECTRON else 1
    cosine = cosine_bin(uz)
    number, place = library.slab_class[slab], place_bin(medium, slab, z)
    # the energy within its bin picks a stratum, chance one of the showers in it
    bits = np.float64(energy).view(np.int64)
    within = (bits & ((1 << 51) - 1)) / (1 << 51)
    n_strata = library.count[which, number, place, cosine, k] // PER_STRATUM
    first = library.first[which, number, place, cosine, k]
    item = first + int(within * n_strata) * PER_STRATUM + int(uniform(rng) * PER_STRATUM)
    start = library.shower[item]
    scale = energy / start.energy
    active, front, back = scale * start.active, scale * start.front, scale * start.back
    cells.sums[ACTIVE] += active
    cells.sums[LEAK_FRONT] += front
    cells.sums[LEAK_BACK] += back
    cells.sums[ABSORBER] += energy - active - front - back
    begin = start.first_hit
    end = begin + start.n_hits
    if begin == end or time > medium.time_cut:
        return track
    base = library.base_layer[slab]
    across = math.sqrt(ux * ux + uy * uy)
    if across > 1e-6:
        c, s = ux / across, uy / across
    else:
        c, s = azimuth(rng)
    # a shower of a forward bin is leant to the particle's own way
    lean = across / uz - start.slope if cosine >= FIRST_LEANT else 0.0
    mirror = 1.0 if uniform(rng) < 0.5 else -1.0
    for n in range(begin, end):
        seen = scale * library.hit[n].seen
        layer = base + library.hit[n].layer
        # the shower was made in a slab of the same surroundings, which may have more layers further on
        if layer < 0 or layer >= medium.n_layers:
            cells.sums[ACTIVE] -= seen
            cells.sums[LEAK_FRONT if layer < 0 else LEAK_BACK] += seen
            continue
        shift = lean * (medium.layer_z[layer] - z)
        dx, dy = library.hit[n].x0 + shift, mirror * library.hit[n].y0
        x0, y0 = x + c * dx - s * dy, y + s * dx + c * dy
        if abs(x0) > medium.half_x or abs(y0) > medium.half_y:
            cells.sums[ACTIVE] -= seen
            cells.sums[LEAK_SIDE] += seen
            continue
        dx, dy = library.hit[n].x1 + shift, mirror * library.hit[n].y1
        x1, y1 = x + c * dx - s * dy, y + s * dx + c * dy
        number = NO_TRACK
        if library.hit[n].is_track:
            track += 1
            number = track
        spread(medium, cells, layer, x0, y0, x1, y1, seen, number)
    return track
