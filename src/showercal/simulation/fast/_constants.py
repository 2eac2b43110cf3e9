"""Constants of nature that several parts of the simulator use: [MeV], [mm], [ns].

The cross sections of electrons and photons have the electron's mass and radius and alpha of CODATA 2022, up to 1e-9
from these of 2018.
"""

from __future__ import annotations

from typing import Final

from showercal.simulation._particles import MASSES
from showercal.simulation.fast._stack import (
    ELECTRON,
    MUON_MINUS,
    NEUTRON,
    PION_PLUS,
    PROTON,
)

#: Of `PARTICLES`, to the digits of that list.
PARTICLE_MASSES: Final = tuple(round(1e3 * mass, 9) for mass in MASSES)
ELECTRON_MASS: Final = PARTICLE_MASSES[ELECTRON]
MUON_MASS: Final = PARTICLE_MASSES[MUON_MINUS]
PION_MASS: Final = PARTICLE_MASSES[PION_PLUS]
PROTON_MASS: Final = PARTICLE_MASSES[PROTON]
NEUTRON_MASS: Final = PARTICLE_MASSES[NEUTRON]

# PDG 2022
MUON_LIFETIME: Final = 2196.98
PION_LIFETIME: Final = 26.033
KAON_LIFETIME: Final = 12.38  # of charged ones

ELECTRON_RADIUS: Final = 2.8179403262e-12  # classical
ALPHA: Final = 7.2973525693e-3
AVOGADRO: Final = 6.02214076e23  # [1/mol]
