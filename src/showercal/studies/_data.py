"""The events of a study: found, read, and split into disjoint parts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from showercal.errors import DataError, RecipeError, nearest
from showercal.events import OFFSETS, Events, check_truth, concatenate
from showercal.readers import find_files, load_mapping, open_any
from showercal.studies._recipe import DataConfig, Recipe, SplitConfig

SAMPLES: Final = Path(__file__).parents[1] / "data_samples"


@dataclass(frozen=True)
class Parts:
    """Disjoint events to learn from, to stop and calibrate on, and to judge on."""

    train: Events
    validation: Events
    test: Events


def locate(data: DataConfig) -> Path:
    """Path of the events.

    Raises:
        RecipeError: If neither a sample nor a path is named, or there is no such sample.
    """
    if data.events is not None:
        return Path(data.events)
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
    """Hash of the contents of all files of the events and of how they are read: mapping, geometry, limit.

    Raises:
        DataError: If there is nothing at the path.
    """
    how: dict[str, Any] = {"files": file_hashes(data), "limit": data.limit}
    if data.mapping is not None:
        how["mapping"] = load_mapping(data.mapping).model_dump(mode="json")
        how["geometry"] = open_any(locate(data), data.mapping).geometry
    return hashlib.sha256(json.dumps(how, sort_keys=True, default=str).encode()).hexdigest()[:16]


def read_events(data: DataConfig) -> Events:
    """All events of the study in memory, with checked truth.

    Raises:
        DataError: If they cannot be read or carry no valid truth.
    """
    path = locate(data)
    source = open_any(path, data.mapping)
    blocks: list[Events] = []
    n_events = 0
    for block in source.chunks():
        check_truth(block.energy_true, where=str(path), first_event=n_events)
        n_events += len(block)
        blocks.append(block)
        if data.limit is not None and n_events >= data.limit:
            break
    return concatenate(blocks)[: data.limit]


def split(events: Events, config: SplitConfig) -> Parts:
    """Random, disjoint parts that depend only on the number of events and the seed.

    Raises:
        DataError: If a part would be empty.
    """
    n = len(events)
    order = np.random.default_rng(config.seed).permutation(n)
    n_train, n_validation = round(n * config.train), round(n * config.validation)
    chosen = np.split(order, [n_train, n_train + n_validation])
    if any(len(part) == 0 for part in chosen):
        raise DataError(f"{n} events cannot be split into {config.train}/{config.validation}/{config.test}; take more")
    # sorted: neighbouring events are read together, and which events belong to a part is all that counts
    train, validation, test = (events[np.sort(part)] for part in chosen)
    return Parts(train, validation, test)


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
