"""The two samples that are compared: opened, checked to belong together, reduced to observables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from showercal.detectors import BoxCalorimeter
from showercal.errors import DataError, ShowercalError
from showercal.events import Events
from showercal.features import Observables, join_observables, observe
from showercal.readers import find_files, load_mapping, matching_mappings, open_any
from showercal.storage import EventSource

_CHUNK: Final = 500  # events in memory at a time: at 5,000 cells each about half a gigabyte while shapes are computed
_NEEDED: Final = {"energy_true": "GeV", "cells.id": "1", "cells.energy": "GeV"}


def open_sample(
    path: str | Path, calorimeter: BoxCalorimeter, particle: str, mapping: str | None = None
) -> EventSource:
    """Open events of a detector and a particle.

    Args:
        path: A folder that showercal wrote, or files of another program.
        calorimeter: The detector that they must be of.
        particle: What they must hold, where they say.
        mapping: How to read foreign files; by default the packaged mapping for this detector whose branches they have.

    Raises:
        DataError: If nothing is there, or the events are of another detector or particle, lack a field or have it in
            other units.
    """
    try:
        source = open_any(path, mapping)
    except ShowercalError:
        fitting = [] if mapping is not None else _mappings_for(path, calorimeter)
        if not fitting:
            raise
        source = open_any(path, fitting[-1])
    _check(source, path, calorimeter, particle)
    return source


def observe_sample(source: EventSource, limit: int | None = None) -> Observables:
    """Observables of the first events of a source, a block in memory at a time.

    Raises:
        DataError: If it cannot be read or is empty.
    """
    return join_observables([observe(block) for block in _first(source, limit)])


def _first(source: EventSource, limit: int | None) -> Iterator[Events]:
    n_events = 0
    for block in source.chunks(_CHUNK):
        taken = block if limit is None else block[: limit - n_events]
        yield taken
        n_events += len(taken)
        if n_events == limit:
            return


def _mappings_for(path: str | Path, calorimeter: BoxCalorimeter) -> list[str]:
    """Packaged mappings for a detector whose branches the files have; the one with the most fields last."""
    fitting = [load_mapping(name) for name in matching_mappings(find_files(path)[0])]
    fitting = [one for one in fitting if (found := one.calorimeter()) is not None and found.name == calorimeter.name]
    return [one.name for one in sorted(fitting, key=lambda one: len(one.fields))]


def _check(source: EventSource, path: str | Path, calorimeter: BoxCalorimeter, particle: str) -> None:
    if source.geometry is None:
        raise DataError(
            f"the events of {path} carry no geometry; name it in the mapping (geometry: {calorimeter.name})"
        )
    geometry = BoxCalorimeter.from_dict(source.geometry)
    if geometry != calorimeter:
        raise DataError(
            f"the events of {path} were made in {geometry.name!r} ({geometry.fingerprint}), not in "
            f"{calorimeter.name!r} ({calorimeter.fingerprint}): {_difference(geometry, calorimeter)}; compare samples "
            "of one detector"
        )
    for name, unit in _NEEDED.items():
        if source.units.get(name) != unit:
            raise DataError(
                f"the events of {path} need {name!r} in {unit!r}; they have {source.units.get(name, 'no such field')}"
            )
    held = held_particles(source.provenance)
    if held and held != {particle}:
        raise DataError(f"{path} holds {', '.join(sorted(held))}, not {particle}: compare samples of one particle")


def held_particles(provenance: Mapping[str, Any]) -> set[str]:
    """The particles of a simulated sample; empty where it does not say."""
    if "gun" in provenance:
        return {str(provenance["gun"]["particle"])}
    return set(provenance.get("list", {}).get("particles", ()))


def _difference(ours: BoxCalorimeter, theirs: BoxCalorimeter) -> str:
    a, b = ours.to_dict(), theirs.to_dict()
    return "they differ in " + ", ".join(key for key in a if a[key] != b[key])
