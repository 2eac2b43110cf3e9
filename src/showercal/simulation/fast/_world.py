"""Everything that the showers of one calorimeter need, made once."""

from __future__ import annotations

import threading
from typing import Final

from showercal.detectors import BoxCalorimeter
from showercal.simulation.fast._em_tables import build_em_tables
from showercal.simulation.fast._engine import World, simulate_block
from showercal.simulation.fast._frozen import FROZEN, build_frozen, suits_frozen
from showercal.simulation.fast._gflash_tables import GFLASH, build_gflash
from showercal.simulation.fast._hadron_tables import build_hadrons
from showercal.simulation.fast._ionisation import build_ionisation
from showercal.simulation.fast._library import build_library
from showercal.simulation.fast._medium import build_medium, materials_of
from showercal.simulation.fast._muon_tables import build_muon_tables
from showercal.simulation.fast._options import FastOptions
from showercal.simulation.fast._records import new_record
from showercal.simulation.fast._replay import LIBRARY

_MOST_KEPT: Final = 2
_KEPT: Final[dict[tuple[str, FastOptions, bool], World]] = {}
_LOCK: Final = threading.Lock()


def build_world(
    calorimeter: BoxCalorimeter,
    options: FastOptions,
    threads: int = 1,
    *,
    has_muons: bool = False,
    has_hadrons: bool = False,
) -> World:
    """Geometry, tables and library of a calorimeter.

    The last ones are kept, for a library takes seconds to make: it is the same for whatever particles come, but where
    muons have frozen showers.

    Args:
        calorimeter: Where the showers will be.
        options: Cuts and what is seen.
        threads: At once, while the library is made.
        has_muons: Whether muons come, whose showers in a block are worth frozen ones.
        has_hadrons: Whether hadrons come.
    """
    use_frozen = has_muons and options.uses_frozen_showers(calorimeter) and suits_frozen(calorimeter)
    key = (calorimeter.fingerprint, options, use_frozen)
    with _LOCK:
        if key not in _KEPT:
            while len(_KEPT) >= _MOST_KEPT:
                del _KEPT[next(iter(_KEPT))]
            _KEPT[key] = _make_world(calorimeter, options, threads, use_frozen=use_frozen)
        world = _KEPT[key]
        if not has_hadrons:
            return world._replace(hadrons=None)
        if world.hadrons is None:
            materials = [calorimeter.material(name) for name in materials_of(calorimeter)]
            world = _KEPT[key] = world._replace(hadrons=build_hadrons(materials, cut=options.cut))
        return world


def _make_world(calorimeter: BoxCalorimeter, options: FastOptions, threads: int, *, use_frozen: bool) -> World:
    names = materials_of(calorimeter)
    materials = [calorimeter.material(name) for name in names]
    active = {layer.active for layer in calorimeter.layers}
    em = build_em_tables(materials, [name in active for name in names], cut=options.cut)
    world = World(
        build_medium(calorimeter, birks=options.birks, time_cut=options.time_cut),
        em,
        build_gflash(calorimeter) if options.showers == "gflash" else new_record(GFLASH),
        new_record(LIBRARY),
        build_ionisation(materials),
        build_muon_tables(materials, em.electron_cut, nuclear=options.muon_nuclear),
        new_record(FROZEN),
    )
    if use_frozen:
        return world._replace(frozen=build_frozen(calorimeter, world, simulate_block, threads))
    if options.showers == "particles" and any(layer.absorber is not None for layer in calorimeter.layers):
        world = world._replace(library=build_library(calorimeter, world, threads))
    return world
