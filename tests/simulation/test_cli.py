"""The command line turns its words into one call of `simulate`; here that call is caught."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import showercal.simulation
from showercal.cli._simulate import simulate as command
from showercal.errors import RecipeError

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
    return CliRunner().invoke(APP, ["toy-sandwich", "--energy", "0:10", "--events", "20", "--out", "here", *words])


def test_the_documented_command(calls: list) -> None:
    result = run("--particle", "e-", "--backend", "geant4", "--seed", "1")
    assert result.exit_code == 0, result.output
    assert result.output == "20 events of e- in toy-sandwich -> here\n"
    ((calorimeter, gun, n_events), options) = calls[0]
    assert (calorimeter.name, n_events, options["seed"], options["folder"]) == ("toy-sandwich", 20, 1, Path("here"))
    assert gun.to_dict() == {"particle": "e-", "energy": "0:10", "half_width_x": 75.0, "half_width_y": 75.0}
    assert options["backend"] == showercal.simulation.Geant4Backend()


def test_every_option_arrives(calls: list) -> None:
    words = "--particle pi- --workers 2 --chunk-size 7 --physics-list QGSP_BERT --cut 1.5 --birks 0.126 --time-cut 150 "
    words += "--no-count-tracks --position 10,20 --field 0,2,0 --overwrite --quiet"
    result = run(*words.split())
    assert result.exit_code == 0, result.output
    ((calorimeter, gun, _), options) = calls[0]
    assert calorimeter.magnetic_field == (0.0, 2.0, 0.0)
    assert (gun.half_width_x, gun.half_width_y) == (10.0, 20.0)
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


def test_interrupt_says_that_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(showercal.simulation, "simulate", interrupt)
    result = run("--particle", "e-")
    assert result.exit_code == 130
    assert "Finished parts are kept in here; the same command goes on" in result.output
