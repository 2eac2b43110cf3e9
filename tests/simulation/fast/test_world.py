"""What is made once for the showers of a calorimeter."""

from __future__ import annotations

import pytest

from showercal.detectors import detector
from showercal.simulation import FastOptions
from showercal.simulation.fast import _world
from showercal.simulation.fast._records import new_record
from showercal.simulation.fast._replay import LIBRARY
from showercal.simulation.fast._world import build_world


@pytest.fixture
def made(monkeypatch):
    """Libraries that are made, empty ones."""
    libraries = []

    def make(*_):
        libraries.append(new_record(LIBRARY))
        return libraries[-1]

    monkeypatch.setattr(_world, "build_library", make)
    monkeypatch.setattr(_world, "_KEPT", {})
    return libraries


def test_one_library_serves_all_particles(made):
    sandwich, options = detector("toy-sandwich"), FastOptions()
    electrons = build_world(sandwich, options)
    pions = build_world(sandwich, options, has_hadrons=True)
    muons = build_world(sandwich, options, has_muons=True)
    again = build_world(sandwich, options, has_muons=True, has_hadrons=True)
    assert len(made) == 1
    assert all(one.library is made[0] for one in (electrons, pions, muons, again))
    assert electrons.hadrons is None
    assert muons.hadrons is None
    assert pions.hadrons is again.hadrons is not None
    build_world(sandwich, FastOptions(cut=1.0))
    assert len(made) == 2


def test_muons_with_frozen_showers_have_a_world_of_their_own(made, monkeypatch):
    frozen = []

    def make(*arguments):
        frozen.append(arguments)
        return arguments[1].frozen

    monkeypatch.setattr(_world, "build_frozen", make)
    block = detector("pbwo4-block")
    build_world(block, FastOptions())
    assert not frozen
    for _ in range(2):
        build_world(block, FastOptions(), has_muons=True)
        build_world(block, FastOptions(), has_muons=True, has_hadrons=True)
    assert len(frozen) == 1
    build_world(block, FastOptions(frozen_showers=False), has_muons=True)
    assert len(frozen) == 1
    assert not made
