"""The events of a study: found, read, and split into disjoint parts."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from showercal.errors import DataError, RecipeError, nearest
from showercal.events import OFFSETS, Events, check_truth
from showercal.readers import find_files, load_mapping, open_any
from showercal.studies._cache import essence
from showercal.studies._cells_above import CellCut
from showercal.studies._recipe import DataConfig, FoldConfig, Recipe, SplitConfig
from showercal.studies._scratch import ScratchEvents

SAMPLES: Final = Path(__file__).parents[1] / "data_samples"
_EVENTS_AT_A_TIME: Final = 1000  # while reading; of muons with 6,000 cells each 50 MB


@dataclass(frozen=True)
class Parts:
    """Disjoint events to learn from, to stop and calibrate on, and to judge on."""

    train: Events
    validation: Events
    test: Events


def locate(data: DataConfig) -> Path:
    """Path of the events.

    Raises:
        RecipeError: If neither a sample nor a path is named, there is no such sample, or the events are still to be
            simulated.
    """
    if data.events is not None:
        return Path(data.events)
    if data.simulated is not None:
        raise RecipeError(
            "these events are simulated by the run of the study: run it, then name the folder of events inside it as "
            "data.events"
        )
    if data.sample is None:
        raise RecipeError("the recipe names no events: give data.sample or data.events (command line: --events PATH)")
    path = SAMPLES / data.sample
    if not path.is_dir():
        known = [p.name for p in SAMPLES.iterdir() if p.is_dir()]
        raise RecipeError(f"no packaged sample {data.sample!r}; {nearest(data.sample, known)}")
    return path


def file_hashes(data: DataConfig) -> tuple[str, ...]:
    """Hash of the contents of each file of the events.

    Raises:
        DataError: If there is nothing at the path.
    """
    hashes = []
    for file in find_files(locate(data)):
        with file.open("rb") as handle:
            hashes.append(hashlib.file_digest(handle, "sha256").hexdigest()[:16])
    return tuple(hashes)


def fingerprint(data: DataConfig) -> str:
    """Hash of the contents of all files of the events and of how they are read: mapping, geometry, limit, cells.

    Raises:
        DataError: If there is nothing at the path.
    """
    how: dict[str, Any] = {"files": file_hashes(data), "limit": data.limit}
    if data.cells_above is not None:
        how["cells_above"] = essence(data.cells_above)
    if data.mapping is not None:
        how["mapping"] = load_mapping(data.mapping).model_dump(mode="json")
        how["geometry"] = open_any(locate(data), data.mapping).geometry
    return hashlib.sha256(json.dumps(how, sort_keys=True, default=str).encode()).hexdigest()[:16]


def read_events(
    data: DataConfig, scratch: str | Path | None = None, *, say: Callable[[str], None] = lambda _: None
) -> Events:
    """All events of the study, with checked truth; their arrays lie on disk and come into memory as they are used.

    Args:
        data: Where they are and how to read them.
        scratch: In whose file system they are kept, as long as they are used; None for that of temporary files.
        say: Told of cells that are left out.

    Raises:
        DataError: If they cannot be read, carry no valid truth, or the disk is full.
    """
    path = locate(data)
    cut = None if data.cells_above is None else CellCut(data.cells_above)
    with ScratchEvents(Path(tempfile.gettempdir() if scratch is None else scratch)) as kept:
        for block in open_any(path, data.mapping).chunks(_EVENTS_AT_A_TIME):
            check_truth(block.energy_true, where=str(path), first_event=kept.n_events)
            some = block if data.limit is None else block[: data.limit - kept.n_events]
            kept.append(some if cut is None else cut.apply(some))
            if kept.n_events == data.limit:
                break
        events = kept.events()
    if cut is None:
        return events
    say(str(cut))
    return replace(events, provenance={**events.provenance, "cells_above": cut.counts()})


def split(events: Events, config: SplitConfig) -> Parts:
    """Disjoint parts: random ones depend only on the number of events and the seed, others on the folds of the events.

    Raises:
        DataError: If a part would be empty, or the events do not tell their folds.
    """
    # sorted: neighbouring events are read together, and which events belong to a part is all that counts
    places = _places_at_random(len(events), config) if config.folds is None else _places_of_folds(events, config.folds)
    train, validation, test = (events[np.sort(part)] for part in places)
    return Parts(train, validation, test)


def _places_at_random(n: int, config: SplitConfig) -> list[NDArray[np.int64]]:
    """Places of the events of each part, in the order of `Parts`."""
    order = np.random.default_rng(config.seed).permutation(n)
    n_train, n_validation = round(n * config.train), round(n * config.validation)
    chosen = np.split(order, [n_train, n_train + n_validation])
    if any(len(part) == 0 for part in chosen):
        raise DataError(f"{n} events cannot be split into {config.train}/{config.validation}/{config.test}; take more")
    return chosen


def _places_of_folds(events: Events, config: FoldConfig) -> list[NDArray[np.int64]]:
    """The same by the folds of the events."""
    try:
        fold = events.scalar(config.field)
    except DataError as fault:
        raise DataError(
            f"data.split.folds: {fault}; name the field that tells the folds (data.split.folds.field)"
        ) from fault
    known = np.unique(fold)
    if np.any(known != np.round(known)):
        raise DataError(f"data.split.folds: {config.field} must be a whole number of each event; got {known[:5]}")
    for part in ("validation", "test"):
        for one in getattr(config, part):
            if one not in known:
                told = ", ".join(f"{number:g}" for number in known[:40])
                raise DataError(f"data.split.folds.{part}: no event has {config.field} {one}; there are {told}")
    validation, test = (np.isin(fold, numbers) for numbers in (config.validation, config.test))
    if (validation | test).all():
        raise DataError(
            f"data.split.folds: validation and test take all {len(known)} folds of the {len(events)} events, so that "
            "none is left to learn from: name fewer"
        )
    return [np.flatnonzero(part) for part in (~(validation | test), validation, test)]


def learned(events: Events, config: SplitConfig) -> Events:
    """Those of the events of one part that methods learn from, drawn by the seed of the split.

    Raises:
        DataError: If none is left.
    """
    if config.learn_from is None:
        return events
    keep = np.exp(-events.energy_true / config.learn_from.scale)
    chosen = np.random.default_rng([config.seed, len(events)]).uniform(size=len(events)) < keep
    if not chosen.any():
        raise DataError(
            f"none of {len(events)} events is left by the falling spectrum of scale {config.learn_from.scale:g} GeV: "
            "take a larger one (data.split.learn_from.scale)"
        )
    return events[chosen]


def check_fields(recipe: Recipe, events: Events, *, where: str = "") -> None:
    """Find out before the training whether events hold what all methods see.

    Args:
        recipe: The study.
        events: Its events.
        where: What else to say of them.

    Raises:
        DataError: If a field is missing.
    """
    for name, entry in recipe.methods.items():
        for field in entry.method.fields:
            try:
                if field != OFFSETS:
                    events.field(field)
            except DataError as fault:
                raise DataError(f"{where}methods.{name}: {fault}") from fault


def describe(events: Events, path: Path) -> dict[str, Any]:
    """Provenance for the report."""
    return {"file": path.name, "n_events": len(events), **dict(events.provenance)}
