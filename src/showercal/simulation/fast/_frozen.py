"""Frozen showers: in a block of one material, small electromagnetic showers are drawn from a library and replayed.

The library holds showers that the simulator itself made, particle by particle, in a large block of the material: it
adds no constant of its own. Particles above its highest energy are followed as anywhere else, and what they make below
is replayed, which is forty times faster and has the fluctuations and shapes of full showers.

A shower that is drawn is turned about its axis at random. With a field across the axis, which showers along +z then
have, it is mirrored at random: in the plane across the field, which is an exact symmetry, and together with an exchange
of electrons and positrons in the plane along it. Another direction turns a shower together with its field, which is
right for what flies nearly along z and hardly matters for the few MeV that do not.

References:
    E. Barberio et al., "Fast shower simulation in the ATLAS calorimeter", J. Phys. Conf. Ser. 119 (2008) 032008.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter, Layer
from showercal.simulation.fast._cells import LEAK_BACK, LEAK_FRONT, LEAK_SIDE, NO_TRACK, deposit_point, new_cells
from showercal.simulation.fast._compiled import compiled
from showercal.simulation.fast._constants import ELECTRON_MASS
from showercal.simulation.fast._medium import build_medium, slab_of
from showercal.simulation.fast._random import azimuth, uniform
from showercal.simulation.fast._records import new_record
from showercal.simulation.fast._stack import ELECTRON, PHOTON, POSITRON, new_stack

LOWEST: Final = 1.5  # kinetic energies of the library, [MeV]
HIGHEST: Final = 900.0
_MOST_SHOWERS: Final = 2000.0  # begin per e-fold of the energy ...
_ENERGY_PER_FOLD: Final = 300_000.0  # ... as long as their energy is not above this, [MeV]: up to ...
_KINK: Final = _ENERGY_PER_FOLD / _MOST_SHOWERS  # ... here; beyond, they become fewer as their energy rises
_AT_KINK: Final = _MOST_SHOWERS * math.log(_KINK / LOWEST)  # showers of a kind up to there, ...
_N_SHOWERS: Final = int(_AT_KINK + _MOST_SHOWERS * (1.0 - _KINK / HIGHEST))  # ... and of all energies
_NEIGHBOURS: Final = 24  # a shower is drawn from so many that are nearest in energy
_N_KINDS: Final = 3  # electron, positron, photon: the first of the stack
_ALIKE: Final = 20.0  # [MeV]; above, positrons shower as electrons that bend the other way
_FINE_WIDTH: Final = 0.025  # hits of the library lie in cells so wide, [Moliere radii] ...
_FINE_DEPTH: Final = 0.25  # ... and so deep, [X0]; ...
_FEWEST: Final = 4  # ... of which a cell of the calorimeter must be so many wide and deep
_BEHIND, _AHEAD, _ASIDE = 3.0, 22.0, 6.0  # room about the start: back and ahead [X0], to the sides [Moliere radii]
_SHOWERS_PER_CALL: Final = 500
_MOST_THREADS: Final = 2  # each needs half a gigabyte
_SEED: Final = 20261128
_MAX_HITS: Final = 1 << 23

FROZEN: Final = np.dtype(
    [
        ("is_on", np.int8),
        # the first hit of each shower, by kind and rising energy; positrons end at _ALIKE
        ("hits", np.int64, (_N_KINDS, _N_SHOWERS + 1)),
        ("hit", np.float32, (_MAX_HITS, 4)),  # across [mm], along the direction [mm], share of the energy
        ("field_x", np.float64),  # direction of a field across the axis, 0 where there is none
        ("field_y", np.float64),
    ],
    align=True,
)


def suits_frozen(calorimeter: BoxCalorimeter) -> bool:
    """Whether showers can be replayed: one material from front to back, in cells that are large against the hits.

    A field must be along or across the axis.
    """
    if calorimeter.magnetic_field[2] and any(calorimeter.magnetic_field[:2]):
        return False
    names = {name for layer in calorimeter.layers for name in (layer.active, layer.absorber) if name is not None}
    if len(names) != 1 or any(layer.absorber is not None for layer in calorimeter.layers):
        return False
    fine = _fine_block(calorimeter)
    depth = min(layer.active_thickness for layer in calorimeter.layers)
    return (
        min(calorimeter.cell_x, calorimeter.cell_y) >= _FEWEST * fine.cell_x
        and depth >= _FEWEST * fine.layers[0].active_thickness
    )


def build_frozen(calorimeter: BoxCalorimeter, world: Any, simulate: Callable[..., Any], threads: int) -> Any:
    """The library of a calorimeter that it suits, a record of layout `FROZEN`.

    Args:
        calorimeter: A block of one material.
        world: The engine's world of the block, without frozen showers.
        simulate: The engine's loop over events, which makes the showers.
        threads: At once, a few at most: each has a block of its own.
    """
    frozen = new_record(FROZEN)
    block = _fine_block(calorimeter)
    medium = build_medium(block)
    medium.stop_range = world.medium.stop_range
    world = world._replace(medium=medium)
    start = _BEHIND * block.material(block.layers[0].active).radiation_length
    size = block.cell_x, block.cell_y, block.layers[0].active_thickness
    energies = _library_energies()
    rng = np.random.default_rng(_SEED)
    jobs = []
    for kind in range(_N_KINDS):
        n = int(_showers_below(_ALIKE)) + _NEIGHBOURS if kind == POSITRON else len(energies)
        for first in range(0, n, _SHOWERS_PER_CALL):
            energy = energies[first : min(first + _SHOWERS_PER_CALL, n)]
            # from anywhere in a cell, so that the middles of the cells about it have no pattern
            particles = np.zeros((len(energy), 9))
            particles[:, 0], particles[:, 1], particles[:, 7] = kind, energy, 1.0
            particles[:, 2:5] = rng.uniform(-0.5, 0.5, (len(energy), 3)) * size + (0.0, 0.0, start)
            jobs.append((kind, first, particles, rng.integers(1 << 63, size=len(energy), dtype=np.uint64)))
    space = threading.local()

    def make(job: tuple[int, int, NDArray[np.float64], NDArray[np.uint64]]) -> tuple[NDArray[Any], NDArray[Any]]:
        if not hasattr(space, "cells"):
            space.cells, space.stack = new_cells(block.n_cells), new_stack()
        kind, _, particles, seeds = job
        offsets = np.arange(len(seeds) + 1)
        event, cell, deposit = simulate(world, space.cells, space.stack, particles, offsets, seeds)[:3]
        hits = np.empty((len(event), 4), np.float32)
        hits[:, :3] = block.cell_position(cell) - particles[event, 2:5]
        hits[:, 3] = deposit / _available(kind, particles[event, 1])
        return hits, np.searchsorted(event, offsets)

    n_hits = 0
    with ThreadPoolExecutor(min(threads, _MOST_THREADS)) as pool:
        for (kind, first, _, _), (hits, begins) in zip(jobs, pool.map(make, jobs), strict=True):
            end = n_hits + len(hits)
            if end > _MAX_HITS:
                raise OverflowError("the showers of the library have more hits than it can hold")
            frozen.hit[n_hits:end] = hits
            frozen.hits[kind, first : first + len(begins)] = n_hits + begins
            n_hits = end
    field = np.array(calorimeter.magnetic_field[:2])
    if field.any():
        frozen.field_x, frozen.field_y = field / np.hypot(*field)
    frozen.is_on = 1
    return frozen


def _library_energies() -> NDArray[np.float64]:
    """Energies of the showers of a kind, rising: `_showers_below` turned round, shape (_N_SHOWERS,)."""
    number = np.arange(_N_SHOWERS) + 0.5
    below = LOWEST * np.exp(number / _MOST_SHOWERS)
    above = _KINK / np.maximum(1.0 - (number - _AT_KINK) / _MOST_SHOWERS, _KINK / HIGHEST)
    return np.asarray(np.where(number < _AT_KINK, below, above))


@compiled
def _showers_below(energy):
    """How many showers of a kind have less energy: as many per e-fold up to the kink, then with the same energy."""
    if energy < _KINK:
        return _MOST_SHOWERS * math.log(energy / LOWEST)
    return _AT_KINK + _MOST_SHOWERS * (1.0 - _KINK / energy)


@compiled
def _available(kind, energy):
    """What a particle can deposit: a positron also its mass and that of an electron, [MeV]."""
    return energy + 2.0 * ELECTRON_MASS if kind == POSITRON else energy


def _fine_block(calorimeter: BoxCalorimeter) -> BoxCalorimeter:
    """A block of the material with room for the largest shower of the library, finely cut."""
    name = calorimeter.layers[0].active
    material = calorimeter.material(name)
    width, depth = _FINE_WIDTH * material.moliere_radius, _FINE_DEPTH * material.radiation_length
    layers = tuple(Layer(name, depth) for _ in range(math.ceil((_BEHIND + _AHEAD) / _FINE_DEPTH)))
    n = 2 * math.ceil(_ASIDE / _FINE_WIDTH)
    return BoxCalorimeter("frozen", layers, n, n, width, width, calorimeter.magnetic_field, {name: material})


@compiled
def replay_frozen(medium, frozen, cells, rng, kind, energy, x, y, z, ux, uy, uz, time):
    """Lay a shower of the library along the direction of an electron, positron or photon of LOWEST to HIGHEST.

    It is one of those of nearly the same energy, whose deposits are scaled.
    """
    scale = _available(kind, energy)
    shower = int(_showers_below(energy) + _NEIGHBOURS * (uniform(rng) - 0.5))
    shower = min(max(shower, 0), _N_SHOWERS - 1)
    # x and y of the library, turned as +z turns into the direction by the shortest way
    if uz > -0.999:
        p, q = ux / (1.0 + uz), uy / (1.0 + uz)
        ax, ay, az = 1.0 - ux * p, -uy * p, -ux
        bx, by, bz = -ux * q, 1.0 - uy * q, -uy
    else:
        ax, ay, az, bx, by, bz = 1.0, 0.0, 0.0, 0.0, -1.0, 0.0
    # chance puts another in its place that a symmetry makes as likely: no direction is preferred by a few showers
    fx, fy = frozen.field_x, frozen.field_y
    if fx == 0.0 and fy == 0.0:
        xx, yx = azimuth(rng)
        xy, yy = -yx, xx
    else:
        along = 1.0 if uniform(rng) < 0.5 else -1.0
        across = -1.0 if energy > _ALIKE and (kind == POSITRON or (kind == PHOTON and uniform(rng) < 0.5)) else 1.0
        xx, xy = along * fx * fx + across * fy * fy, (along - across) * fx * fy
        yx, yy = xy, along * fy * fy + across * fx * fx
    if energy > _ALIKE and kind == POSITRON:
        kind = ELECTRON
    inside = 0.0
    for h in range(frozen.hits[kind, shower], frozen.hits[kind, shower + 1]):
        hx, hy, d = frozen.hit[h, 0], frozen.hit[h, 1], frozen.hit[h, 2]
        a, b = xx * hx + xy * hy, yx * hx + yy * hy
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
