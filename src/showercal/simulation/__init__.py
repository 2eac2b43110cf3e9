"""Particles to events: guns and lists, the contract of simulators, Geant4, resumable runs, digitisation."""

from showercal.simulation._angle import AngleSpread, Cone, Divergence, Parallel, parse_angle
from showercal.simulation._backend import Backend, Chunk, ShowerTask
from showercal.simulation._backends import BACKENDS, SEEN, BackendKind, build_backend
from showercal.simulation._digitisation import Digitiser
from showercal.simulation._digitisation_options import DigitisationOptions
from showercal.simulation._digitise import digitise
from showercal.simulation._event_list import EventList
from showercal.simulation._geant4_backend import Geant4Backend
from showercal.simulation._geant4_data import find_geant4_data
from showercal.simulation._geant4_options import Geant4Options
from showercal.simulation._gun import ParticleGun, default_half_widths
from showercal.simulation._particles import MASSES, PARTICLES, PDG_IDS
from showercal.simulation._primaries import Primaries
from showercal.simulation._showers import Showers, to_events
from showercal.simulation._simulate import simulate
from showercal.simulation._source import ParticleSource
from showercal.simulation._spectrum import (
    EnergyList,
    EnergySpectrum,
    FixedEnergy,
    FlatSpectrum,
    HistogramSpectrum,
    LogFlatSpectrum,
    PowerLaw,
    parse_spectrum,
)
from showercal.simulation.fast import FastBackend, FastOptions

__all__ = [
    "BACKENDS",
    "MASSES",
    "PARTICLES",
    "PDG_IDS",
    "SEEN",
    "AngleSpread",
    "Backend",
    "BackendKind",
    "Chunk",
    "Cone",
    "DigitisationOptions",
    "Digitiser",
    "Divergence",
    "EnergyList",
    "EnergySpectrum",
    "EventList",
    "FastBackend",
    "FastOptions",
    "FixedEnergy",
    "FlatSpectrum",
    "Geant4Backend",
    "Geant4Options",
    "HistogramSpectrum",
    "LogFlatSpectrum",
    "Parallel",
    "ParticleGun",
    "ParticleSource",
    "PowerLaw",
    "Primaries",
    "ShowerTask",
    "Showers",
    "build_backend",
    "default_half_widths",
    "digitise",
    "find_geant4_data",
    "parse_angle",
    "parse_spectrum",
    "simulate",
    "to_events",
]
