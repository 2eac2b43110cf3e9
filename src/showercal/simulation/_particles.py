"""The particles that can be shot: names of Geant4, numbers of the Particle Data Group, masses; the speed of light."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from showercal.errors import RecipeError, nearest

# A particle's kind is its place in this list, here and in the compiled simulator.
PARTICLES: Final = (
    *("e-", "e+", "gamma", "mu-", "mu+", "pi-", "pi+", "pi0", "kaon-", "kaon+", "kaon0L", "kaon0S"),
    *("proton", "anti_proton", "neutron", "anti_neutron"),
)
PDG_IDS: Final = (11, -11, 22, 13, -13, -211, 211, 111, -321, 321, 130, 310, 2212, -2212, 2112, -2112)

# S. Navas et al. (Particle Data Group), Phys. Rev. D 110 (2024) 030001, [GeV]
_ELECTRON, _MUON, _PION, _NEUTRAL_PION = 0.51099895e-3, 0.1056583755, 0.13957039, 0.1349768
_KAON, _NEUTRAL_KAON, _PROTON, _NEUTRON = 0.493677, 0.497611, 0.93827208816, 0.93956542052
MASSES: Final = (
    *(_ELECTRON, _ELECTRON, 0.0, _MUON, _MUON, _PION, _PION, _NEUTRAL_PION, _KAON, _KAON),
    *(_NEUTRAL_KAON, _NEUTRAL_KAON, _PROTON, _PROTON, _NEUTRON, _NEUTRON),
)

SPEED_OF_LIGHT: Final = 299.792458  # [mm/ns]


def particle_kind(particle: str) -> int:
    """Place of a particle in `PARTICLES`.

    Raises:
        RecipeError: If the name is unknown; the message names the nearest.

    Example:
        >>> particle_kind("gamma")
        2
    """
    if particle not in PARTICLES:
        raise RecipeError(f"unknown particle {particle!r}; {nearest(particle, PARTICLES)}")
    return PARTICLES.index(particle)


def kinds_of_pdg_ids(pdg_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places in `PARTICLES` of particles given by the numbers of the Particle Data Group, shape (N,).

    Raises:
        RecipeError: If a number is none of `PDG_IDS`; the message names the first.
    """
    known = np.array(PDG_IDS)
    order = np.argsort(known)
    kinds = order[np.minimum(np.searchsorted(known[order], pdg_ids), len(known) - 1)]
    wrong = known[kinds] != pdg_ids
    if np.any(wrong):
        at = int(np.argmax(wrong))
        ids = ", ".join(f"{number} {name}" for number, name in zip(PDG_IDS, PARTICLES, strict=True))
        raise RecipeError(
            f"particle {at} has PDG number {int(pdg_ids[at])}, which cannot be simulated ({int(wrong.sum())} of "
            f"{len(pdg_ids)} particles); known: {ids}. Leave out neutrinos and let short-lived particles decay first"
        )
    return kinds.astype(np.int64)
