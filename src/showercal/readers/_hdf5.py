"""Data sets of an HDF5 file: one row per event, variable-length rows, or flat arrays with counts or offsets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import awkward as ak
import h5py
import numpy as np
from numpy.typing import NDArray

from showercal.errors import DataError, nearest
from showercal.readers._columns import ColumnFile, check_file, truncated
from showercal.readers._mapping import Field

_FAULTS: Final = (OSError, RuntimeError)


@dataclass(frozen=True)
class Hdf5Columns(ColumnFile):
    """A group of data sets; open it with `open_hdf5`."""

    path: Path
    group: str
    types: Mapping[str, str]
    rows: Mapping[str, int]

    def n_events(self, fields: Mapping[str, Field]) -> int:
        lengths = {name: self._length(field) for name, field in fields.items() if field.branch is not None}
        first, n_events = next(iter(lengths.items()))
        for name, length in lengths.items():
            if length != n_events:
                raise DataError(
                    f"{self.path}: {name!r} has {length} events and {first!r} has {n_events}; all data sets need one "
                    "row per event (for a flat array declare its 'counts' or 'offsets')"
                )
        return n_events

    def blocks(self, fields: Mapping[str, Field], size: int) -> Iterator[dict[str, ak.Array]]:
        named = {name: field for name, field in fields.items() if field.branch is not None}
        n_events = self.n_events(fields)
        cursor = dict.fromkeys(named, 0)  # where the next event begins in a flat array
        try:
            with _opened(self.path, self.group) as group:
                for start in range(0, n_events, size):
                    stop = min(start + size, n_events)
                    block = {}
                    for name, field in named.items():
                        if field.counts is None and field.offsets is None:
                            block[name] = _rows(group[field.branch][start:stop])
                        else:
                            block[name], cursor[name] = self._flat(group, field, start, stop, cursor[name])
                    yield block
                for name, field in named.items():
                    length = self.rows[str(field.branch)]
                    if field.counts is not None and cursor[name] != length:
                        raise DataError(
                            f"{self.path}: {field.counts!r} sums to {cursor[name]}, but {field.branch!r} has {length} "
                            "entries: they do not belong together, or the file is incomplete"
                        )
        except _FAULTS as fault:
            raise truncated(self.path, "HDF5", fault) from fault

    def _length(self, field: Field) -> int:
        if field.offsets is not None:
            return self.rows[field.offsets] - 1
        return self.rows[str(field.counts if field.counts is not None else field.branch)]

    def _flat(self, group: Any, field: Field, start: int, stop: int, begin: int) -> tuple[ak.Array, int]:
        if field.offsets is not None:
            offsets = np.asarray(group[field.offsets][start : stop + 1], dtype=np.int64)
            begin, counts = int(offsets[0]), np.diff(offsets)
        else:
            counts = np.asarray(group[field.counts][start:stop], dtype=np.int64)
        end, length = begin + int(counts.sum()), self.rows[str(field.branch)]
        if np.any(counts < 0) or end > length:
            raise DataError(
                f"{self.path}: {field.counts or field.offsets!r} asks for entries {begin} to {end} of "
                f"{field.branch!r} for events {start} to {stop - 1}; it has {length}: they do not belong together"
            )
        return ak.unflatten(_rows(group[field.branch][begin:end]), counts), end


def open_hdf5(path: Path, fields: Mapping[str, Field], group: str | None) -> Hdf5Columns:
    """Open an HDF5 file.

    Args:
        path: The file.
        fields: What is to be read.
        group: Group of the data sets; None for the root.

    Raises:
        DataError: If it is missing, empty, truncated or not HDF5, or the group is not there.
    """
    check_file(path)
    try:
        with _opened(path, group or "/") as opened:
            found: dict[str, Any] = {}
            opened.visititems(lambda name, one: found.update({name: one} if isinstance(one, h5py.Dataset) else {}))
            found = {name: one for name, one in found.items() if one.ndim > 0}
            types = {name: _type(one) for name, one in found.items()}
            return Hdf5Columns(path, group or "/", types, {name: int(one.shape[0]) for name, one in found.items()})
    except _FAULTS as fault:
        raise truncated(path, "HDF5", fault) from fault


@contextmanager
def _opened(path: Path, group: str) -> Iterator[Any]:
    with h5py.File(path, "r") as file:
        if group not in file:
            groups = [name for name, one in file.items() if isinstance(one, h5py.Group)]
            raise DataError(f"{path} has no group {group!r}; {nearest(group, groups)}")
        yield file[group]


def _type(dataset: Any) -> str:
    inner = h5py.check_vlen_dtype(dataset.dtype)
    return f"{dataset.shape} {f'lists of {inner}' if inner is not None else dataset.dtype}"


def _rows(values: NDArray[Any]) -> ak.Array:
    if values.dtype == object:  # variable-length rows
        counts = np.array([len(one) for one in values], dtype=np.int64)
        return ak.unflatten(_native(np.concatenate([*values, np.empty(0, values[0].dtype)])), counts)
    return ak.from_numpy(_native(values), regulararray=True)


def _native(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(values.dtype.newbyteorder("="), copy=False)
