"""Whole showers: energy is conserved, seeds decide, and what theory knows of showers holds."""

from __future__ import annotations

import numpy as np
import pytest

from showercal.detectors import MATERIALS, BoxCalorimeter, Layer, detector
from showercal.simulation import FastBackend, ParticleGun, parse_spectrum, simulate
from showercal.simulation._backend import Chunk, ShowerTask
from showercal.simulation.fast._backend import FastShooter, _pieces
from showercal.simulation.fast._cells import ACTIVE, LEAK_BACK, LEAK_FRONT, LEAK_SIDE
from showercal.simulation.fast._options import FastOptions
from showercal.simulation.fast._stack import CAPACITY, PHOTON


def _shoot(calorimeter, particle, energy, n_events, seed=1, half_width=0.0, **options):
    task = ShowerTask(calorimeter, ParticleGun(particle, parse_spectrum(energy), half_width, half_width), seed)
    shooter = FastShooter(task, FastOptions(**options))
    blocks = [shooter(*piece) for piece in _pieces(task.entering(Chunk(0, 0, n_events)))]
    assert len(blocks) == 1, "one piece is enough for a test"
    return blocks[0]


def _lead_block(depth_x0, width=600.0):
    x0 = MATERIALS["lead"].radiation_length
    layers = tuple(Layer("lead", x0 / 2) for _ in range(2 * depth_x0))
    return BoxCalorimeter("lead-block", layers, n_x=1, n_y=1, cell_x=width, cell_y=width)


@pytest.mark.parametrize("particle", ["e-", "e+", "gamma"])
@pytest.mark.parametrize("name", ["toy-sandwich", "pbwo4-block"])
def test_energy_is_conserved(name, particle):
    """Kinetic energies only: a positron brings two electron masses more if it annihilates inside."""
    block = _shoot(detector(name), particle, "2", 30)
    pair = 2 * 0.51099895
    escaped = (2000 + (pair if particle == "e+" else 0.0) - block.sums.sum(axis=1)) / pair
    np.testing.assert_allclose(escaped, np.round(escaped), atol=1e-6)
    assert escaped.min() > -1e-6
    assert escaped.mean() < 0.5


def test_more_particles_than_the_stack_holds_are_refused():
    task = ShowerTask(detector("toy-sandwich"), ParticleGun("gamma", parse_spectrum("1")), 1)
    shooter = FastShooter(task, FastOptions())
    particles = np.zeros((CAPACITY + 1, 9))
    particles[:, 0], particles[:, 1], particles[:, 7] = PHOTON, 0.1, 1.0
    offsets, seeds = np.array([0, CAPACITY]), np.array([1], np.uint64)
    assert shooter(particles, offsets, seeds).sums.sum() == pytest.approx(0.1 * CAPACITY, rel=1e-6)
    with pytest.raises(OverflowError, match="more particles waiting than its stack can hold"):
        shooter(particles, np.array([0, len(particles)]), seeds)


def test_cells_hold_the_deposits():
    block = _shoot(detector("toy-sandwich"), "e-", "3", 40)
    np.testing.assert_allclose(np.bincount(block.event, block.energy, 40), block.sums[:, ACTIVE], rtol=1e-5)


def test_a_photon_goes_nine_sevenths_of_a_radiation_length():
    """The first pair of a 50 GeV photon is exponential in depth: what passes 2 X0 without is exp(-14/9)."""
    slab = MATERIALS["aluminium"].radiation_length * 2
    box = BoxCalorimeter("slab", (Layer("aluminium", slab),), n_x=1, n_y=1, cell_x=500.0, cell_y=500.0)
    block = _shoot(box, "gamma", "50", 100, seed=3)
    untouched = np.mean(block.sums[:, LEAK_BACK] > 49_999.999)
    expected = np.exp(-14 / 9)
    assert abs(untouched - expected) < 3 * np.sqrt(expected * (1 - expected) / 100)


def test_shower_maximum_moves_with_the_logarithm_of_energy():
    """t_max = ln(E/E_c) - 0.5 for electrons (PDG eq. 34.36), within half a radiation length."""
    box = _lead_block(24)
    critical = MATERIALS["lead"].critical_energy
    for energy, n_events in ((0.5, 60), (5.0, 20)):
        block = _shoot(box, "e-", str(energy), n_events)
        profile = np.bincount(block.cell, block.energy, box.n_layers)
        depth = (np.arange(box.n_layers) + 0.5) / 2
        top = np.argmax(np.convolve(profile, np.ones(3) / 3, "same"))
        parabola = np.polyfit(depth[top - 3 : top + 4], profile[top - 3 : top + 4], 2)
        maximum = -parabola[1] / (2 * parabola[0])
        assert maximum == pytest.approx(np.log(1e3 * energy / critical) - 0.5, abs=0.6)


def test_a_moliere_radius_holds_nine_tenths():
    radius = MATERIALS["PbWO4"].moliere_radius
    layers = tuple(Layer("PbWO4", 40.0) for _ in range(8))
    box = BoxCalorimeter("pbwo4", layers, n_x=101, n_y=101, cell_x=2.0, cell_y=2.0)
    block = _shoot(box, "e-", "5", 30)
    x, y, _ = box.cell_position(block.cell).T
    inside = block.energy[np.hypot(x, y) < radius].sum() / block.energy.sum()
    assert inside == pytest.approx(0.90, abs=0.05)


def test_showers_leak_at_all_faces():
    thin = BoxCalorimeter("thin", (Layer("PbWO4", 60.0),), n_x=1, n_y=1, cell_x=20.0, cell_y=20.0)
    sums = _shoot(thin, "e-", "5", 30).sums.sum(axis=0)
    assert sums[LEAK_BACK] > 0
    assert sums[LEAK_SIDE] > 0
    assert sums[LEAK_FRONT] > 0


def test_threads_and_chunks_change_nothing(tmp_path):
    gun = ParticleGun("e-", parse_spectrum("0:3"), 75, 75)
    samples = []
    for name, workers, chunk in (("a", 1, 130), ("b", 2, 60)):
        stored = simulate(
            detector("toy-sandwich"),
            gun,
            130,
            seed=5,
            backend=FastBackend(),
            folder=tmp_path / name,
            workers=workers,
            chunk_size=chunk,
        )
        samples.append(stored.read().array)
    assert samples[0].cells.energy.tolist() == samples[1].cells.energy.tolist()
    assert samples[0].cells.tracks.tolist() == samples[1].cells.tracks.tolist()


def test_visible_share_and_tracks_of_the_sandwich():
    """1.06 % of the energy and 20.6 tracks per GeV, from 100,000 Geant4 electrons (docs/simulation.md)."""
    block = _shoot(detector("toy-sandwich"), "e-", "5", 100, seed=2, half_width=75.0)
    visible, tracks = block.energy.sum() / 100 / 5000, block.tracks.sum() / 100 / 5
    assert visible == pytest.approx(0.0106, rel=0.06)  # 14 % per event: 1.4 % is the error of the mean
    assert tracks == pytest.approx(20.6, rel=0.06)


def test_replayed_showers_stay_in_the_calorimeter():
    """Slabs with the same surroundings share a library, though one may have fewer layers behind it than another."""
    layers = (
        *(Layer("plastic-scintillator", 4.0, "brass", 10.0) for _ in range(9)),
        Layer("plastic-scintillator", 4.0),
    )
    box = BoxCalorimeter("fine", layers, n_x=4, n_y=4, cell_x=40.0, cell_y=40.0)
    block = _shoot(box, "e-", "5", 100, half_width=10.0)
    assert block.cell.min() >= 0
    assert block.cell.max() < box.n_cells
    np.testing.assert_allclose(block.sums.sum(axis=1), 5000, rtol=3e-3)  # positrons that escape aside
    np.testing.assert_allclose(np.bincount(block.event, block.energy, 100), block.sums[:, ACTIVE], rtol=1e-5)
