"""Muons in a calorimeter: the curved track, energy conserved, seeds, frozen showers against full ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from showercal.detectors import BoxCalorimeter, Layer, Material, detector
from showercal.simulation import ParticleGun, parse_spectrum
from showercal.simulation._backend import Chunk, ShowerTask
from showercal.simulation.fast._backend import FastShooter, _pieces
from showercal.simulation.fast._cells import ABSORBER, ACTIVE, LEAK_BACK
from showercal.simulation.fast._constants import PION_MASS
from showercal.simulation.fast._frozen import suits_frozen
from showercal.simulation.fast._options import FastOptions
from showercal.simulation.fast._stack import PION_PLUS


def shoot(calorimeter, particle, energy, n_events, seed=1, **options):
    task = ShowerTask(calorimeter, ParticleGun(particle, parse_spectrum(energy), 0.0, 0.0), seed)
    shooter = FastShooter(task, FastOptions(**options))
    blocks = [shooter(*piece) for piece in _pieces(task.entering(Chunk(0, 0, n_events)))]
    assert len(blocks) == 1, "one piece is enough for a test"
    return blocks[0]


def gas(field, n_x=200, cell=4.0):
    """20 layers of 50 mm of a gas so thin that a track is a helix."""
    material = Material("gas", 1e-3, {"Ar": 1.0})
    layers = tuple(Layer("gas", 50.0) for _ in range(20))
    return BoxCalorimeter("gas", layers, n_x, n_x, cell, cell, field, {"gas": material})


@pytest.mark.parametrize(("particle", "sign"), [("mu-", 1), ("mu+", -1)])
def test_a_track_in_a_field_is_a_circle(particle, sign):
    """Radius p / 0.3 B: after a depth z a muon of 1 GeV in 2 T along y is at R - sqrt(R^2 - z^2)."""
    box = gas((0.0, 2.0, 0.0))
    block = shoot(box, particle, "1", 50, frozen_showers=False)
    position = box.cell_position(block.cell)
    layer = block.cell // (box.n_x * box.n_y)
    momentum = np.sqrt(1000 * (1000 + 2 * 105.6583755))
    radius = momentum / (0.299792458 * 2)
    # most of the hits are the muon's own
    for number in (4, 9, 14, 19):
        z = box.layer_centre()[number]
        expected = sign * (radius - np.sqrt(radius**2 - z**2))
        assert np.median(position[layer == number, 0]) == pytest.approx(expected, abs=5)
        assert np.median(position[layer == number, 1]) == pytest.approx(0, abs=4)


@pytest.mark.parametrize("name", ["toy-sandwich", "pbwo4-block"])
@pytest.mark.parametrize("energy", ["0.5", "200"])
def test_energy_is_conserved(name, energy):
    """Up to the electron masses of positrons that annihilate and the decay of muons that stop."""
    block = shoot(detector(name), "mu-", energy, 20, frozen_showers=False)
    excess = block.sums.sum(axis=1) - float(energy) * 1e3
    assert np.all(np.abs(excess) < (60 if energy == "0.5" else 8))


def test_muons_of_one_gev_lose_what_the_tables_say():
    """2.032 m of PbWO4 would take 2 GeV; 0.5 m take 1.23 MeV cm2/g * 8.28 g/cm3 * 50 cm (muIoni of Geant4, 3 GeV)."""
    block = detector("pbwo4-block")
    short = BoxCalorimeter("short", block.layers[:12], 32, 32, 15.0, 15.0)
    sums = shoot(short, "mu-", "3", 100, frozen_showers=False).sums
    depth = 12 * 40.64
    lost = 3000 - np.median(sums[:, LEAK_BACK])
    assert lost == pytest.approx(1.45 * 8.28 * depth / 10, rel=0.06)
    assert np.all(sums[:, ABSORBER] == 0)


def test_the_seed_decides():
    first, again = (shoot(detector("pbwo4-block"), "mu-", "500", 3, seed=4) for _ in range(2))
    assert np.array_equal(first.cell, again.cell)
    assert np.array_equal(first.energy, again.energy)
    assert not np.array_equal(first.sums, shoot(detector("pbwo4-block"), "mu-", "500", 3, seed=5).sums)


def test_the_pions_of_nuclear_interactions_are_followed():
    """They are too rare to be waited for: here is one as a muon of 5 TeV would leave it, and its energy is not lost."""
    task = ShowerTask(detector("toy-sandwich"), ParticleGun("mu-", parse_spectrum("5000")), 1)
    pion = np.array([[PION_PLUS, 3000.0, 0.0, 0.0, 50.0, 0.0, 0.0, 1.0, 0.0]])
    offsets, seeds = np.array([0, 1]), np.array([1], np.uint64)
    sums = FastShooter(task, FastOptions(muon_nuclear=True))(pion, offsets, seeds).sums
    assert sums.sum() == pytest.approx(3000 + PION_MASS, abs=5)  # a pair or two of electrons more or less


def test_frozen_showers_suit_blocks_of_large_cells():
    assert suits_frozen(detector("pbwo4-block"))
    assert not suits_frozen(detector("toy-sandwich"))
    assert not suits_frozen(replace(detector("pbwo4-block"), cell_x=1.0, cell_y=1.0))
    assert not suits_frozen(replace(detector("pbwo4-block"), magnetic_field=(0.0, 1.0, 1.0)))
    assert not FastOptions(birks=0.1).uses_frozen_showers(detector("pbwo4-block"))
    assert not FastOptions(count_tracks=True).uses_frozen_showers(detector("pbwo4-block"))


def test_frozen_showers_are_like_full_ones():
    """Muons of 100 GeV: deposits, lit cells and their spread across agree within the statistics of 100 muons."""
    box = detector("pbwo4-block")
    values = []
    for frozen in (False, True):
        block = shoot(box, "mu-", "100", 100, seed=7, frozen_showers=frozen)
        total = np.bincount(block.event, block.energy, 100)
        lit = np.bincount(block.event[block.energy > 1.0], minlength=100)
        np.testing.assert_allclose(total, block.sums[:, ACTIVE], rtol=1e-9)
        values.append((np.log(total), np.log(lit)))
    for full, replayed in zip(*values, strict=True):
        error = np.hypot(full.std(), replayed.std()) / 10
        assert abs(full.mean() - replayed.mean()) < 3.5 * error
        assert replayed.std() == pytest.approx(full.std(), rel=0.35)


def test_frozen_showers_prefer_no_direction_but_that_of_the_field():
    """Without a field along x nothing moves a shower along y; muons of 2 TeV bend by 1 mm along x."""
    box = detector("pbwo4-block")
    block = shoot(box, "mu-", "2000", 100, seed=3)
    position = box.cell_position(block.cell)
    near = (block.energy > 10) & (block.energy < 100) & (np.hypot(position[:, 0], position[:, 1]) < 15)
    mean = [
        np.bincount(block.event[near], position[near, k], 100) / np.bincount(block.event[near], minlength=100)
        for k in range(2)
    ]
    assert abs(mean[1].mean()) < 3.5 * mean[1].std() / 10
    assert abs(mean[0].mean() - 0.3) < 0.3 + 3.5 * mean[0].std() / 10
