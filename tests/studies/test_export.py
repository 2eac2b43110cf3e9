"""A method of a finished run as one file: with its calibration and training range, and not by mistake."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from showercal.cli._app import app
from showercal.errors import DataError, ExportError, ShowercalError
from showercal.export import open_model
from showercal.studies import Recipe, export_run, open_run, read_events, run_study
from showercal.studies._data import split

from .conftest import showers


def test_the_file_is_the_method_with_its_calibration(finished: Path, tmp_path: Path) -> None:
    run, said = open_run(finished), []
    done = export_run(run, "trees", tmp_path / "trees.onnx", say=said.append)
    assert said == ["Trees: exporting, then comparing on 150 test events"]
    assert done.parity.n_events == 150
    assert done.parity.worst <= 1e-5
    train = split(read_events(run.recipe.data), run.recipe.data.split).train.energy_true
    assert done.info.energy_range == (train.min(), train.max()) == run.energy_range("trees")
    assert (done.info.method, done.info.label, done.info.study) == ("trees", "Trees", "tiny")
    assert done.parity.small == pytest.approx(0.05 * train.max())
    events = showers(40, seed=3)
    model = open_model(done.path)
    assert model.info == done.info
    np.testing.assert_allclose(model.predict(events).energy, run.predict("trees", events).median, rtol=1e-5)
    assert not np.allclose(model.predict(events).energy, run.method("trees").predict(events).median, rtol=1e-5)


def test_a_file_is_replaced_only_when_asked(finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "line.onnx"
    path.write_text("mine")
    with pytest.raises(ExportError, match=r"line.onnx is there already; choose another --out, or .* with --overwrite"):
        export_run(open_run(finished), "line", path)
    assert path.read_text() == "mine"
    assert export_run(open_run(finished), "line", path, n_events=5, overwrite=True).parity.n_events == 5
    assert open_model(path).info.method == "line"


@pytest.mark.parametrize(
    ("name", "path", "message"),
    [
        ("tree", "a.onnx", "has no method 'tree'; nearest known: 'trees'"),
        ("line", "none/a.onnx", r"a.onnx has no folder: .*none is missing; name a file in a folder that is there"),
        ("line", "", "is a folder; name a file in a folder that is there, e.g. line.onnx"),
    ],
)
def test_refusals(finished: Path, tmp_path: Path, name: str, path: str, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        export_run(open_run(finished), name, tmp_path / path)
    assert not list(tmp_path.iterdir())


def test_an_unfinished_run_is_refused(copied: Path, tmp_path: Path) -> None:
    (copied / "results.json").unlink()
    with pytest.raises(DataError, match="the run is not finished; start it again to go on"):
        export_run(open_run(copied), "line", tmp_path / "a.onnx")
    (copied / "methods" / "line" / "done.json").unlink()
    with pytest.raises(DataError, match=r"method 'line' of .* is not fitted: run the study again to go on"):
        export_run(open_run(copied), "line", tmp_path / "a.onnx")


@pytest.mark.usefixtures("no_figures")
def test_a_run_without_training_energies_gets_them(
    copied: Path, make_recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    """From a second run, which finds the fits done."""
    expected = open_run(copied).energy_range("line")
    path = copied / "methods" / "line" / "done.json"
    notes = json.loads(path.read_text())
    del notes["energy_range"]
    path.write_text(json.dumps(notes))
    with pytest.raises(DataError, match=r"does not say which energies 'line' learned from: .* run the study again"):
        export_run(open_run(copied), "line", tmp_path / "a.onnx")
    said: list[str] = []
    run_study(make_recipe(), copied, say=said.append)
    assert "Line: done before" in said
    assert not [text for text in said if text.endswith(": fitting")]
    assert open_run(copied).energy_range("line") == expected


def command(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["export", *(str(one) for one in arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_tells_what_it_wrote(finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "line.onnx"
    first, title, *lines = command(finished, "--method", "line", "--out", path, "--compare", 100).splitlines()
    assert first == "Line: exporting, then comparing on 100 test events"
    assert title == f"Line of study tiny -> {path}, {path.stat().st_size / 1024:,.0f} kB"
    assert [line.split() for line in lines[:4]] == [
        ["inputs", "offsets", "int64", "(B", "+", "1)"],
        ["cells.id", "int64", "(H)"],
        ["cells.tracks", "float32", "(H)"],
        ["outputs", "energy", "float32", "(B)", "[GeV]"],
    ]
    low, high = open_run(finished).energy_range("line")
    assert lines[4] == f"learned from energies of {low:.4g} to {high:.4g} GeV"
    assert lines[5].startswith("energy differs from Python's by at most ")
    assert lines[5].endswith(" GeV, in 100 events")
    with pytest.raises(ShowercalError, match="--overwrite"):
        command(finished, "--method", "line", "--out", path)
    command(finished, "--method", "line", "--out", path, "--overwrite")
