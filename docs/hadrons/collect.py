"""Collect hadronic collisions for the library of the fast simulator, from Geant4's FTFP_BERT.

    GEANT4_DATA_DIR=build/g4 python docs/hadrons/collect.py build/hadrons

Shoots single hadrons into blocks of one element and writes two files: `lengths.npz` (mean free paths, shares of elastic
scattering and how much energy it takes) and `collisions.npz` (what comes out of inelastic collisions, of captures at
rest and of captures of slow neutrons). `pack.py` makes the library from them. Nothing here knows a calorimeter.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np
from geant4_collisions import Collider, Collision

# Cross sections of the elements in between are interpolated in ln A; final states are taken from the nearest in ln A.
CROSS_SECTION_ELEMENTS: Final = ("H", "C", "O", "Si", "Ar", "Fe", "Cu", "W", "Pb")
FINAL_STATE_ELEMENTS: Final = ("H", "C", "Si", "Fe", "Cu", "Pb")

# Kinetic energies of collisions, [MeV].
_HIGH: Final = (1000, 1500, 2200, 3200, 4700, 7000, 10000, 15000, 22000, 32000, 47000, 70000, 200000, 600000)
_PION: Final = (15, 30, 50, 80, 120, 170, 230, 300, 400, 550, 750, *_HIGH)
_PROTON: Final = (10, 15, 22, 32, 47, 70, 100, 150, 220, 320, 470, 700, *_HIGH)
_NEUTRON: Final = (0.5, 0.8, 1.2, 1.8, 2.6, 3.7, 5.2, 7.2, *_PROTON)
_STRANGE: Final = (30, 100, 300, 800, 2000, 5000, 12000, 30000, 100000)
_ANTI: Final = (30, 150, 500, 1500, 5000, 15000, 60000)
COLLISION_ENERGIES: Final = {
    "pi-": _PION,
    "pi+": _PION,
    "proton": _PROTON,
    "neutron": _NEUTRON,
    "kaon-": _STRANGE,
    "kaon+": _STRANGE,
    "kaon0L": _STRANGE,
    "anti_proton": _ANTI,
    "anti_neutron": _ANTI,
}
AT_REST: Final = ("pi-", "kaon-", "anti_proton", "mu-")
CAPTURED: Final = 0.01  # kinetic energy of neutrons whose capture is recorded, [MeV]

# Mean free paths: (particle, elements, kinetic energies [MeV], hadrons shot). Those of neutrons are read from Geant4's
# tables, those of protons above 280 MeV are theirs, and those of positive pions above 1 GeV those of negative ones.
_ALL: Final = CROSS_SECTION_ELEMENTS
_FEW: Final = ("H", "C", "Cu", "Pb")
_RESONANCE: Final = (15, 30, 60, 90, 120, 150, 180, 220, 280, 350, 450, 600, 850)
_SPARSE: Final = (60, 180, 450, 1200, 5000, 20000)
LENGTHS: Final = (
    ("pi-", _ALL, _RESONANCE, 1000),
    ("pi+", _ALL, _RESONANCE, 1000),
    ("pi-", _ALL, (1200, 2000, 5000, 20000, 100000), 400),
    ("pi-", ("C", "Fe", "Cu", "Pb"), (1200, 2500, 5000, 10000, 20000, 50000), 1000),
    ("proton", _ALL, (15, 25, 40, 60, 90, 130, 190, 280), 800),
    ("neutron", _ALL, (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 15, 30, 60, 130, 280, 1000), 800),
    ("kaon-", _FEW, _SPARSE, 150),
    ("kaon+", _FEW, _SPARSE, 150),
    ("kaon0L", _FEW, _SPARSE, 150),
    ("anti_proton", _FEW, _SPARSE, 150),
    ("anti_neutron", _FEW, _SPARSE, 150),
)


def count_kept(particle: str, element: str, energy: float) -> int:
    """Collisions of a node: most where showers of charged pions begin, few where they seldom pass."""
    if energy >= 200000:
        return 15
    share = 0.5 if element == "Pb" else 1.0  # a collision with lead has three times the secondaries
    if particle in ("pi-", "pi+"):
        return 240 if energy >= 1500 and element in ("Fe", "Cu") and particle == "pi-" else round(120 * share)
    if particle in ("proton", "neutron"):
        return round((50 if energy >= 4000 else 120) * share)
    return round(40 * share)


def lengths(collider: Collider) -> dict[str, np.ndarray]:
    """Mean free paths [g/cm^2] with their share of elastic scattering, and energies that recoils take.

    Rows of lengths: particle, element, energy, mean free path, share, collisions seen; of recoils: particle, element,
    energy, energy lost, cosine of the angle of scattering.
    """
    rows, recoils = [], []
    for particle, elements, energies, n in LENGTHS:
        p = list(COLLISION_ENERGIES).index(particle)
        for element in elements:
            e = CROSS_SECTION_ELEMENTS.index(element)
            for energy in energies:
                seen = [c for c in collider.shoot(particle, energy, element, n) if c.path > 0 and c.process]
                collided = [c for c in seen if has_happened(c, energy)]
                elastic = [c for c in collided if c.process == "hadElastic"]
                path, n_collided = sum(c.path for c in seen), max(1, len(collided))
                length = path / n_collided * collider.density / 10
                rows.append((p, e, energy, length, len(elastic) / n_collided, len(collided)))
                recoils += [(p, e, energy, energy - c.energy, c.cosine) for c in elastic]
        print(particle, f"{time.process_time():.0f} s", flush=True)
    return {"lengths": np.array(rows), "recoils": np.array(recoils)}


def has_happened(collision: Collision, energy: float) -> bool:
    """Whether it was a collision at all: Geant4 flies by the largest cross section near an energy and rejects some."""
    return collision.process != "Decay" and (bool(collision.secondaries) or collision.energy != energy)


def is_inelastic(collision: Collision) -> bool:
    """Whether the nucleus changed."""
    return bool(collision.secondaries) and collision.process not in (
        "hadElastic",
        "Decay",
        "",
        "Transportation",
        "nCapture",
        "nKiller",
    )


def collisions(collider: Collider) -> dict[str, np.ndarray]:
    """Nodes (particle, element, energy, number of collisions) and the secondaries of all collisions in a row."""
    nodes, counts, secondaries = [], [], []

    def keep(p: int, e: int, energy: float, kept: list[Collision]) -> None:
        nodes.append((p, e, energy, len(kept)))
        for c in kept:
            counts.append(len(c.secondaries))
            secondaries.extend(c.secondaries)

    particles = list(COLLISION_ENERGIES)
    for e, element in enumerate(FINAL_STATE_ELEMENTS):
        for p, particle in enumerate(particles):
            for energy in COLLISION_ENERGIES[particle]:
                wanted, kept = count_kept(particle, element, energy), []
                for _ in range(8):
                    kept += filter(is_inelastic, collider.shoot(particle, energy, element, wanted - len(kept)))
                    if len(kept) >= wanted:
                        break
                if len(kept) >= 10:
                    keep(p, e, energy, kept)
        for particle in AT_REST:
            rest = [c for c in collider.shoot(particle, 0.0, element, 200) if c.process != "Decay"]
            keep(100 + AT_REST.index(particle), e, 0.0, rest)
        print(element, "done", len(secondaries), "secondaries", f"{time.process_time():.0f} s", flush=True)
    collider.switch_off("neutronInelastic")
    for e, element in enumerate(FINAL_STATE_ELEMENTS):
        keep(200, e, CAPTURED, [c for c in collider.shoot("neutron", CAPTURED, element, 60) if c.process == "nCapture"])
    return {"nodes": np.array(nodes), "counts": np.array(counts), "secondaries": np.array(secondaries)}


def main() -> None:
    """Collect one of the two files, or both."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--only", choices=("lengths", "collisions"))
    options = arguments.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    collider = Collider(CROSS_SECTION_ELEMENTS)
    if options.only != "collisions":
        np.savez_compressed(options.folder / "lengths.npz", **lengths(collider))
    if options.only != "lengths":
        collider.switch_off("hadElastic")
        np.savez_compressed(options.folder / "collisions.npz", **collisions(collider))
    sys.stdout.flush()
    os._exit(0)  # Geant4 and Python quarrel over who deletes what


if __name__ == "__main__":
    main()
