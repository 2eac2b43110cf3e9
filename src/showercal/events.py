"""Events: what every stage hands to the next. Awkward arrays with units, geometry and provenance.

One record per event. Scalars (``energy_true``, ``impact_x``, ...) are plain fields; detector data are ragged lists of
records (``cells`` with ``id`` and ``energy``, later ``tracks``, ``clusters``, ``constituents``) or arrays of a fixed
shape (layer images). ``units`` names the unit of every leaf by its dotted path, e.g. ``cells.energy``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from showercal import units as _units
from showercal.errors import DataError, nearest

FloatArray = NDArray[np.float64]

# Names in the flat layout, hits of all events end to end: where each event begins, and the cell of each hit.
OFFSETS: Final = "offsets"
CELL: Final = "cells.id"


@dataclass(frozen=True, eq=False)
class Events:
    """A block of events in memory.

    Args:
        array: One record per event, length B.
        units: Unit of every leaf, by dotted path; only internal units (GeV, mm, ns, rad, T, 1) are allowed.
        geometry: The calorimeter as JSON-ready data (see `showercal.detectors`), or None.
        provenance: How the events came to be: command, seed, versions. JSON-ready.

    Raises:
        DataError: If the array is not a record array, or ``units`` does not name every leaf in internal units.
    """

    array: ak.Array
    units: Mapping[str, str]
    geometry: Mapping[str, Any] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.array.fields:
            raise DataError(f"events must be a record array with named fields; got type {self.array.type}")
        leaves = leaf_paths(self.array)
        for path in leaves:
            if path not in self.units:
                raise DataError(f"field {path!r} has no unit; give units[{path!r}] ('1' for a plain number)")
            unit = self.units[path]
            if unit != _units.internal_unit(unit):
                raise DataError(
                    f"field {path!r} is declared in {unit!r}; events hold {_units.internal_unit(unit)!r}: convert "
                    "the values before building Events"
                )
        for path in self.units:
            if path not in leaves:
                raise DataError(f"units names {path!r}, which the events do not have; {nearest(path, leaves)}")

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, where: slice | NDArray[Any]) -> Events:
        """Events at a slice, a boolean mask of shape (B,) or integer positions."""
        if not isinstance(where, (slice, np.ndarray)):
            raise TypeError(f"index events by a slice or a NumPy array; got {type(where).__name__}")
        return replace(self, array=self.array[where])

    @property
    def fields(self) -> list[str]:
        """Names of the top-level fields."""
        return list(self.array.fields)

    @property
    def energy_true(self) -> FloatArray:
        """True energy, shape (B,), [GeV].

        Raises:
            DataError: If the events carry no truth.
        """
        return self.scalar("energy_true")

    def field(self, path: str) -> ak.Array:
        """Values at a dotted path, e.g. ``cells.energy``, length B.

        Raises:
            DataError: If there is no such field; the message names the nearest.
        """
        value = self.array
        for part in path.split("."):
            if part not in value.fields:
                known = [*leaf_paths(self.array), *self.array.fields]
                raise DataError(f"events have no field {path!r}; {nearest(path, known)}")
            value = value[part]
        return value

    @property
    def cell_offsets(self) -> NDArray[np.int64]:
        """Hits of event i are ``cell_offsets[i]:cell_offsets[i + 1]`` of all hits end to end, shape (B + 1,)."""
        counts = ak.to_numpy(ak.num(self.field(CELL), axis=1))
        return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

    def scalar(self, path: str) -> FloatArray:
        """One number per event at a dotted path, shape (B,), float64.

        Raises:
            DataError: If the field is a list, holds no numbers, or lacks some of them.
        """
        values = self.field(path)
        if values.ndim != 1 or values.fields:
            raise DataError(f"field {path!r} is not one number per event; its type is {values.type}")
        missing = ak.to_numpy(ak.is_none(values))
        if missing.any():  # a masked array would pass on whatever lies under the mask
            raise DataError(
                f"field {path!r} has no value at event {int(np.argmax(missing))} ({int(missing.sum())} of "
                f"{len(missing)}); drop such events with Events[mask]"
            )
        try:
            return np.asarray(ak.to_numpy(values), dtype=np.float64)
        except (TypeError, ValueError) as fault:
            raise DataError(f"field {path!r} does not hold numbers; its type is {values.type}") from fault

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write to a folder of Parquet (see `showercal.storage`)."""
        from showercal.storage import EventsWriter

        with EventsWriter(folder, overwrite=overwrite) as writer:
            writer.write(self)

    @staticmethod
    def load(path: str | Path) -> Events:
        """Read a whole folder (or one part) that showercal wrote; use `showercal.open_events` to stream."""
        from showercal.storage import open_events

        return open_events(path).read()


def concatenate(blocks: Sequence[Events]) -> Events:
    """Join blocks of the same units and geometry; the provenance of the first is kept.

    Raises:
        DataError: If there is no block, or units, geometry or the shape of a field differ.
    """
    if not blocks:
        raise DataError("nothing to concatenate: got no blocks of events")
    first = blocks[0]
    for number, block in enumerate(blocks[1:], start=1):
        if dict(block.units) != dict(first.units):
            raise DataError(f"block {number} has units {dict(block.units)}; block 0 has {dict(first.units)}")
        if block.geometry != first.geometry:
            raise DataError(f"block {number} was made with another geometry than block 0: do not mix detectors")
        for path in first.units:
            ours, theirs = first.field(path), block.field(path)
            if ours.ndim != theirs.ndim:  # Awkward would join them into a union that nothing downstream can use
                raise DataError(
                    f"field {path!r} is {_item(theirs)} in block {number} and {_item(ours)} in block 0: do not mix "
                    "samples"
                )
    return replace(first, array=ak.concatenate([block.array for block in blocks]))


def _item(values: ak.Array) -> str:
    return str(values.type.content)


def leaf_paths(array: ak.Array) -> list[str]:
    """Dotted paths of all leaves of a record array, e.g. ``['energy_true', 'cells.id']``."""
    paths: list[str] = []
    for name in array.fields:
        inner = array[name]
        paths.extend([f"{name}.{path}" for path in leaf_paths(inner)] if inner.fields else [name])
    return paths


def check_truth(energy_true: FloatArray, *, where: str, first_event: int = 0) -> None:
    """Refuse truth energies that are NaN, infinite or negative.

    Args:
        energy_true: True energies, shape (B,), [GeV].
        where: What is being read, for the message.
        first_event: Number of the first event of the array in its file.

    Raises:
        DataError: With how many are wrong and the first place.
    """
    wrong = ~np.isfinite(energy_true) | (energy_true < 0)
    if np.any(wrong):
        at = int(np.argmax(wrong))
        raise DataError(
            f"energy_true must be finite and >= 0 GeV; got {energy_true[at]} at event {first_event + at} "
            f"({int(wrong.sum())} of {len(energy_true)}) in {where}; drop them with a 'select' line in the mapping "
            "(e.g. select: energy_true >= 0) or with Events[mask]"
        )
