"""`simulate`: particles into a folder of events, chunk by chunk, resumable."""

from __future__ import annotations

import contextlib
import shlex
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from showercal.detectors import DETECTORS, BoxCalorimeter
from showercal.errors import SimulationError
from showercal.progress import event_bar
from showercal.simulation._backend import Backend, ShowerTask
from showercal.simulation._plan import SimulationPlan, clear_plan, resume_plan
from showercal.simulation._showers import to_events
from showercal.simulation._source import ParticleSource, number_text
from showercal.storage import EventsWriter, StoredEvents, open_events

_LOGS: Final = "logs"
_CHUNK_LIMITS: Final = (50, 1000)
_LEAST_CHUNKS: Final = 64  # so that 16 workers end at about the same time


def simulate(
    calorimeter: BoxCalorimeter,
    source: ParticleSource,
    n_events: int,
    *,
    seed: int,
    backend: Backend,
    folder: str | Path,
    workers: int = 1,
    chunk_size: int | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> StoredEvents:
    """Simulate events and write them to a folder.

    Each event depends on (seed, event number) alone, so a sample is the same for any ``workers`` and ``chunk_size``.
    Each chunk is written when it is done, whole or not at all: after Ctrl-C, a crash or a kill the same call makes what
    is missing.

    Args:
        calorimeter: Where the particles go.
        source: The particles: a gun, or a list.
        n_events: How many events, at least 1, and at most what the source has.
        seed: At least 0.
        backend: The simulator.
        folder: Where to write; holds ``part-*.parquet``, the plan ``simulation.json`` and, while it runs or after a
            failure, the workers' logs.
        workers: Processes at once, at least 1.
        chunk_size: Events per part, at least 1; by default at most 1000, and fewer of a small sample, so that all
            workers have work: as many on any machine, so that the files are the same, too. One part is held in memory
            at a time.
        overwrite: Remove what an earlier simulation left in the folder instead of going on with it.
        progress: Show a progress bar with events per second on the terminal.

    Returns:
        The finished sample, opened.

    Raises:
        SimulationError: If the backend cannot run or fails, the folder holds other events, or a number is out of range.
    """
    for name, value in (("n_events", n_events), ("workers", workers), ("chunk_size", chunk_size)):
        if value is not None and value < 1:
            raise SimulationError(f"{name} must be >= 1; got {value}")
    folder, task = Path(folder), ShowerTask(calorimeter, source, seed)
    source.primaries(seed, 0, 0)  # refuses a bad seed before anything is written
    if source.n_events is not None and n_events > source.n_events:
        raise SimulationError(f"n_events must be at most the {source.n_events} of the source; got {n_events}")
    decisions = _decisions(task, backend)
    if overwrite:
        clear_plan(folder)
        shutil.rmtree(folder / _LOGS, ignore_errors=True)
    plan = resume_plan(folder, n_events, chunk_size, _default_chunk_size(n_events), decisions)
    if plan.missing(folder):
        backend.check()
        _run(task, backend, plan, folder, workers=workers, progress=progress)
    return open_events(folder)


def _run(
    task: ShowerTask, backend: Backend, plan: SimulationPlan, folder: Path, *, workers: int, progress: bool
) -> None:
    """Make the chunks that the folder lacks."""
    missing = plan.missing(folder)
    provenance = _provenance(task, plan)
    done = plan.n_events - sum(chunk.n_events for chunk in missing)
    bar = event_bar(f"{backend.name} {task.source.title}", plan.n_events, done, shown=progress)
    with EventsWriter(folder, resume=True) as writer, bar as on_events:
        plan.save(folder)
        results = backend.run(task, missing, workers=workers, log_folder=folder / _LOGS, on_events=on_events)
        with contextlib.closing(results):  # Ctrl-C or a fault here stops the workers at once
            for chunk, showers in results:
                primaries, keep = task.primaries(chunk), task.source.keeps_particles
                events = to_events(showers, primaries, task.calorimeter, provenance, keep_particles=keep)
                writer.write(events, number=chunk.number)
    shutil.rmtree(folder / _LOGS, ignore_errors=True)  # of a run that went well


def _decisions(task: ShowerTask, backend: Backend) -> dict[str, Any]:
    return {
        "calorimeter": task.calorimeter.to_dict(),
        task.source.name: task.source.to_dict(),
        "seed": task.seed,
        "backend": backend.name,
        "settings": dict(backend.settings(task)),
        "versions": dict(backend.versions),
    }


def _provenance(task: ShowerTask, plan: SimulationPlan) -> dict[str, Any]:
    kept = {key: value for key, value in plan.decisions.items() if key != "calorimeter"}
    kept["versions"] = {"showercal": version("showercal"), **kept["versions"]}
    return {**kept, "n_events": plan.n_events, "command": command_line(task, plan.n_events, plan.decisions)}


def command_line(task: ShowerTask, n_events: int, decisions: Mapping[str, Any]) -> str:
    """The command that makes the same events, without the folder it writes to."""
    words = ["showercal", "simulate", task.calorimeter.name, *task.source.command_options()]
    words += ["--events", str(n_events), "--backend", decisions["backend"], "--seed", str(task.seed)]
    name, field = task.calorimeter.name, task.calorimeter.magnetic_field
    if any(field) or (name in DETECTORS and field != DETECTORS[name]().magnetic_field):
        words += ["--field", ",".join(number_text(b) for b in field)]
    for key, value in decisions["settings"].items():
        option = key.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        elif value is not None:
            words += [f"--{option}", str(value)]
    return shlex.join(words)


def _default_chunk_size(n_events: int) -> int:
    smallest, largest = _CHUNK_LIMITS
    return min(largest, max(smallest, -(-n_events // _LEAST_CHUNKS)))
