"""Deposits along segments: split at walls, tracks counted once per cell, Birks' law, nothing lost."""

from __future__ import annotations

import numpy as np
import pytest

from showercal.detectors import BoxCalorimeter, Layer, detector
from showercal.simulation.fast._cells import ABSORBER, ACTIVE, clear, deposit, deposit_point, new_cells
from showercal.simulation.fast._medium import active_distance, build_medium, slab_of


@pytest.fixture
def box():
    layers = (Layer("plastic-scintillator", 10.0, "lead", 5.0), Layer("plastic-scintillator", 10.0))
    return BoxCalorimeter("box", layers, n_x=4, n_y=3, cell_x=10.0, cell_y=20.0)


def _read(box, cells):
    return {int(c): float(cells.data["energy"][c]) for c in np.flatnonzero(cells.data["last_track"][:-1] >= 0)}


def test_a_segment_is_shared_by_the_cells_it_crosses(box):
    rng = np.random.default_rng(3)
    medium, cells = build_medium(box), new_cells(box.n_cells)
    for _ in range(50):
        start = rng.uniform([-20, -30, 15], [20, 30, 25])
        end = rng.uniform([-20, -30, 15], [20, 30, 25])
        deposit(medium, cells, 2, *start, *end, 6.0, 1, 0.0)
        points = start + (np.arange(60_000)[:, None] + 0.5) / 60_000 * (end - start)
        numbers, counts = np.unique(box.cell_at(points), return_counts=True)
        slow = dict(zip(numbers.tolist(), 1e-4 * counts, strict=True))
        fast = {cell: value for cell, value in _read(box, cells).items() if value > 1e-3}
        assert fast == pytest.approx({c: v for c, v in slow.items() if c in fast or v > 2e-3}, abs=3e-4)
        assert sum(_read(box, cells).values()) == pytest.approx(6.0)
        clear(cells)


def test_a_track_counts_once_per_cell_and_a_photon_not_at_all(box):
    medium, cells = build_medium(box), new_cells(box.n_cells)
    for track in (1, 1, 2, 2):
        deposit(medium, cells, 0, 1.0, 1.0, 1.0, 2.0, 1.0, 2.0, 1.0, track, 0.0)
    deposit_point(medium, cells, 0, 1.0, 1.0, 1.0, 0, 0.0)
    (cell,) = _read(box, cells)
    assert cells.data["tracks"][cell] == 2
    assert cells.data["energy"][cell] == pytest.approx(5.0)


def test_absorbers_birks_and_time(box):
    medium, cells = build_medium(box, birks=0.1, time_cut=50.0), new_cells(box.n_cells)
    deposit(medium, cells, 1, 1.0, 1.0, 11.0, 1.0, 1.0, 12.0, 3.0, 1, 0.0)
    assert not _read(box, cells)
    assert cells.sums[ABSORBER] == 3.0
    deposit(medium, cells, 0, 1.0, 1.0, 1.0, 1.0, 1.0, 3.0, 4.0, 1, 0.0)
    deposit(medium, cells, 0, 1.0, 1.0, 1.0, 1.0, 1.0, 3.0, 4.0, 1, 50.1)
    assert list(_read(box, cells).values()) == pytest.approx([4.0 / (1 + 0.1 * 2.0)])
    assert cells.sums[ACTIVE] == 8.0


def test_slabs_are_found_and_know_their_active_neighbours():
    box = detector("toy-sandwich")
    medium = build_medium(box)
    z = np.random.default_rng(1).uniform(0, box.depth, 5000)
    expected = np.searchsorted(medium.z_low[: medium.n_slabs], z, side="right") - 1
    assert [slab_of(medium, value) for value in z] == expected.tolist()
    absorber = 1  # the steel behind the first layer, from 9 to 49 mm
    assert active_distance(medium, absorber, 10.0) == pytest.approx(1.0)
    assert active_distance(medium, absorber, 45.0) == pytest.approx(4.0)
    assert active_distance(medium, 0, 4.0) == 0.0
