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

FAULTS: Final = (OSError, RuntimeError)


@dataclass(frozen=True)
class Hdf5Columns(ColumnFile):
    """A group of data sets; open it with `open_hdf5`."""

    path: Path
    group: str
    types: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def where(self) -> str:
        """File and group, for messages."""
        return str(self.path) if self.group == "/" else f"{self.path} ({self.group})"

    def n_events(self, fields: Mapping[str, Field]) -> int:
        lengths = {name: self._length(field) for name, field in fields.items() if field.branch is not None}
        for name, field in fields.items():
            self._check_column(name, field)
        first, n_events = next(iter(lengths.items()))
        for name, length in lengths.items():
            if length != n_events:
                raise DataError(
                    f"{self.where}: {name!r} has {length} events and {first!r} has {n_events}; all data sets need one "
                    "row per event (for a flat array declare its 'counts' or 'offsets')"
                )
        return n_events

    def blocks(self, fields: Mapping[str, Field], size: int) -> Iterator[dict[str, ak.Array]]:
        named = {name: field for name, field in fields.items() if field.branch is not None}
        n_events = self.n_events(fields)
        cursor = dict.fromkeys(named, 0)  # where the next event begins in a flat array
        try:
            with opened(self.path, self.group) as group:
                for start in range(0, n_events, size):
                    stop = min(start + size, n_events)
                    block = {}
                    tables: dict[str, NDArray[Any]] = {}  # read once for all of their columns
                    for name, field in named.items():
                        branch = str(field.branch)
                        if field.column is not None:
                            if branch not in tables:
                                tables[branch] = group[branch][start:stop].reshape(stop - start, -1)
                            block[name] = _rows(tables[branch][:, int(field.column)])
                        elif field.counts is None and field.offsets is None:
                            block[name] = _rows(group[branch][start:stop])
                        else:
                            block[name], cursor[name] = self._flat(group, field, start, stop, cursor[name])
                    yield block
                for name, field in named.items():
                    length = self.shapes[str(field.branch)][0]
                    if field.counts is not None and cursor[name] != length:
                        raise DataError(
                            f"{self.where}: {field.counts!r} sums to {cursor[name]}, but {field.branch!r} has {length} "
                            "entries: they do not belong together, or the file is incomplete"
                        )
        except FAULTS as fault:
            raise truncated(self.path, "HDF5", fault) from fault

    def _length(self, field: Field) -> int:
        if field.offsets is not None:
            return self.shapes[field.offsets][0] - 1
        return self.shapes[str(field.counts if field.counts is not None else field.branch)][0]

    def _check_column(self, name: str, field: Field) -> None:
        if field.column is None:
            return
        shape = self.shapes[str(field.branch)]
        n_columns = 1 if len(shape) == 1 else shape[1]  # a list of numbers is a table of one column
        if len(shape) > 2 or not (isinstance(field.column, int) and field.column < n_columns):
            raise DataError(
                f"{self.where}: {name!r} is column {field.column} of {field.branch!r}, which has shape {shape}: "
                f"expected (events, columns) with more than {field.column} columns; correct the 'column' in the mapping"
            )

    def _flat(self, group: Any, field: Field, start: int, stop: int, begin: int) -> tuple[ak.Array, int]:
        if field.offsets is not None:
            offsets = np.asarray(group[field.offsets][start : stop + 1], dtype=np.int64)
            begin, counts = int(offsets[0]), np.diff(offsets)
        else:
            counts = np.asarray(group[field.counts][start:stop], dtype=np.int64)
        end, length = begin + int(counts.sum()), self.shapes[str(field.branch)][0]
        if np.any(counts < 0) or end > length:
            raise DataError(
                f"{self.where}: {field.counts or field.offsets!r} asks for entries {begin} to {end} of "
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
        with opened(path, group or "/") as found:
            return columns_of(path, group or "/", found)
    except FAULTS as fault:
        raise truncated(path, "HDF5", fault) from fault


def columns_of(path: Path, name: str, group: Any) -> Hdf5Columns:
    """The data sets of an opened group of that name."""
    found: dict[str, Any] = {}
    group.visititems(lambda key, one: found.update({key: one} if isinstance(one, h5py.Dataset) else {}))
    found = {key: one for key, one in found.items() if one.ndim > 0}
    return Hdf5Columns(
        path, name, {key: _type(one) for key, one in found.items()}, {key: one.shape for key, one in found.items()}
    )


@contextmanager
def opened(path: Path, group: str) -> Iterator[Any]:
    """An opened group of a file.

    Raises:
        DataError: If it is not there.
    """
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
