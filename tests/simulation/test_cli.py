"""The command line turns its words into one call of `simulate`; here that call is caught."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import awkward as ak
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

import showercal.simulation
from showercal.cli._simulate import simulate as command
from showercal.errors import RecipeError
from showercal.simulation import FastOptions, ParticleGun, parse_angle, parse_spectrum
from showercal.storage import open_events

APP = typer.Typer()
APP.command()(command)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    seen: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def catch(*args: object, **options: object) -> SimpleNamespace:
        seen.append((args, options))
        return SimpleNamespace(n_events=args[2])

    monkeypatch.setattr(showercal.simulation, "simulate", catch)
    return seen


def run(*words: str) -> Any:
    return bare("--energy", "0:10", "--events", "20", *words)


def bare(*words: str) -> Any:
    return CliRunner().invoke(APP, ["toy-sandwich", "--out", "here", *words])


def test_the_documented_command(calls: list) -> None:
    result = run("--particle", "e-", "--backend", "geant4", "--seed", "1")
    assert result.exit_code == 0, result.output
    assert result.output == "20 events of e- in toy-sandwich -> here\n"
    ((calorimeter, gun, n_events), options) = calls[0]
    assert (calorimeter.name, n_events, options["seed"], options["folder"]) == ("toy-sandwich", 20, 1, Path("here"))
    assert gun.to_dict() == {"particle": "e-", "energy": "0:10", "half_width_x": 75.0, "half_width_y": 75.0}
    assert options["backend"] == showercal.simulation.Geant4Backend()


def test_every_option_arrives(calls: list) -> None:
    words = "--particle pi- --backend geant4 --workers 2 --chunk-size 7 "
    words += "--physics-list QGSP_BERT --cut 1.5 --birks 0.126 --time-cut 150 "
    words += "--beam-spot 3 --centre=-37.5,1 --angle 0:30 "
    words += "--no-count-tracks --position 10,20 --field 0,2,0 --overwrite --quiet"
    result = run(*words.split())
    assert result.exit_code == 0, result.output
    ((calorimeter, gun, _), options) = calls[0]
    assert calorimeter.magnetic_field == (0.0, 2.0, 0.0)
    assert gun == ParticleGun("pi-", parse_spectrum("0:10"), 10, 20, 3, 3, -37.5, 1, parse_angle("0:30"))
    said = "--particle pi- --energy 0:10 --position 10,20 --beam-spot 3,3 --centre=-37.5,1 --angle 0:30"
    assert gun.command_options() == said.split()
    assert options["backend"].options == showercal.simulation.Geant4Options("QGSP_BERT", 1.5, 0.126, 150.0, False)
    assert (options["workers"], options["chunk_size"]) == (2, 7)
    assert options["overwrite"]
    assert not options["progress"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--backend geant5", "unknown backend 'geant5'; nearest known: 'geant4'"),
        ("--position 1,2,3", "--position needs 1 or 2 numbers with commas between; got '1,2,3'"),
        ("--field 2", "--field needs 3 numbers with commas between; got '2'"),
    ],
)
def test_mistakes_are_named(calls: list, words: str, text: str) -> None:
    result = run("--particle", "e-", *words.split())
    assert isinstance(result.exception, RecipeError)
    assert text in str(result.exception)
    assert not calls


def test_a_list_of_particles(calls: list, tmp_path: Path) -> None:
    path = tmp_path / "jets.parquet"
    pq.write_table(pa.table({"energy": [[5.0, 2.0], [1.0]], "pdg_id": [[22, 211], [11]]}), path)
    assert bare("--particles", str(path)).output == "2 events of particles in toy-sandwich -> here\n"
    assert bare("--particles", str(path), "--events", "1").exit_code == 0
    assert [args[2] for args, _ in calls] == [2, 1]
    assert calls[0][0][1].primaries(1, 0, 2).energy_true.tolist() == [7.0, 1.0]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--events 5", "say what to shoot: --particle and --energy, or --particles with a list"),
        ("--events 5 --particle e-", "say what to shoot"),
        ("--particle e- --energy 5", "say how many events: --events N"),
        ("--particles list.parquet --energy 5", "--energy is for a gun; the list list.parquet says"),
        ("--particles list.parquet --angle 5", "--angle is for a gun"),
    ],
)
def test_gun_and_list_are_not_mixed(calls: list, words: str, text: str) -> None:
    result = bare(*words.split())
    assert isinstance(result.exception, RecipeError)
    assert text in str(result.exception)
    assert not calls


def test_interrupt_says_that_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(showercal.simulation, "simulate", interrupt)
    result = run("--particle", "e-")
    assert result.exit_code == 130
    assert "Finished parts are kept in here; the same command goes on" in result.output


def test_fast_is_the_default(calls: list) -> None:
    assert run("--particle", "e-", "--energy", "0:10", "--quiet").exit_code == 0
    assert calls[0][1]["backend"] == showercal.simulation.FastBackend()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--physics-list QGSP_BERT", "physics_list is for backend geant4, not for fast"),
        ("--backend geant4 --showers particles", "showers is for backend fast, not for geant4"),
        ("--backend geant4 --no-muon-nuclear", "muon_nuclear is for backend fast, not for geant4"),
        ("--backend geant4 --frozen-showers", "frozen_showers is for backend fast, not for geant4"),
    ],
)
def test_options_of_the_other_backend_are_refused(calls: list, words: str, text: str) -> None:
    result = run("--particle", "e-", *words.split())
    assert isinstance(result.exception, RecipeError)
    assert text in str(result.exception)
    assert not calls


def test_the_command_kept_with_events_is_taken_back(tmp_path: Path) -> None:
    words = (
        "toy-sandwich --particle e- --energy 1:3 --events 6 --seed 5 --field=-0.5,2,0 --centre=-37.5,1 --angle 0:30 "
    )
    words += "--showers gflash --muon-nuclear --no-frozen-showers --cut 1.5 --birks 0.126 --time-cut 150 "
    words += "--no-count-tracks"
    made = []
    for name in ("first", "again"):
        result = CliRunner().invoke(APP, [*words.split(), "--out", str(tmp_path / name), "--quiet"])
        assert result.exit_code == 0, result.output
        made.append(open_events(tmp_path / name).read())
        words = made[-1].provenance["command"].removeprefix("showercal simulate ")
    first, again = made
    assert ak.array_equal(first.array, again.array)
    assert first.provenance == again.provenance
    options = FastOptions(1.5, 0.126, 150.0, False, showers="gflash", muon_nuclear=True, frozen_showers=False)
    assert first.provenance["settings"] == options.to_dict()
