"""The library of hadronic collisions: cross sections, elastic recoils and the final states of collisions.

Made by `docs/hadrons/collect.py` and `docs/hadrons/pack.py` from single collisions in Geant4's FTFP_BERT. A final state
is drawn whole, so that multiplicity, leading particle, neutral pions, cascade and evaporation keep their correlations.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Nuclei that come out of collisions are followed where they are born; they continue the kinds of `_stack`.
DEUTERON: Final = 16
TRITON: Final = 17
HELIUM3: Final = 18
ALPHA: Final = 19
FRAGMENT: Final = 20

# Places in the tables of the library.
P_PION_MINUS: Final = 0
P_PION_PLUS: Final = 1
P_PROTON: Final = 2
P_NEUTRON: Final = 3
P_KAON_MINUS: Final = 4
P_KAON_PLUS: Final = 5
P_KAON_LONG: Final = 6
P_ANTIPROTON: Final = 7
P_ANTINEUTRON: Final = 8
N_PROJECTILES: Final = 9
# Final states without a projectile in flight.
REST_PION: Final = 9
REST_KAON: Final = 10
REST_ANTIPROTON: Final = 11
REST_MUON: Final = 12
NEUTRON_CAPTURE: Final = 13
N_REACTIONS: Final = 14
_REACTION_OF_CODE: Final = MappingProxyType({100: 9, 101: 10, 102: 11, 103: 12, 200: 13} | {p: p for p in range(9)})

ATOMIC_MASS: Final = 931.49410242  # [MeV], CODATA 2018
N_QUANTILES: Final = 24
HADRON_ENERGIES: Final[FloatArray] = np.geomspace(10.0, 1e5, 81)
NEUTRON_ENERGIES: Final[FloatArray] = np.geomspace(1e-8, 2e4, 241)

_LOWEST_ENERGY: Final = 1e-3  # [MeV]
_OCTAVES: Final = 32.0
_LARGEST_CODE: Final = 4095.0


def encode_energy(energy: FloatArray) -> NDArray[np.uint16]:
    """Kinetic energies [MeV] in 12 bits, steps of 0.5 %; 1 keV to 4 TeV."""
    code = np.rint(np.log2(np.maximum(energy, _LOWEST_ENERGY) / _LOWEST_ENERGY) / _OCTAVES * _LARGEST_CODE)
    return np.asarray(code, dtype=np.uint16)


def decode_energy(code: NDArray[np.uint16]) -> FloatArray:
    """Kinetic energies, [MeV]."""
    return np.asarray(_LOWEST_ENERGY * np.exp2(code.astype(np.float64) * (_OCTAVES / _LARGEST_CODE)))


def encode_angle(angle: FloatArray) -> NDArray[np.uint16]:
    """Polar angles in 12 bits as square roots, so that small ones are fine: 0.1 mrad at 10 mrad."""
    return np.asarray(np.rint(np.sqrt(angle / np.pi) * _LARGEST_CODE), dtype=np.uint16)


def decode_angle(code: NDArray[np.uint16]) -> FloatArray:
    """Polar angles, [rad]."""
    return np.asarray(np.pi * (code.astype(np.float64) / _LARGEST_CODE) ** 2)


def largest_recoil(mass: float, target: float, kinetic: float) -> float:
    """Largest kinetic energy that an elastic collision can give to a nucleus at rest, [MeV]."""
    momentum2 = kinetic * (kinetic + 2 * mass)
    return 2 * target * momentum2 / (mass**2 + target**2 + 2 * target * (kinetic + mass))


class FinalStates(NamedTuple):
    """Final states by reaction, nucleus and energy.

    Attributes:
        first_node: Of each reaction and nucleus, shape (reactions, nuclei + 1 per row flattened, see `node_range`).
        node_energy: Kinetic energy of the projectile, [MeV].
        node_collision: First collision of a node; one more entry than nodes.
        collision_secondary: First secondary of a collision; one more entry than collisions.
        kind: Of a secondary: those of `_stack`, then nuclei.
        energy: Its kinetic energy, [MeV].
        cosine: Of its polar angle to the projectile.
        azimuth: In 64ths of a turn.
    """

    first_node: IntArray
    node_energy: FloatArray
    node_collision: IntArray
    collision_secondary: IntArray
    kind: NDArray[np.uint8]
    energy: NDArray[np.float32]
    cosine: NDArray[np.float32]
    azimuth: NDArray[np.uint8]


class Library(NamedTuple):
    """Everything in the file.

    Attributes:
        elements: Symbols of the cross sections.
        cross_sections: Shape (projectiles, 2, elements, `HADRON_ENERGIES`), inelastic and elastic, [barn].
        neutron_cross_sections: Shape (3, elements, `NEUTRON_ENERGIES`), inelastic, elastic, capture, [barn].
        recoil_elements: Symbols of the elastic recoils.
        recoil_energies: Shape (2, nodes), pions and nucleons, padded with infinity, [MeV].
        recoil_quantiles: Shape (2, elements, nodes, `N_QUANTILES`), recoil over the largest possible one.
        nuclei: Symbols of the final states.
        final_states: The collisions.
    """

    elements: tuple[str, ...]
    cross_sections: FloatArray
    neutron_cross_sections: FloatArray
    recoil_elements: tuple[str, ...]
    recoil_energies: FloatArray
    recoil_quantiles: FloatArray
    nuclei: tuple[str, ...]
    final_states: FinalStates


@cache
def load_library() -> Library:
    """The library that the package ships."""
    with as_file(files("showercal.simulation.fast") / "hadron_library.npz") as path, np.load(path) as file:
        found: dict[str, Any] = {name: file[name] for name in file.files}
    nuclei = tuple(found["collision_elements"])
    return Library(
        elements=tuple(found["elements"]),
        cross_sections=found["cross_sections"].astype(np.float64),
        neutron_cross_sections=found["neutron_cross_sections"].astype(np.float64),
        recoil_elements=tuple(found["recoil_elements"]),
        recoil_energies=found["recoil_energies"],
        recoil_quantiles=found["recoil_quantiles"].astype(np.float64),
        nuclei=nuclei,
        final_states=_final_states(found, len(nuclei)),
    )


def _final_states(found: dict[str, Any], n_nuclei: int) -> FinalStates:
    reaction = np.array([_REACTION_OF_CODE[int(code)] for code in found["node_particle"]])
    key = reaction * n_nuclei + found["node_element"]
    return FinalStates(
        first_node=np.searchsorted(key, np.arange(N_REACTIONS * n_nuclei + 1)),
        node_energy=found["node_energy"].astype(np.float64),
        node_collision=_starts(found["node_collisions"]),
        collision_secondary=_starts(found["collision_secondaries"]),
        kind=found["kind"],
        energy=decode_energy(found["energy"]).astype(np.float32),
        cosine=np.cos(decode_angle(found["angle"])).astype(np.float32),
        azimuth=found["azimuth"],
    )


def _starts(counts: NDArray[Any]) -> IntArray:
    return np.concatenate([[0], np.cumsum(counts.astype(np.int64))])
