"""Particles to events: the particle gun, the contract of simulators, the Geant4 backend, resumable runs."""

from showercal.simulation._backend import Backend, Chunk, ShowerTask
from showercal.simulation._geant4_backend import Geant4Backend
from showercal.simulation._geant4_data import find_geant4_data
from showercal.simulation._geant4_options import Geant4Options
from showercal.simulation._gun import PARTICLES, ParticleGun, Primaries, default_half_widths
from showercal.simulation._showers import Showers, to_events
from showercal.simulation._simulate import simulate
from showercal.simulation._spectrum import EnergySpectrum, FixedEnergy, FlatSpectrum, LogFlatSpectrum, parse_spectrum

__all__ = [
    "PARTICLES",
    "Backend",
    "Chunk",
    "EnergySpectrum",
    "FixedEnergy",
    "FlatSpectrum",
    "Geant4Backend",
    "Geant4Options",
    "LogFlatSpectrum",
    "ParticleGun",
    "Primaries",
    "ShowerTask",
    "Showers",
    "default_half_widths",
    "find_geant4_data",
    "parse_spectrum",
    "simulate",
    "to_events",
]
