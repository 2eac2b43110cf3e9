"""`digitise`: a folder of events into a folder of digitised ones, chunk by chunk, resumable."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from showercal.detectors import BoxCalorimeter
from showercal.errors import DataError, SimulationError
from showercal.events import Events, concatenate
from showercal.progress import event_bar
from showercal.simulation._digitisation import Digitiser
from showercal.simulation._digitisation_options import DigitisationOptions
from showercal.simulation._plan import clear_plan, resume_plan
from showercal.storage import EventSource, EventsWriter, StoredEvents, open_events

_PLAN_FILE: Final = "digitisation.json"
_CHUNK: Final = 1000
_STEP: Final = 200  # events at once: at 5,000 cells each the arrays of a whole chunk would take a gigabyte


def digitise(
    source: EventSource,
    options: DigitisationOptions,
    *,
    seed: int,
    folder: str | Path,
    chunk_size: int | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> StoredEvents:
    """Digitise events and write them to a folder.

    Each event depends on (seed, event number) and its own cells alone. Each chunk is written whole or not at all: after
    Ctrl-C or a kill the same call makes what is missing.

    Args:
        source: The events, of any simulator or file, with the geometry of a box calorimeter.
        options: What is done to their cells.
        seed: Decides photo-electrons and noise, at least 0.
        folder: Where to write; holds ``part-*.parquet`` and the plan ``digitisation.json``.
        chunk_size: Events per part and in memory at a time, at least 1; 1000 by default.
        overwrite: Remove what an earlier digitisation left in the folder instead of going on with it.
        progress: Show a progress bar with events per second on the terminal.

    Returns:
        The finished sample, opened.

    Raises:
        SimulationError: If the folder holds other events or a number is out of range.
        RecipeError: If the options do not fit the calorimeter.
        DataError: If the events have no geometry, or are digitised already.
    """
    folder = Path(folder)
    if chunk_size is not None and chunk_size < 1:
        raise SimulationError(f"chunk_size must be >= 1; got {chunk_size}")
    if not 0 <= seed < 2**64:
        raise SimulationError(f"the seed must be in [0, 2^64); got {seed}")
    _check(source, folder)
    assert source.geometry is not None and source.n_events is not None
    digitiser = Digitiser(BoxCalorimeter.from_dict(dict(source.geometry)), options, seed)
    if overwrite:
        clear_plan(folder, _PLAN_FILE)
    decisions = {"options": options.to_dict(), "seed": seed, "source": _description(source)}
    plan = resume_plan(folder, source.n_events, chunk_size, _CHUNK, decisions, file=_PLAN_FILE)
    missing = {chunk.number: chunk for chunk in plan.missing(folder)}
    done = plan.n_events - sum(chunk.n_events for chunk in missing.values())
    provenance = {
        **source.provenance,
        "digitisation": {"options": options.to_dict(), "seed": seed, "showercal": version("showercal")},
    }
    if missing:
        bar = event_bar("digitise", plan.n_events, done, shown=progress)
        with EventsWriter(folder, resume=True) as writer, bar as on_events:
            plan.save(folder)
            for number, block in enumerate(_blocks(source, plan.chunk_size)):
                if number in missing:
                    first = missing[number].first_event
                    steps = range(0, len(block), _STEP)
                    made = concatenate([digitiser(block[k : k + _STEP], first + k) for k in steps])
                    writer.write(Events(made.array, made.units, made.geometry, provenance), number=number)
                    on_events(len(block))
    return open_events(folder)


def _check(source: EventSource, folder: Path) -> None:
    if source.geometry is None:
        raise DataError("events without geometry cannot be digitised; name it in the mapping (geometry: toy-sandwich)")
    if source.n_events is None:
        raise DataError(
            "how many events a selection keeps is not known beforehand; write them to a folder first "
            "(showercal.storage.convert) and digitise that"
        )
    if "digitisation" in source.provenance:
        raise DataError("these events are digitised already; digitise the simulated ones")
    if any(path.resolve().parent == folder.resolve() for path in source.paths):
        raise SimulationError(f"{folder} holds the events themselves; digitise into another folder")


def _description(source: EventSource) -> dict[str, Any]:
    return {"events": source.n_events, "provenance": dict(source.provenance), "files": [p.name for p in source.paths]}


def _blocks(source: EventSource, size: int) -> Iterator[Events]:
    """Blocks of ``size`` events each, the last one may be shorter; parts of the source are joined where needed."""
    waiting: list[Events] = []
    for block in source.chunks(size):
        rest = block
        while len(rest):
            room = size - sum(len(one) for one in waiting)
            waiting.append(rest[:room])
            rest = rest[room:]
            if sum(len(one) for one in waiting) == size:
                yield concatenate(waiting)
                waiting = []
    if waiting:
        yield concatenate(waiting)
