"""Runs: the same events however they are cut, nothing lost by a crash or Ctrl-C, other options refused."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import awkward as ak
import pytest

from showercal.detectors import detector
from showercal.errors import SimulationError
from showercal.simulation import EventList, ParticleGun, ShowerTask, parse_spectrum, simulate
from showercal.simulation._simulate import command_line
from showercal.storage import StoredEvents, open_events, part_files

CALORIMETER = detector("toy-sandwich")
GUN = ParticleGun("e-", parse_spectrum("0:10"), 75.0, 75.0)


def run(folder: Path, backend: object, n_events: int = 25, **options: object) -> StoredEvents:
    given = {"seed": 1, "workers": 1, "chunk_size": 10, **options}
    return simulate(CALORIMETER, GUN, n_events, backend=backend, folder=folder, **given)


def no_temporary_files(folder: Path) -> bool:
    return not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_events_do_not_depend_on_workers_or_chunks(tmp_path: Path, stand_in: Callable) -> None:
    one = run(tmp_path / "one", stand_in(), chunk_size=25).read()
    two = run(tmp_path / "two", stand_in(), chunk_size=4, workers=2).read()
    assert ak.array_equal(one.array, two.array)
    assert len(set(one.energy_true)) == 25
    assert one.geometry == two.geometry == CALORIMETER.to_dict()


def test_provenance_tells_how_to_make_the_events_again(tmp_path: Path, stand_in: Callable) -> None:
    provenance = run(tmp_path / "out", stand_in()).provenance
    assert provenance["command"] == (
        "showercal simulate toy-sandwich --particle e- --energy 0:10 --position 75,75 --events 25 "
        "--backend stand-in --seed 1 --option 0"
    )
    assert provenance["gun"] == GUN.to_dict()
    assert set(provenance["versions"]) == {"showercal", "stand-in"}
    assert str(tmp_path) not in json.dumps(provenance) + (tmp_path / "out" / "simulation.json").read_text()


@pytest.mark.parametrize(
    ("name", "field", "words"),
    [
        ("toy-sandwich", (0.0, 0.0, 0.0), []),
        ("toy-sandwich", (-0.123456789, 2.0, 0.0), ["--field", "-0.123456789,2,0"]),
        ("pbwo4-block", (0.0, 0.0, 0.0), ["--field", "0,0,0"]),  # its own is another
        ("mine", (0.0, 0.0, 0.0), []),
    ],
)
def test_the_command_tells_the_field(name: str, field: tuple[float, float, float], words: list[str]) -> None:
    calorimeter = detector("pbwo4-block" if name == "pbwo4-block" else "toy-sandwich")
    task = ShowerTask(replace(calorimeter, name=name, magnetic_field=field), GUN, 1)
    command = shlex.split(command_line(task, 5, {"backend": "fast", "settings": {}}))
    assert command[command.index("--seed") + 2 :] == words


def test_a_finished_folder_is_left_as_it_is(tmp_path: Path, stand_in: Callable) -> None:
    run(tmp_path / "out", stand_in())
    before = [(path.name, path.stat().st_mtime_ns) for path in part_files(tmp_path / "out")]
    run(tmp_path / "out", stand_in(misdeed="crash-always"))  # nothing to do: no worker starts
    assert [(path.name, path.stat().st_mtime_ns) for path in part_files(tmp_path / "out")] == before


def test_only_missing_and_damaged_parts_are_made_again(tmp_path: Path, stand_in: Callable) -> None:
    expected = run(tmp_path / "out", stand_in()).read()
    parts = part_files(tmp_path / "out")
    parts[1].unlink()
    parts[2].write_bytes(parts[2].read_bytes()[:100])
    kept = parts[0].stat().st_mtime_ns
    again = run(tmp_path / "out", stand_in(), chunk_size=None).read()
    assert ak.array_equal(again.array, expected.array)
    assert parts[0].stat().st_mtime_ns == kept


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"seed": 2}, "seed was 1, now 2"),
        ({"n_events": 30}, "n_events was 25, now 30"),
        ({"chunk_size": 5}, "chunk_size was 10, now 5"),
        ({"option": 3}, r"settings\.option was 0, now 3"),
    ],
)
def test_other_options_are_refused_by_name(tmp_path: Path, stand_in: Callable, change: dict, text: str) -> None:
    run(tmp_path / "out", stand_in())
    option = change.pop("option", 0)
    with pytest.raises(SimulationError, match=f"begun with other options.*{text}"):
        run(tmp_path / "out", stand_in(option=option), **change)


def test_overwriting_replaces_the_sample(tmp_path: Path, stand_in: Callable) -> None:
    run(tmp_path / "out", stand_in())
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert run(tmp_path / "out", stand_in(), n_events=8, seed=2, overwrite=True).n_events == 8
    assert (tmp_path / "out" / "notes.txt").exists()


def test_events_without_a_plan_are_not_continued(tmp_path: Path, stand_in: Callable) -> None:
    run(tmp_path / "out", stand_in())
    (tmp_path / "out" / "simulation.json").unlink()
    with pytest.raises(SimulationError, match=r"holds events but no simulation\.json"):
        run(tmp_path / "out", stand_in())


def test_a_crashed_worker_is_replaced(tmp_path: Path, stand_in: Callable) -> None:
    expected = run(tmp_path / "good", stand_in()).read()
    crashed = run(tmp_path / "out", stand_in(misdeed="crash-once"), workers=2).read()
    assert (tmp_path / "flags" / "crashed").exists()
    assert ak.array_equal(crashed.array, expected.array)
    assert not (tmp_path / "out" / "logs").exists()


def test_a_worker_that_always_crashes_ends_the_run_and_loses_nothing(tmp_path: Path, stand_in: Callable) -> None:
    with pytest.raises(SimulationError, match="died 3 times in events 10 to 19") as caught:
        run(tmp_path / "out", stand_in(misdeed="crash-always"), n_events=30)
    assert "SIGABRT" in str(caught.value)
    assert "a volume overlaps itself" in str(caught.value)  # the end of its log
    assert [path.name for path in part_files(tmp_path / "out")] == ["part-00000.parquet"]
    assert run(tmp_path / "out", stand_in(), n_events=30).n_events == 30  # and the mended run goes on


def test_a_fault_that_a_worker_explains_is_not_tried_again(tmp_path: Path, stand_in: Callable) -> None:
    with pytest.raises(SimulationError, match=r"^the stand-in does not like this setup$"):
        run(tmp_path / "out", stand_in(misdeed="fault"))


def test_numbers_out_of_range_are_refused(tmp_path: Path, stand_in: Callable) -> None:
    for name in ("n_events", "workers", "chunk_size"):
        with pytest.raises(SimulationError, match=f"{name} must be >= 1; got 0"):
            run(tmp_path / "out", stand_in(), **{name: 0})
    assert not (tmp_path / "out").exists()


def test_interrupt_keeps_finished_chunks_and_stops_the_workers(tmp_path: Path, stand_in: Callable) -> None:
    """Ctrl-C of a real process, in the middle of its second chunk; then the same call finishes the job."""
    script = f"""
        import sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from conftest import StandInBackend
        from test_simulate import run
        run(Path({str(tmp_path / "out")!r}), StandInBackend(Path({str(tmp_path / "flags")!r}), "slow"), n_events=100)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stderr=subprocess.PIPE)
    wait_for(lambda: (tmp_path / "flags" / "slow").exists() and part_files(tmp_path / "out"))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert b"KeyboardInterrupt" in errors
    assert [path.name for path in part_files(tmp_path / "out")] == ["part-00000.parquet"]
    assert no_temporary_files(tmp_path / "out")
    workers = [int(path.name.removeprefix("pid-")) for path in (tmp_path / "flags").glob("pid-*")]
    assert workers
    wait_for(lambda: not any(is_running(pid) for pid in workers))
    finished = run(tmp_path / "out", stand_in(), n_events=100)
    assert ak.array_equal(finished.read().array, run(tmp_path / "whole", stand_in(), n_events=100).read().array)


def test_a_list_of_particles_makes_events_that_make_the_list_again(tmp_path: Path, stand_in: Callable) -> None:
    given = {"pdg_id": [[11, 22], [], [211]], "energy": [[3.0, 1.0], [], [7.5]], "ux": [[0.1, 0.2], [], [0.0]]}
    listed = EventList.from_arrays({**given, "uy": 0.0, "uz": 1.0, "z": -100.0, "time": [[0, 5], [], [2]]})

    def sample(name: str, source: EventList) -> StoredEvents:
        return simulate(CALORIMETER, source, 3, seed=1, backend=stand_in(), folder=tmp_path / name, chunk_size=2)

    first = sample("first", listed)
    events = first.read()
    assert events.energy_true.tolist() == [4.0, 0.0, 7.5]
    assert events.array.particles.pdg_id.tolist() == given["pdg_id"]
    assert first.provenance["list"]["particles"] == {"e-": 1, "gamma": 1, "pi+": 1}
    assert first.provenance["command"].startswith("showercal simulate toy-sandwich --particles particles.parquet --ev")
    again = EventList.read(tmp_path / "first")
    assert again.to_dict()["sha256"] == listed.to_dict()["sha256"]
    assert ak.array_equal(sample("again", again).read().array, events.array)
    with pytest.raises(SimulationError, match="n_events must be at most the 3 of the source; got 4"):
        simulate(CALORIMETER, listed, 4, seed=1, backend=stand_in(), folder=tmp_path / "more")


def test_another_list_of_the_same_name_is_refused(tmp_path: Path, stand_in: Callable) -> None:
    for energy, fault in (([1.0, 2.0], None), ([1.0, 2.5], r"list\.sha256 was")):
        source = EventList.from_arrays({"energy": energy}, particle="e-")
        with pytest.raises(SimulationError, match=fault) if fault else contextlib.nullcontext():
            simulate(CALORIMETER, source, 2, seed=1, backend=stand_in(), folder=tmp_path / "out")


def test_progress_counts_every_event_once(tmp_path: Path, stand_in: Callable) -> None:
    """Also those of a chunk that was begun twice."""
    from showercal.simulation import Chunk, ShowerTask

    counted: list[int] = []
    backend = stand_in(misdeed="crash-once")
    backend.check()
    chunks = [Chunk(0, 0, 10), Chunk(1, 10, 10)]
    task = ShowerTask(CALORIMETER, GUN, 1)
    done = list(backend.run(task, chunks, workers=1, log_folder=tmp_path / "logs", on_events=counted.append))
    assert [chunk.number for chunk, _ in done] == [0, 1]
    assert sum(counted) == 20
    assert min(counted) == -2  # what the crash undid


def test_progress_bar_is_shown_when_asked(
    tmp_path: Path, stand_in: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path / "quiet", stand_in())
    assert capsys.readouterr().out == ""
    run(tmp_path / "out", stand_in(), progress=True)
    shown = capsys.readouterr().out
    assert "25/25" in shown
    assert "events/s" in shown
    assert open_events(tmp_path / "out").n_events == 25


def test_importing_the_folder_is_light() -> None:
    code = "import sys, showercal.simulation; print([m for m in ('torch', 'geant4_pybind') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
