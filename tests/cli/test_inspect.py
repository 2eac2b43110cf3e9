import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from showercal.cli._inspect import inspect
from showercal.errors import DataError


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    app = typer.Typer()
    app.command()(inspect)
    return lambda *arguments: CliRunner().invoke(app, [str(one) for one in arguments])


def words(result):
    assert result.exception is None, result.exception
    return " ".join(result.stdout.replace("│", " ").split())


def test_our_own_events(run, make_events, tmp_path):
    events = make_events(40)
    events.save(tmp_path)
    text = words(run(tmp_path, "--event", "3"))
    assert "40 events" in text
    assert "cells.energy var * float32 GeV" in text
    assert "toy-sandwich: 17 layers x 8 x 8 = 1,088 cells of 75 x 75 mm; 931.5 mm deep" in text
    assert "X0" in text
    assert "lambda_I" in text
    assert f"energy_true from {events.energy_true.min():.4g} to {events.energy_true.max():.4g} GeV" in text
    assert "event 3 " in text
    assert f"cells: {len(events.array.cells[3])}" in text
    assert '"seed": 1' in text


def test_cells_are_placed(run, tmp_path):
    table = {"energy_true": [1.0, 2.0], "x": [0.0, 0.0], "y": [0.0, 0.0], "cell": [[], [3 * 64 + 2 * 8 + 1]]}
    pq.write_table(pa.table(table | {"energy": [[], [0.25]], "tracks": [[], [4]]}), tmp_path / "e.parquet")
    text = words(run(tmp_path / "e.parquet", "-m", "g4_toy_electrons", "-e", "1"))
    assert "209 0.00025 4 3, 2, 1" in text
    assert "cells: 1, 0.50 per event" in text
    assert "cells.energy: 0.000125 GeV per event = 0.008% of the true energy" in text


def test_events_without_truth_and_geometry(run, tmp_path):
    pq.write_table(pa.table({"e": np.arange(3.0)}), tmp_path / "e.parquet")
    (tmp_path / "m.yaml").write_text("fields: {energy_visible: {branch: e, unit: MeV}}")
    text = words(run(tmp_path / "e.parquet", "-m", tmp_path / "m.yaml"))
    assert "energy_visible: 0.001 GeV per event" in text
    assert "energy_true" not in text


def test_several_files(run, make_events, tmp_path):
    pq.write_table(pa.table({"Eabs": [1.0], "e": [1.0]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"Eabs": [1.0], "e": [1.0]}), tmp_path / "b.parquet")
    (tmp_path / "m.yaml").write_text("fields: {energy_true: {branch: e, unit: GeV}}")
    assert "2 events" in words(run(tmp_path / "a.parquet", tmp_path / "b.parquet", "-m", tmp_path / "m.yaml"))


def test_foreign_files_need_a_mapping(run, tmp_path):
    pq.write_table(pa.table({"e": [1.0]}), tmp_path / "e.parquet")
    result = run(tmp_path / "e.parquet")
    assert isinstance(result.exception, DataError)
    assert "name a mapping" in str(result.exception)


def test_the_geant4_sample(run, shared_data):
    text = words(run(shared_data / "g4_toy_electrons.parquet", "-m", "g4_toy_electrons"))
    assert "100,000 events" in text
    assert "16.3" in text  # lit cells per event
