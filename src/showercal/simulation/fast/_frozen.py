"""Frozen showers: in a block of one material, small electromagnetic showers are drawn from a library and replayed.

The library holds showers that the simulator itself made, particle by particle, in a large block of the material: it
adds no constant of its own. Particles above its highest energy are followed as anywhere else, and what they make below
is replayed, which is thirty times faster and has the fluctuations and shapes of full showers. Without a magnetic field
showers are turned about their axis at random. With one, the library holds showers along +z; another direction turns
them together with their field, which is right for what flies nearly along z and hardly matters for the few MeV that do
not.

References:
    E. Barberio et al., "Fast shower simulation in the ATLAS calorimeter", J. Phys. Conf. Ser. 119 (2008) 032008.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from showercal.detectors import BoxCalorimeter, Layer
from showercal.simulation.fast._cells import LEAK_BACK, LEAK_FRONT, LEAK_SIDE, NO_TRACK, deposit_point, new_cells
from showercal.simulation.fast._compiled import compiled
from showercal.simulation.fast._ionisation import ELECTRON_MASS
from showercal.simulation.fast._medium import build_medium, slab_of
from showercal.simulation.fast._random import azimuth, uniform
from showercal.simulation.fast._records import new_record
from showercal.simulation.fast._stack import ELECTRON, PHOTON, POSITRON, new_stack

LOWEST: Final = 1.5  # kinetic energy where the library begins, [MeV]
_RATIO: Final = 1.7  # of neighbouring energies
_N_ENERGIES: Final = 13  # up to 900 MeV
ENERGIES: Final = LOWEST * _RATIO ** np.arange(_N_ENERGIES)
HIGHEST: Final = float(ENERGIES[-1])
_PER_LOGARITHM: Final = 1 / math.log(_RATIO)
_ENERGY_PER_BIN: Final = 15_000.0  # all showers of one energy together, [MeV]
_MOST_SHOWERS: Final = 1000  # of one energy
_KINDS: Final = (ELECTRON, PHOTON)
_FINE: Final = 4  # hits of the library lie in cells this much smaller than the calorimeter's, at most ...
_FINE_WIDTH: Final = 0.1  # [Moliere radii] ...
_FINE_DEPTH: Final = 0.5  # ... and this deep, [X0]
_BEHIND, _AHEAD, _ASIDE = 4.0, 28.0, 6.0  # room about the start: back and ahead [X0], to the sides [Moliere radii]
_MAX_SHOWERS: Final = 1 << 15
_MAX_HITS: Final = 1 << 21

FROZEN: Final = np.dtype(
    [
        ("is_on", np.int8),
        ("count", np.int64, (2, _N_ENERGIES)),  # showers of electrons and photons by energy
        ("first", np.int64, (2, _N_ENERGIES)),  # the first of them
        ("hits", np.int64, _MAX_SHOWERS + 1),  # the first hit of each shower
        ("hit", np.float32, (_MAX_HITS, 4)),  # across [mm], along the direction [mm], share of the energy
        ("has_field", np.int8),
        ("width_x", np.float64),  # size of the cells of the library, [mm]
        ("width_y", np.float64),
        ("width_z", np.float64),
    ],
    align=True,
)


def is_one_block(calorimeter: BoxCalorimeter) -> bool:
    """Whether a calorimeter is one material from front to back, so that a shower does not see where it is."""
    names = {name for layer in calorimeter.layers for name in (layer.active, layer.absorber) if name is not None}
    return len(names) == 1 and all(layer.absorber is None for layer in calorimeter.layers)


def build_frozen(calorimeter: BoxCalorimeter, world: Any, simulate: Callable[..., Any]) -> Any:
    """The library of a block, a record of layout `FROZEN`.

    Args:
        calorimeter: A block of one material.
        world: The engine's world of the block, without frozen showers.
        simulate: The engine's loop over events, which makes the showers.
    """
    frozen = new_record(FROZEN)
    block = _fine_block(calorimeter)
    medium = build_medium(block)
    medium.stop_range = world.medium.stop_range
    world = world._replace(medium=medium)
    cells, stack = new_cells(block.n_cells), new_stack()
    start = _BEHIND * block.material(block.layers[0].active).radiation_length
    rng = np.random.default_rng(1)
    showers = hits = 0
    for t, kind in enumerate(_KINDS):
        for k, energy in enumerate(ENERGIES):
            n = min(_MOST_SHOWERS, math.ceil(_ENERGY_PER_BIN / energy))
            particles = np.zeros((n, 9))
            particles[:, 0], particles[:, 1], particles[:, 4], particles[:, 7] = kind, energy, start, 1.0
            particles[:, 2] = rng.uniform(-0.5, 0.5, n) * block.cell_x
            particles[:, 3] = rng.uniform(-0.5, 0.5, n) * block.cell_y
            seeds = rng.integers(1 << 63, size=n, dtype=np.uint64)
            event, cell, deposit = simulate(world, cells, stack, particles, np.arange(n + 1), seeds)[:3]
            end = hits + len(event)
            position = block.cell_position(cell)
            frozen.hit[hits:end, 0] = position[:, 0] - particles[event, 2]
            frozen.hit[hits:end, 1] = position[:, 1] - particles[event, 3]
            frozen.hit[hits:end, 2] = position[:, 2] - start
            frozen.hit[hits:end, 3] = deposit / energy
            frozen.count[t, k], frozen.first[t, k] = n, showers
            frozen.hits[showers : showers + n + 1] = hits + np.searchsorted(event, np.arange(n + 1))
            showers, hits = showers + n, end
    frozen.width_x, frozen.width_y, frozen.width_z = block.cell_x, block.cell_y, block.layers[0].active_thickness
    frozen.has_field, frozen.is_on = medium.has_field, 1
    return frozen


def _fine_block(calorimeter: BoxCalorimeter) -> BoxCalorimeter:
    """A block of the material with room for the largest shower of the library, finely cut."""
    name = calorimeter.layers[0].active
    material = calorimeter.material(name)
    x0, aside = material.radiation_length, _ASIDE * material.moliere_radius
    widest = _FINE_WIDTH * material.moliere_radius
    cell_x, cell_y = min(calorimeter.cell_x / _FINE, widest), min(calorimeter.cell_y / _FINE, widest)
    layers = tuple(Layer(name, _FINE_DEPTH * x0) for _ in range(math.ceil((_BEHIND + _AHEAD) / _FINE_DEPTH)))
    n_x, n_y = 2 * math.ceil(aside / cell_x), 2 * math.ceil(aside / cell_y)
    return BoxCalorimeter("frozen", layers, n_x, n_y, cell_x, cell_y, calorimeter.magnetic_field, {name: material})


@compiled
def replay_frozen(medium, frozen, cells, rng, kind, energy, x, y, z, ux, uy, uz, time):
    """Lay a shower of the library along the direction of an electron, positron or photon of LOWEST to HIGHEST.

    Of the two energies of the library about its own, one by chance, nearer ones more often; deposits are scaled.
    """
    t = 1 if kind == PHOTON else 0
    scale = energy + 2.0 * ELECTRON_MASS if kind == POSITRON else energy
    k = int(_PER_LOGARITHM * math.log(energy / LOWEST) + uniform(rng))
    k = min(max(k, 0), _N_ENERGIES - 1)
    shower = frozen.first[t, k] + int(uniform(rng) * frozen.count[t, k])
    # x and y of the library, turned as +z turns into the direction by the shortest way
    if uz > -0.999:
        p, q = ux / (1.0 + uz), uy / (1.0 + uz)
        ax, ay, az = 1.0 - ux * p, -uy * p, -ux
        bx, by, bz = -ux * q, 1.0 - uy * q, -uy
    else:
        ax, ay, az, bx, by, bz = 1.0, 0.0, 0.0, 0.0, -1.0, 0.0
    if not frozen.has_field:
        c, s = azimuth(rng)
    else:
        # a positron bends as an electron that is turned by half a circle about its direction
        c, s = (-1.0 if kind == POSITRON else 1.0), 0.0
    inside = 0.0
    for h in range(frozen.hits[shower], frozen.hits[shower + 1]):
        hx = frozen.hit[h, 0] + (uniform(rng) - 0.5) * frozen.width_x
        hy = frozen.hit[h, 1] + (uniform(rng) - 0.5) * frozen.width_y
        a, b = c * hx - s * hy, s * hx + c * hy
        d = frozen.hit[h, 2] + (uniform(rng) - 0.5) * frozen.width_z
        share = scale * frozen.hit[h, 3]
        inside += share
        hx, hy, hz = x + a * ax + b * bx + d * ux, y + a * ay + b * by + d * uy, z + a * az + b * bz + d * uz
        if hz < 0.0:
            cells.sums[LEAK_FRONT] += share
        elif hz >= medium.depth:
            cells.sums[LEAK_BACK] += share
        elif abs(hx) > medium.half_x or abs(hy) > medium.half_y:
            cells.sums[LEAK_SIDE] += share
        else:
            deposit_point(medium, cells, slab_of(medium, hz), hx, hy, share, NO_TRACK, time)
    cells.sums[LEAK_SIDE] += scale - inside
