"""Masses, charges and decay lengths of what a hadron shower is made of, by kind."""

from __future__ import annotations

from typing import Final

import numpy as np

from showercal.simulation.fast._constants import NEUTRON_MASS, PARTICLE_MASSES, PROTON_MASS
from showercal.simulation.fast._hadron_library import (
    P_ANTINEUTRON,
    P_ANTIPROTON,
    P_KAON_LONG,
    P_KAON_MINUS,
    P_KAON_PLUS,
    P_NEUTRON,
    P_PION_MINUS,
    P_PION_PLUS,
    P_PROTON,
)
from showercal.simulation.fast._stack import MUON_MINUS, PROTON

# In the order of the kinds in `_stack` and then of the nuclei in `_hadron_library`; [MeV]. The fragment is a place
# holder: its mass depends on the nucleus it is left of.
MASS: Final = np.array([*PARTICLE_MASSES, 1875.61294, 2808.92113, 2808.39161, 3727.37941, 0.0])
CHARGE: Final = np.array([-1, 1, 0, -1, 1, -1, 1, 0, -1, 1, 0, 0, 1, -1, 0, 0, 1, 1, 2, 2, 0], dtype=np.float64)
# Energy that is free beside the kinetic one when the particle decays or annihilates: baryons keep theirs.
FREE_MASS: Final = np.array(
    [
        *(0.0, 0.0, 0.0, *PARTICLE_MASSES[MUON_MINUS:PROTON]),
        *(0.0, 2 * PROTON_MASS, 0.0, 2 * NEUTRON_MASS),
        *(0.0, 0.0, 0.0, 0.0, 0.0),
    ]
)
# Mean decay length at beta gamma = 1, c tau, [mm]; infinity for what is stable.
DECAY_LENGTH: Final = np.array(
    [np.inf] * 3 + [658638.0, 658638.0, 7804.5, 7804.5, 2.5e-5, 3711.0, 3711.0, 15330.0, 26.84] + [np.inf] * 9
)
PROJECTILE: Final = np.array(
    [
        *(-1, -1, -1, -1, -1, P_PION_MINUS, P_PION_PLUS, -1, P_KAON_MINUS, P_KAON_PLUS, P_KAON_LONG, P_KAON_LONG),
        *(P_PROTON, P_ANTIPROTON, P_NEUTRON, P_ANTINEUTRON, -1, -1, -1, -1, -1),
    ]
)
# Spin 1/2 or not, for the largest transfers to electrons.
IS_SPIN_HALF: Final = np.array([1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 1, 1, 0, 0]) == 1
