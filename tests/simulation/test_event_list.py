from __future__ import annotations

from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from showercal.detectors import detector
from showercal.errors import DataError, RecipeError
from showercal.events import Events
from showercal.simulation import MASSES, PARTICLES, PDG_IDS, EventList, ParticleGun, Showers, parse_spectrum, to_events

CALORIMETER = detector("toy-sandwich")
TWO_EVENTS = {
    "pdg_id": [[22, 22, -211], [11]],
    "energy": [[60.0, 55.0, 3.0], [45.0]],
    "x": [[10.0, -10.0, 0.0], [1.0]],
    "ux": [[0.1, 0.0, 0.0], [0.0]],
    "uy": 0.0,
    "uz": 1.0,
    "time": [[0.0, 0.0, 25.0], [0.0]],
}


def write_parquet(path: Path, columns: dict) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_events_come_in_the_order_of_the_list_with_seeds_of_their_own() -> None:
    listed = EventList.from_arrays(TWO_EVENTS)
    both, second, other = listed.primaries(1, 0, 2), listed.primaries(1, 1, 1), listed.primaries(2, 0, 2)
    assert both.offsets.tolist() == [0, 3, 4]
    assert [PARTICLES[kind] for kind in both.kind] == ["gamma", "gamma", "pi-", "e-"]
    assert (second.energy.tolist(), second.offsets.tolist(), second.seed[0]) == ([45.0], [0, 1], both.seed[1])
    assert np.array_equal(both.energy, other.energy)
    assert not np.any(both.seed == other.seed)
    assert np.array_equal(both.seed, ParticleGun("e-", parse_spectrum("1")).primaries(1, 0, 2).seed)
    assert (listed.particles, listed.title, listed.n_events) == (("e-", "gamma", "pi-"), "particles", 2)


def test_names_and_numbers_of_particles_mean_the_same() -> None:
    names = {**TWO_EVENTS, "particle": [["gamma", "gamma", "pi-"], ["e-"]]}
    del names["pdg_id"]
    assert EventList.from_arrays(names).to_dict() == EventList.from_arrays(TWO_EVENTS).to_dict()
    assert len(set(PDG_IDS)) == len(MASSES) == len(PARTICLES)


def test_names_from_a_file(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"particle": [["e-", "pi+"], []], "energy": [[1.0, 2.0], []]})
    assert EventList.read(path).particles == ("e-", "pi+")
    path = write_parquet(tmp_path / "b.parquet", {"particle": ["e-", "muon"], "energy": [1.0, 2.0]})
    with pytest.raises(RecipeError, match="unknown particle 'muon'"):
        EventList.read(path)


def test_momenta_give_kinetic_energy_and_direction() -> None:
    given = {"pdg_id": [[2212, 22]], "px": [[3.0, 0.0]], "py": [[0.0, 1e-3]], "pz": [[4.0, 2e-3]]}
    listed = EventList.from_arrays(given).primaries(1, 0, 1)
    assert listed.energy == pytest.approx([np.hypot(5, MASSES[12]) - MASSES[12], np.hypot(1e-3, 2e-3)], rel=1e-7)
    assert listed.ux[0] == pytest.approx(0.6)
    assert listed.uz[1] == pytest.approx(2 / np.sqrt(5))


def test_files_hold_what_arrays_hold(tmp_path: Path) -> None:
    full = {
        name: ak.to_list(ak.broadcast_arrays(given, ak.Array(TWO_EVENTS["energy"]))[0])
        for name, given in TWO_EVENTS.items()
    }
    expected = EventList.from_arrays(TWO_EVENTS).to_dict()["sha256"]
    parquet = EventList.read(write_parquet(tmp_path / "list.parquet", full))
    assert not isinstance(parquet.given.offsets, np.ma.MaskedArray)  # a stored sample would be of another type
    assert parquet.to_dict() == {
        "file": "list.parquet",
        "events": 2,
        "particles": {"e-": 1, "gamma": 2, "pi-": 1},
        "sha256": expected,
    }
    with h5py.File(tmp_path / "list.h5", "w") as file:
        for name, lists in full.items():
            file[name] = np.concatenate(lists)
        file["offsets"] = [0, 3, 4]
    assert EventList.read(tmp_path / "list.h5").to_dict()["sha256"] == expected
    assert parquet.command_options() == ["--particles", "list.parquet"]


def test_one_number_per_event_is_one_particle_per_event(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "list.parquet", {"energy": [1.0, 2.0], "x": [5.0, 6.0]})
    listed = EventList.read(path, particle="mu+")
    assert listed.primaries(1, 0, 2).offsets.tolist() == [0, 1, 2]
    assert not listed.keeps_particles
    assert listed.command_options() == ["--particles", "list.parquet", "--particle", "mu+"]
    with h5py.File(tmp_path / "list.h5", "w") as file:
        file["energy"], file["x"] = [1.0, 2.0], [5.0, 6.0]
        file["particle"] = ["mu+", "mu+"]
    assert EventList.read(tmp_path / "list.h5").to_dict()["sha256"] == listed.to_dict()["sha256"]


def no_showers(source: EventList | ParticleGun, n_events: int) -> Events:
    nothing = Showers(np.empty(0, int), np.empty(0, int), np.empty(0), None)
    keep = source.keeps_particles
    said = {source.name: source.to_dict()}
    return to_events(nothing, source.primaries(9, 0, n_events), CALORIMETER, said, keep_particles=keep)


@pytest.mark.parametrize("options", [{}, {"half_width_x": 30.0, "sigma_y": 2.0}])
def test_events_of_a_gun_are_shot_again_as_they_were(options: dict) -> None:
    gun = ParticleGun("pi-", parse_spectrum("1:100:log"), **options)
    events = no_showers(gun, 50)
    assert "particles" not in events.fields
    again = EventList.from_events(events)
    for name in ("kind", "energy", "x", "y", "z", "ux", "uy", "uz", "time", "offsets", "seed"):
        assert np.array_equal(getattr(again.primaries(9, 0, 50), name), getattr(gun.primaries(9, 0, 50), name)), name
    assert not again.keeps_particles
    assert EventList.from_events(no_showers(again, 50)).particles == ("pi-",)  # the list's provenance says it too


def test_directions_survive_storage_to_the_last_bit(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    columns = {name: random.normal(size=(40, 5)) for name in ("ux", "uy", "x")} | {"uz": random.random((40, 5)) + 0.1}
    listed = EventList.from_arrays(
        {"energy": random.random((40, 5)) + 1, "time": random.random((40, 5)), **columns}, particle="e-"
    )
    no_showers(listed, 40).save(tmp_path / "events")
    assert EventList.read(tmp_path / "events").to_dict()["sha256"] == listed.to_dict()["sha256"]
    assert EventList.read(tmp_path / "events" / "part-00000.parquet").n_events == 40


def test_events_that_do_not_say_their_particle_need_it_told() -> None:
    events = no_showers(ParticleGun("e-", parse_spectrum("1:2")), 3)
    silent = Events(events.array, events.units, events.geometry, {})
    with pytest.raises(RecipeError, match=r"events of mine do not say what particles they are; name the particle"):
        EventList.from_events(silent, file="mine")
    assert EventList.from_events(silent, particle="e-").particles == ("e-",)
    with pytest.raises(DataError, match="energy_true"):
        EventList.from_events(Events(events.array[["impact_x"]], {"impact_x": "mm"}), particle="e-")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"energy": [[60.0, -55.0, 3.0], [45.0]]},
            r"kinetic energy must be > 0 GeV; got -55 for particle 1 of event 0",
        ),
        ({"energy": [[60.0, 55.0, 3.0], [0.0]]}, r"got 0 for particle 0 of event 1 \(1 of 4 particles\) in mine"),
        ({"energy": [[60.0, np.nan, 3.0], [4.0]]}, r"kinetic energy must be > 0 GeV; got nan"),
        ({"uz": [[1.0, 1.0, -1.0], [1.0]]}, r"must fly towards it, uz > 0; got -1 for particle 2 of event 0"),
        ({"uz": [[1.0, 0.0, 1.0], [1.0]]}, r"vector longer than 0; got 0 for particle 1 of event 0"),
        ({"x": [[np.inf, 0.0, 0.0], [1.0]]}, r"x must be a number of mm; got inf"),
        ({"pdg_id": [[22, 12, 22], [11]]}, r"particle 1 has PDG number 12, which cannot be simulated .*neutrinos"),
        ({"pdg_id": None}, r"what the particles are must be told once, .* got nothing for mine"),
        ({"particle": "e-"}, r"must be told once, .* got particle and pdg_id"),
        ({"pdg_id": None, "particle": [["gamma", "elctron", "e-"], ["e-"]]}, r"unknown particle 'elctron'"),
        ({"pdg_id": None, "particle": "photon"}, r"unknown particle 'photon'"),
        ({"tme": 0.0}, r"no column 'tme'; nearest known: 'time' \(mine\)"),
        ({"energy": None}, r"needs 'energy' \(or 'px', 'py', 'pz'\)"),
        ({"uz": None}, r"mine has ux, uy but not all of ux, uy, uz"),
        ({"px": 1.0, "py": 1.0, "pz": 1.0}, r"gives momenta, so 'energy' and directions must be left out"),
    ],
)
def test_what_cannot_be_simulated_is_refused_with_its_place(change: dict, text: str) -> None:
    columns = {name: given for name, given in {**TWO_EVENTS, **change}.items() if given is not None}
    with pytest.raises(RecipeError, match=text):
        EventList.from_arrays(columns, file="mine")


def test_lists_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column 'x' of mine does not have one number for each particle of 'energy'"):
        EventList.from_arrays({**TWO_EVENTS, "x": [[1.0], [1.0]]}, file="mine")
    for missing, text in (
        ([[1.0, None]], "'energy' of mine does not have one"),
        ([[1.0], None], "lacks the list of event 1"),
    ):
        with pytest.raises(DataError, match=text):
            EventList.from_arrays({"energy": missing}, particle="e-", file="mine")
        with pytest.raises(DataError, match=r"column 'energy' of .*list.parquet has 1 missing values"):
            EventList.read(write_parquet(tmp_path / "list.parquet", {"energy": missing}), particle="e-")
    with pytest.raises(DataError, match="must hold one list of numbers per event"):
        EventList.from_arrays({"energy": [[[1.0]]]}, particle="e-", file="mine")
    with pytest.raises(RecipeError, match=r"list of particles mine is empty; expected at least one event"):
        EventList.from_arrays({"energy": []}, particle="e-", file="mine")
    with pytest.raises(RecipeError, match="has 2 events; asked for event 2"):
        EventList.from_arrays(TWO_EVENTS).primaries(1, 2, 1)
    with pytest.raises(DataError, match=r"no list of particles at .*nowhere"):
        EventList.read(tmp_path / "nowhere.parquet")
    (tmp_path / "list.txt").touch()
    with pytest.raises(DataError, match=r"no suffix of a list of particles"):
        EventList.read(tmp_path / "list.txt")
    whole = write_parquet(tmp_path / "list.parquet", {"energy": list(range(1, 1000))}).read_bytes()
    (tmp_path / "list.parquet").write_bytes(whole[:4] + b"flip" * 100 + whole[404:])
    with pytest.raises(DataError, match=r"list.parquet is damaged"):
        EventList.read(tmp_path / "list.parquet", particle="e-")
    for suffix in ("parquet", "h5"):
        (tmp_path / f"damaged.{suffix}").write_bytes(b"nothing")
        with pytest.raises(DataError, match=r"not a Parquet file|not an HDF5 file"):
            EventList.read(tmp_path / f"damaged.{suffix}")
    with h5py.File(tmp_path / "list.h5", "w") as file:
        file["energy"], file["offsets"] = [1.0, 2.0], [0, 3]
    with pytest.raises(DataError, match=r"'offsets' must ascend from 0 to the number of particles"):
        EventList.read(tmp_path / "list.h5", particle="e-")
