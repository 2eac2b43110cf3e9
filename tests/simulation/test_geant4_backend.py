"""The real Geant4: reproducible, built from any box, and its faults stay in its own process."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import awkward as ak
import numpy as np
import psutil
import pytest

from showercal.detectors import BoxCalorimeter, Layer, Material, detector
from showercal.errors import SimulationError
from showercal.events import Events
from showercal.simulation import EventList, Geant4Backend, Geant4Options, ParticleGun, parse_spectrum, simulate

pytestmark = [pytest.mark.geant4, pytest.mark.usefixtures("geant4")]

SANDWICH = detector("toy-sandwich")


def shoot(
    folder: Path,
    n_events: int,
    particle: str = "e-",
    energy: str = "1",
    calorimeter: BoxCalorimeter = SANDWICH,
    *,
    half_width: float = 0.0,
    workers: int = 1,
    chunk_size: int | None = None,
    **options: object,
) -> Events:
    gun = ParticleGun(particle, parse_spectrum(energy), half_width, half_width)
    backend = Geant4Backend(Geant4Options(**options))
    return simulate(
        calorimeter,
        gun,
        n_events,
        seed=5,
        backend=backend,
        folder=folder,
        workers=workers,
        chunk_size=chunk_size or n_events,
    ).read()


def visible(events: Events) -> np.ndarray:
    return ak.to_numpy(ak.sum(events.array.cells.energy, axis=1)).astype(float)


def test_same_seed_same_events_for_any_workers_and_chunks(tmp_path: Path) -> None:
    one = shoot(tmp_path / "one", 12, energy="0:4", half_width=75.0)
    two = shoot(tmp_path / "two", 12, energy="0:4", half_width=75.0, workers=2, chunk_size=5)
    assert ak.array_equal(one.array, two.array)
    assert ak.num(one.array.cells.id).tolist() != [ak.num(one.array.cells.id)[0]] * 12


def test_both_scorers_see_the_same_energies(tmp_path: Path) -> None:
    """Geant4's own C++ scorer against the detector that counts step by step, which also counts tracks."""
    native = shoot(tmp_path / "native", 20, energy="2", count_tracks=False).array.cells
    steps = shoot(tmp_path / "steps", 20, energy="2").array.cells
    lit = steps[steps.energy > 0]
    assert ak.array_equal(native.id, lit.id)
    # sums in another order, each rounded to 12 bits
    assert np.allclose(ak.flatten(native.energy), ak.flatten(lit.energy), rtol=2.0**-11, atol=0)
    assert native.fields == ["id", "energy"]


def test_a_muon_through_silicon_loses_what_bethe_says(tmp_path: Path) -> None:
    """A minimum ionising muon (0.3 GeV) in 10 mm of silicon: PDG dE/dx 1.664 MeV cm2/g x 2.329 g/cm3 = 3.876 MeV/cm.

    Most knock-on electrons stop inside 10 mm, so the mean deposit is the mean loss within a few percent. It lands in
    the cell under the gun, layer by layer: this checks numbering, coordinates and densities.
    """
    layers = tuple(Layer("silicon", 10.0, "aluminium", 1.0) for _ in range(3))
    box = BoxCalorimeter("telescope", layers, n_x=4, n_y=2, cell_x=30.0, cell_y=50.0)
    events = shoot(tmp_path / "out", 400, "mu-", "0.3", replace(box, cell_x=40.0, n_x=3), count_tracks=True)
    cells = events.array.cells
    # odd number of columns in x: the gun points at the middle of column 1; even in y: at the edge between rows
    _, ix, _ = box_index = replace(box, cell_x=40.0, n_x=3).cell_index(ak.to_numpy(ak.flatten(cells.id)))
    energy = ak.to_numpy(ak.flatten(cells.energy)) * 1e3
    assert energy[ix == 1].sum() / energy.sum() > 0.99
    per_layer = np.bincount(box_index[0], energy) / len(events)
    assert per_layer == pytest.approx(3 * [3.876], rel=0.04)
    assert ak.min(ak.num(cells.id)) >= 3


def test_energy_is_conserved_in_a_big_block(tmp_path: Path) -> None:
    """A homogeneous block of 26 X0 x 13 Moliere radii catches nearly all of a 1 GeV electron."""
    block = BoxCalorimeter("block", tuple(Layer("PbWO4", 23.0) for _ in range(10)), 5, 5, 60.0, 60.0)
    fraction = visible(shoot(tmp_path / "out", 20, calorimeter=block))
    assert fraction.max() <= 1.0 + 1e-3  # 12 bits of mantissa per cell
    assert fraction.mean() == pytest.approx(0.985, abs=0.015)


def test_a_magnetic_field_bends_to_the_right_side(tmp_path: Path) -> None:
    """A mu- of 1 GeV along +z in B = +2 T along y: F = qv x B points to +x, x = z^2 / 2R with R = p / 0.3 B."""
    air = Material("thin-gas", 1e-4, {"Ar": 1.0})
    box = BoxCalorimeter(
        "spectrometer",
        tuple(Layer("thin-gas", 50.0) for _ in range(10)),
        n_x=200,
        n_y=1,
        cell_x=2.0,
        cell_y=200.0,
        magnetic_field=(0.0, 2.0, 0.0),
        materials={"thin-gas": air},
    )
    cells = shoot(tmp_path / "out", 20, "mu-", "1", box, count_tracks=True).array.cells
    last = ak.flatten(cells[cells.id // 200 == 9])
    position = box.cell_position(ak.to_numpy(last.id))[:, 0]
    radius = 1e3 * np.sqrt((1 + 0.10566) ** 2 - 0.10566**2) / (0.299792458 * 2.0)  # [mm]
    sagitta = radius - np.sqrt(radius**2 - 475.0**2)
    assert np.median(position) == pytest.approx(sagitta, abs=4.0)  # cells of 2 mm, one crossed in 50 mm is 12 mm wide


def test_several_particles_of_any_kind_go_into_one_event(tmp_path: Path) -> None:
    """A block that stops nearly all: events see the sum of their particles, in the places where these enter.

    Event 0 has two particles far apart, event 1 none, event 2 a leaning photon from 400 mm in front, event 3 an
    electron that passes by, event 4 one that starts inside and flies backwards.
    """
    block = BoxCalorimeter("block", tuple(Layer("PbWO4", 23.0) for _ in range(10)), 6, 6, 60.0, 60.0)
    lean = np.arctan(0.2)
    given = {
        "particle": [["e-", "gamma"], [], ["gamma"], ["e-"], ["e-"]],
        "energy": [[1.0, 2.0], [], [1.5], [3.0], [1.0]],
        "x": [[-90.0, 90.0], [], [10.0], [500.0], [30.0]],
        "y": [[30.0, 30.0], [], [30.0], [0.0], [30.0]],
        "z": [[0.0, 0.0], [], [-400.0], [0.0], [115.0]],
        "ux": [[0.0, 0.0], [], [np.sin(lean)], [0.0], [0.0]],
        "uy": 0.0,
        "uz": [[1.0, 1.0], [], [np.cos(lean)], [1.0], [-1.0]],
    }
    source = EventList.from_arrays(given)
    events = simulate(block, source, 5, seed=5, backend=Geant4Backend(), folder=tmp_path / "out").read()
    seen, cells = visible(events), events.array.cells
    assert (events.energy_true - seen)[[0, 2, 4]] == pytest.approx([0, 0, 0], abs=0.25)
    assert seen[[1, 3]].tolist() == [0, 0]
    place = block.cell_position(ak.to_numpy(ak.flatten(cells.id)))
    x, z = (ak.unflatten(place[:, axis], ak.num(cells.id)) for axis in (0, 2))
    left = ak.sum(cells.energy[x < 0], axis=1)
    assert left[0] == pytest.approx(1.0, abs=0.15)
    mean_x, mean_z = (ak.sum(axis * cells.energy, axis=1) / np.maximum(seen, 1e-9) for axis in (x, z))
    assert mean_x[2] == pytest.approx(90 + 0.2 * mean_z[2], abs=12)  # the shower keeps the photon's line
    assert mean_z[4] < 105


def test_birks_and_a_time_cut_take_light_away(tmp_path: Path) -> None:
    plain = visible(shoot(tmp_path / "plain", 30, "proton", "0.2", physics_list="FTFP_BERT"))
    with_birks = visible(shoot(tmp_path / "birks", 30, "proton", "0.2", birks=0.126))
    early = visible(shoot(tmp_path / "early", 30, "proton", "0.2", time_cut=0.01))
    assert 0.5 < with_birks.sum() / plain.sum() < 0.95
    assert early.sum() < 0.9 * plain.sum()  # 0.01 ns is 1.7 mm of flight: most of the 9 mm tile comes later


def test_unknown_physics_list_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"no physics list 'FTFP_BRET'; nearest known: 'FTFP_BERT'"):
        shoot(tmp_path / "out", 1, physics_list="FTFP_BRET")


def test_a_killed_geant4_is_replaced(tmp_path: Path) -> None:
    """The kernel dies of a signal in the middle of its work; the events are those of an undisturbed run."""
    killed: list[int] = []

    def kill_one_worker() -> None:
        while not list(tmp_path.glob("out/part-*")):
            time.sleep(0.02)
        for child in psutil.Process().children(recursive=True):
            if any("_geant4_worker" in word for word in child.cmdline()):
                killed.append(child.pid)
                os.kill(child.pid, signal.SIGSEGV)
                return

    watcher = threading.Thread(target=kill_one_worker, daemon=True)
    watcher.start()
    disturbed = shoot(tmp_path / "out", 60, energy="5", chunk_size=10)
    watcher.join(timeout=1)
    assert killed
    assert ak.array_equal(disturbed.array, shoot(tmp_path / "good", 60, energy="5").array)
