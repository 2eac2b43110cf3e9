"""What values may be: finite energies, truth not below 0, cell numbers within the geometry. Counted, never repaired."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter
from showercal.errors import DataError, GeometryError
from showercal.events import Events


@dataclass(frozen=True)
class Fault:
    """Values of one field that break one rule.

    Args:
        path: The field.
        rule: What it must be.
        count: How many values break it.
        value: The first of them.
        event: Its event, as numbered in the file.
        where: The file.
        advice: What to do.
        in_geometry: Whether the rule is the geometry's.
    """

    path: str
    rule: str
    count: int
    value: float
    event: int
    where: str
    advice: str
    in_geometry: bool = False

    def plus(self, others: list[Fault]) -> Fault:
        """With the counts of the same fault found later."""
        same = [one.count for one in others if (one.path, one.rule) == (self.path, self.rule)]
        return replace(self, count=self.count + sum(same))

    def error(self, n_events: int) -> DataError | GeometryError:
        """The fault as an exception, of ``n_events`` events looked at."""
        kind = GeometryError if self.in_geometry else DataError
        return kind(
            f"{self.path} must be {self.rule}; got {self.value} at event {self.event} of {self.where} ({self.count} "
            f"such values in {n_events} events); {self.advice}"
        )


def find_faults(
    events: Events, numbers: NDArray[np.int64], calorimeter: BoxCalorimeter | None, *, where: str
) -> list[Fault]:
    """Faults of a block of events, in the order of its fields.

    Args:
        events: The block, length B.
        numbers: Number of each event in its file, shape (B,).
        calorimeter: The geometry that cell numbers must lie in.
        where: The file.
    """
    return list(_faults(events, numbers, calorimeter, where))


def _faults(
    events: Events, numbers: NDArray[np.int64], calorimeter: BoxCalorimeter | None, where: str
) -> Iterator[Fault]:
    for path, unit in events.units.items():
        name = path.rpartition(".")[2]
        if unit == "GeV":
            values, owner = _flat(events.field(path))
            if name == "energy_true":
                wrong, rule = ~np.isfinite(values) | (values < 0), "finite and >= 0 GeV"
                advice = f"drop such events by a 'select' line in the mapping (e.g. select: {path} >= 0)"
            else:
                wrong, rule = ~np.isfinite(values), "finite, in GeV"
                reach = "all(isfinite({}))" if "." in path else "isfinite({})"
                advice = f"mend the file, or drop such events by 'select: {reach.format(path)}' in the mapping"
        elif path == "cells.id" and calorimeter is not None:
            values, owner = _flat(events.field(path))
            if values.dtype.kind not in "iu":
                raise DataError(f"cells.id must be whole numbers; they are {values.dtype} in {where}: set dtype: int32")
            wrong = (values < 0) | (values >= calorimeter.n_cells)
            order = f"layer*{calorimeter.n_x * calorimeter.n_y} + ix*{calorimeter.n_y} + iy"
            rule = f"in [0, {calorimeter.n_cells}) for {calorimeter.name!r} ({order})"
            advice = "is this the right detector (geometry: in the mapping)?"
        else:
            continue
        if wrong.any():
            at = int(np.argmax(wrong))
            event = int(numbers[owner[at]])
            yield Fault(path, rule, int(wrong.sum()), values[at].item(), event, where, advice, path == "cells.id")


def _flat(values: ak.Array) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """All numbers, shape (N,), and the place of the event that each belongs to."""
    counts = np.ones(len(values), dtype=np.int64)
    if values.ndim > 1:
        sizes = ak.ones_like(values, dtype=np.int64)
        while sizes.ndim > 1:
            sizes = ak.sum(sizes, axis=-1)
        counts = np.asarray(ak.to_numpy(sizes))
    return np.asarray(ak.to_numpy(ak.flatten(values, axis=None))), np.repeat(np.arange(len(values)), counts)
