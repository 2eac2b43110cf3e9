"""The sample that ships with the package: whole, small, and what it says it is."""

from __future__ import annotations

import json
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
from scipy import stats

import showercal
from showercal.detectors import BoxCalorimeter, detector
from showercal.events import Events
from showercal.simulation import ParticleGun

FOLDER = Path(showercal.__file__).parent / "data_samples" / "toy_sandwich_electrons"


@pytest.fixture(scope="module")
def events() -> Events:
    return Events.load(FOLDER)


def test_it_is_small_and_alone() -> None:
    files = list(FOLDER.iterdir())
    assert sum(path.stat().st_size for path in files) <= 3_000_000
    assert all(path.name.startswith("part-") for path in files)


def test_it_holds_the_electrons_that_its_provenance_names(events: Events) -> None:
    assert len(events) == 20_000
    assert BoxCalorimeter.from_dict(events.geometry) == detector("toy-sandwich")
    said = events.provenance
    assert (said["gun"]["particle"], said["gun"]["energy"], said["seed"]) == ("e-", "0:10", 1)
    assert said["versions"]["geant4"] == "11.4.1"
    assert "/" not in json.dumps(said)
    again = ParticleGun.from_dict(said["gun"]).primaries(said["seed"], 0, len(events))
    assert np.array_equal(events.energy_true, again.energy)
    assert np.array_equal(events.scalar("impact_x"), again.x)
    assert np.array_equal(events.scalar("impact_y"), again.y)


def test_cells_are_sorted_inside_the_calorimeter_and_lit(events: Events) -> None:
    cells = events.array.cells
    assert ak.all(cells.id[:, 1:] > cells.id[:, :-1])
    assert ak.max(cells.id) < detector("toy-sandwich").n_cells
    assert ak.all((cells.energy > 0) | (cells.tracks > 0))
    assert ak.all(ak.sum(cells.energy, axis=1) < events.array.energy_true)


def test_showers_start_where_the_electron_enters(events: Events) -> None:
    """The mean position of the energy follows the impact point, with a slope below 1: tiles are 75 mm wide."""
    cells = events.array.cells
    place = detector("toy-sandwich").cell_position(ak.to_numpy(ak.flatten(cells.id)))
    total = ak.to_numpy(ak.sum(cells.energy, axis=1))
    enough = total > 0.01
    for axis, name in enumerate(("impact_x", "impact_y")):
        moment = ak.unflatten(place[:, axis], ak.num(cells.id)) * cells.energy
        centre = ak.to_numpy(ak.sum(moment, axis=1))[enough] / total[enough]
        fit = stats.linregress(events.scalar(name)[enough], centre)
        assert 0.7 < fit.slope < 1.1
        assert abs(fit.intercept) < 4 * fit.intercept_stderr
