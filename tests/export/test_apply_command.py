"""``showercal apply``: what it says, and what a signal leaves behind."""

from __future__ import annotations

import inspect
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from exported import Exported
from samples import toy_showers
from showercal import open_events
from showercal.cli._app import app
from showercal.cli._apply import apply
from showercal.defaults import DEFAULT_BATCH, DEFAULT_CHUNK
from showercal.errors import DataError
from showercal.export import apply_model, open_model
from showercal.readers import Mapping
from showercal.storage import part_files

Models = dict[str, Exported]


def run(*arguments: object) -> str:
    """Output and error output of the command."""
    result = CliRunner().invoke(app, ["apply", *(str(one) for one in arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_writes_and_counts(exported: Models, tmp_path: Path) -> None:
    toy_showers(40).save(tmp_path / "in")
    options = ["--threads", 1, "--chunk", 10, "--batch", 3]
    out = run(exported["line"].path, tmp_path / "in", "--out", tmp_path / "out", *options)
    assert "40/40" in out
    events = open_events(tmp_path / "out").read()
    outside = int(events.scalar("outside_training_range").sum())
    assert f"40 events -> {tmp_path / 'out'}\n" in out
    assert f"\n{outside} with an energy outside the training range, 1 to 9 GeV\n" in out
    assert len(part_files(tmp_path / "out")) == 4


def test_defaults_are_those_of_python() -> None:
    def default(function: Callable[..., object], name: str) -> object:
        return inspect.signature(function).parameters[name].default

    assert default(apply, "chunk") == default(apply_model, "chunk") == DEFAULT_CHUNK
    assert default(apply, "batch") == default(open_model, "batch_size") == DEFAULT_BATCH
    assert default(apply, "threads") is default(open_model, "threads") is None
    assert default(apply, "overwrite") is default(apply_model, "overwrite") is False
    told = CliRunner().invoke(app, ["apply", "--help"], env={"COLUMNS": "200"}).output
    assert f"[default: {DEFAULT_CHUNK}]" in told
    assert f"[default: {DEFAULT_BATCH}]" in told


def test_several_folders_are_one_output(exported: Models, tmp_path: Path) -> None:
    """In the order given."""
    first, second = toy_showers(20), toy_showers(30, seed=2)
    first.save(tmp_path / "first")
    second.save(tmp_path / "second")
    out = tmp_path / "out.parquet"
    told = run(exported["line"].path, tmp_path / "second", tmp_path / "first", "--out", out, "--chunk", 7)
    assert f"50 events -> {out}\n" in told
    events = open_events(out).read()
    np.testing.assert_array_equal(events.energy_true, np.concatenate([second.energy_true, first.energy_true]))
    assert [one["seed"] for one in events.provenance["samples"]] == [2, 1]


def test_says_how_many_the_mapping_selects(exported: Models, tmp_path: Path) -> None:
    toy_showers(40).save(tmp_path / "in")
    mapping = {
        "geometry": "toy-sandwich",
        "select": "energy_true > 5",
        "fields": {
            "energy_true": {"branch": "energy_true", "unit": "GeV"},
            "cells.id": {"branch": "cells.id", "unit": "1"},
            "cells.tracks": {"branch": "cells.tracks", "unit": "1"},
        },
    }
    Mapping.parse(mapping, where="m.yaml")
    (tmp_path / "m.yaml").write_text(str(mapping))  # YAML reads this form too
    source = tmp_path / "in" / "part-00000.parquet"
    where = ["--mapping", tmp_path / "m.yaml", "--out", tmp_path / "o.parquet", "--quiet"]
    out = run(exported["line"].path, source, *where)
    n_kept = int((toy_showers(40).energy_true > 5).sum())
    assert out.startswith(f"{n_kept} events of 40, as the mapping selects, -> ")
    assert open_events(tmp_path / "o.parquet").n_events == n_kept


def test_refusals_leave_nothing(exported: Models, tmp_path: Path) -> None:
    toy_showers(4).save(tmp_path / "in")
    with pytest.raises(DataError, match=r"by the suffix '\.txt'"):
        run(exported["line"].path, tmp_path / "in", "--out", tmp_path / "out.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(
    ("form", "n_events", "sent"), [("out.root", 3000, signal.SIGINT), ("out", 300, signal.SIGKILL)]
)
def test_signals(form: str, n_events: int, sent: signal.Signals, exported: Models, tmp_path: Path) -> None:
    """Ctrl-C leaves no half file; finished parts survive even a kill, and the same command goes on behind them."""
    toy_showers(n_events).save(tmp_path / "in")
    out, partial = tmp_path / form, tmp_path / f"{form}.partial"
    arguments = [exported["line"].path, tmp_path / "in", "--out", out, "--chunk", 1]
    # a shell starts what it runs in the background deaf to Ctrl-C
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "from showercal.cli import main; main()"
    command = [sys.executable, "-c", code, "apply", *(str(one) for one in arguments)]

    def has_begun() -> bool:
        return len(part_files(partial)) > 2 if form == "out" else partial.exists() and partial.stat().st_size > 10_000

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not has_begun():
            assert time.monotonic() < deadline, "waited in vain"
            assert process.poll() is None, "too fast for this test"
            time.sleep(0.01)
        process.send_signal(sent)
        _, told = process.communicate(timeout=60)
    assert not out.exists()
    if sent == signal.SIGINT:
        assert process.returncode == 130
        assert "Traceback" not in told
        assert "Interrupted. Nothing was written." in told
        assert [path.name for path in tmp_path.iterdir()] == ["in"]
        return
    n_parts = len(part_files(partial))
    assert f"{partial} holds {n_parts} finished parts: they are kept" in run(*arguments)
    assert open_events(out).n_events == n_events
    assert not partial.exists()
