"""Where showers of the fast simulator were compared with Geant4's."""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np

from showercal.errors import SimulationWarning
from showercal.simulation._particles import PARTICLES
from showercal.simulation._primaries import Primaries

# Kinetic energies, [GeV]: docs/fast_simulation.md has the comparisons. What is not here was not compared.
VALIDATED: Final = {"e-": (0.0, 10.0), "gamma": (0.5, 10.0), "pi-": (2.0, 60.0), "mu-": (50.0, 8000.0)}


def warn_outside(primaries: Primaries) -> None:
    """Warn of particles whose showers were not compared with Geant4's at their energy; each kind once.

    Args:
        primaries: The particles of some events.
    """
    for kind in np.unique(primaries.kind):
        name, energy = PARTICLES[kind], primaries.energy[primaries.kind == kind]
        if name not in VALIDATED:
            known = ", ".join(f"{particle} {low:g} to {high:g} GeV" for particle, (low, high) in VALIDATED.items())
            warnings.warn(
                f"fast showers of {name} were not compared with Geant4's (compared: {known}); compare them with "
                f"showercal validate-simulation DETECTOR {name}",
                SimulationWarning,
                stacklevel=2,
            )
            continue
        low, high = VALIDATED[name]
        outside = (energy < low) | (energy > high)
        if np.any(outside):
            warnings.warn(
                f"{int(outside.sum())} of {len(energy)} {name} have energies outside {low:g} to {high:g} GeV, where "
                f"fast showers were compared with Geant4's: {energy.min():.3g} to {energy.max():.3g} GeV",
                SimulationWarning,
                stacklevel=2,
            )
