"""Folders: the same events however they are cut, resumed, and told apart from others."""

from __future__ import annotations

import shutil
from pathlib import Path

import awkward as ak
import pytest
import typer
from typer.testing import CliRunner

import showercal
from showercal.cli._digitise import digitise as command
from showercal.errors import DataError, RecipeError, SimulationError
from showercal.events import Events
from showercal.simulation import DigitisationOptions, digitise
from showercal.storage import EventSource, EventsWriter, StoredEvents, open_events, part_files

SAMPLE = Path(showercal.__file__).parent / "data_samples" / "toy_sandwich_electrons"
OPTIONS = DigitisationOptions(photo_electrons_per_mev=20.0, noise_mev=0.05, threshold_sigma=4.0)
APP = typer.Typer()
APP.command()(command)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> StoredEvents:
    """70 electrons in parts of 30, 30 and 10."""
    folder = tmp_path_factory.mktemp("electrons")
    events = next(open_events(SAMPLE).chunks(70))
    with EventsWriter(folder) as writer:
        for start in (0, 30, 60):
            writer.write(events[start : start + 30])
    return open_events(folder)


def run(source: EventSource, folder: Path, **options: object) -> StoredEvents:
    return digitise(source, **{"options": OPTIONS, "seed": 3, "folder": folder, **options})


def test_events_do_not_depend_on_parts(tmp_path: Path, source: StoredEvents) -> None:
    one = run(source, tmp_path / "one")
    two = run(source, tmp_path / "two", chunk_size=25)
    assert [open_events(part).n_events for part in part_files(tmp_path / "two")] == [25, 25, 20]
    assert ak.array_equal(one.read().array, two.read().array)
    assert one.geometry == source.geometry
    assert one.read().energy_true.tolist() == source.read().energy_true.tolist()


def test_provenance_keeps_the_simulation_and_names_the_options(tmp_path: Path, source: StoredEvents) -> None:
    provenance = dict(run(source, tmp_path / "out").provenance)
    said = provenance.pop("digitisation")
    assert provenance == source.provenance
    assert (said["options"], said["seed"]) == (OPTIONS.to_dict(), 3)


def test_only_missing_and_damaged_parts_are_made_again(tmp_path: Path, source: StoredEvents) -> None:
    expected = run(source, tmp_path / "out", chunk_size=25).read()
    parts = part_files(tmp_path / "out")
    parts[1].unlink()
    parts[2].write_bytes(parts[2].read_bytes()[:100])
    kept = parts[0].stat().st_mtime_ns
    assert ak.array_equal(run(source, tmp_path / "out").read().array, expected.array)
    assert parts[0].stat().st_mtime_ns == kept


def test_other_options_events_and_folders_are_refused(tmp_path: Path, source: StoredEvents) -> None:
    done = run(source, tmp_path / "out")
    with pytest.raises(SimulationError, match=r"begun with other options.*options\.noise_mev was 0.05, now 0.1"):
        run(source, tmp_path / "out", options=DigitisationOptions(**{**vars(OPTIONS), "noise_mev": 0.1}))
    with pytest.raises(SimulationError, match=r"begun with other options.*seed was 3, now 4"):
        run(source, tmp_path / "out", seed=4)
    assert run(source, tmp_path / "out", seed=4, overwrite=True).n_events == 70
    with pytest.raises(DataError, match="digitised already"):
        run(done, tmp_path / "again")
    with pytest.raises(SimulationError, match="holds the events themselves; digitise into another folder"):
        run(source, source.paths[0].parent, overwrite=True)
    assert source.read().energy_true.shape == (70,)
    with pytest.raises(SimulationError, match="chunk_size must be >= 1; got 0"):
        run(source, tmp_path / "new", chunk_size=0)
    with pytest.raises(SimulationError, match="seed must be in"):
        run(source, tmp_path / "new", seed=-1)
    with pytest.raises(RecipeError, match="'toy-sandwich' has 17 layers"):
        run(source, tmp_path / "new", options=DigitisationOptions(sampling_fraction=(1.0, 2.0)))
    assert not (tmp_path / "new").exists()


def test_events_without_geometry_are_refused(tmp_path: Path, source: StoredEvents) -> None:
    events = source.read()
    Events(events.array, events.units, None, {}).save(tmp_path / "bare")
    with pytest.raises(DataError, match="events without geometry cannot be digitised"):
        run(open_events(tmp_path / "bare"), tmp_path / "out")


def test_the_documented_command(tmp_path: Path, source: StoredEvents) -> None:
    folder, out = str(source.paths[0].parent), str(tmp_path / "out")
    (tmp_path / "options.json").write_text('{"photo_electrons_per_mev": 20, "noise_mev": 1, "threshold_sigma": 4}')
    words = [folder, "--out", out, "--options", str(tmp_path / "options.json"), "--noise-mev", "0.05", "--seed", "3"]
    result = CliRunner().invoke(APP, [*words, "--quiet"])
    assert result.output == f"70 digitised events -> {out}\n"
    assert ak.array_equal(open_events(out).read().array, run(source, tmp_path / "expected").read().array)
    shutil.rmtree(out)
    layers = ",".join(["0.1"] * 17)
    flags = f"--sampling-fraction {layers} --two-sided --threshold-mev 1 --adc-step-mev 0.5 --adc-bits 10 --gain-seed 2"
    result = CliRunner().invoke(APP, [folder, "--out", out, *flags.split()])
    assert "70/70" in result.output
    assert open_events(out).provenance["digitisation"]["options"] == {
        "sampling_fraction": [0.1] * 17,
        "two_sided": True,
        "threshold_mev": 1.0,
        "adc_step_mev": 0.5,
        "adc_bits": 10,
        "gain_seed": 2,
    }


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--noise-mev much", "--noise-mev needs one number, or one per layer with commas between; got 'much'"),
        ("--noise-mev 1", "noise without zero suppression"),
        ("--options bad.json", "bad.json is not JSON"),
        ("--options list.json", 'list.json must hold options by name, as {"noise_mev": 0.3}; got a list'),
    ],
)
def test_mistakes_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.json").write_text("noise")
    Path("list.json").write_text("[1]")
    result = CliRunner().invoke(APP, [str(SAMPLE), "--out", "out", *words.split()])
    assert isinstance(result.exception, RecipeError)
    assert text in str(result.exception)
