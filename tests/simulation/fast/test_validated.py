"""Energies and particles that were never compared with Geant4 are told of, with the range that was."""

from __future__ import annotations

import warnings

import pytest

from showercal.errors import SimulationWarning
from showercal.simulation import ParticleGun, parse_spectrum
from showercal.simulation.fast._validated import warn_outside


def _primaries(particle, energy):
    return ParticleGun(particle, parse_spectrum(energy)).primaries(1, 0, 10)


def test_inside_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_outside(_primaries("e-", "0:10"))


def test_an_energy_outside_names_the_range():
    with pytest.warns(SimulationWarning, match=r"10 of 10 e- have energies outside 0 to 10 GeV.*: 50 to 50 GeV"):
        warn_outside(_primaries("e-", "50"))


def test_a_particle_that_was_not_compared_names_those_that_were():
    with pytest.warns(SimulationWarning, match=r"showers of kaon- were not compared.*e- 0 to 10 GeV"):
        warn_outside(_primaries("kaon-", "5"))
