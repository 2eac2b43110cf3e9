"""Cells of an event as a matrix of HDF5, sparse (coordinates and values) or dense -> lists of numbered cells."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter
from showercal.errors import DataError
from showercal.readers._mapping import Field

MATRIX_FEATURES: Final = "matrix_feats"
_PIECE: Final = 1 << 19  # entries of a sparse matrix read at once: 12 MB of six rows in float32
_DENSE_PIECE: Final = 1 << 22  # the same of a dense one: 16 MB

# entries of each event, shape (B,); cell numbers and values of all of them, shape (N,)
_Block = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[Any]]


@dataclass(frozen=True)
class Matrix:
    """How the matrices of a file are stored; made by `matrix_of`.

    Args:
        axes: What each axis of one event's matrix is: z, x, y, and perhaps channel.
        shape: Their lengths.
        is_sparse: Whether coordinates and values are stored, or all cells.
        calorimeter: The geometry that numbers the cells.
    """

    axes: tuple[str, ...]
    shape: tuple[int, ...]
    is_sparse: bool
    calorimeter: BoxCalorimeter

    @property
    def rows(self) -> tuple[str, ...]:
        """Rows of the sparse form."""
        return ("value", "event", *self.axes)

    def check(self, shape: tuple[int, ...], dtype: np.dtype[Any], n_events: int, *, where: str) -> None:
        """Refuse a data set of another form.

        Args:
            shape: Shape of the data set.
            dtype: Its type.
            n_events: Events of its fold.
            where: File, fold and data set.

        Raises:
            DataError: If the shape is not that of so many events, or the type cannot number them.
        """
        if not self.is_sparse:
            if shape != (n_events, *self.shape):
                raise DataError(
                    f"{where} has shape {shape}: expected {(n_events, *self.shape)}, one dense matrix for each of the "
                    f"fold's {n_events} events ('is_sparse' is false in {MATRIX_FEATURES}); was it written completely?"
                )
            return
        if len(shape) != 2 or shape[0] != len(self.rows):
            turned = len(shape) == 2 and shape[1] == len(self.rows)
            raise DataError(
                f"{where} has shape {shape}: expected ({len(self.rows)}, entries), the rows {', '.join(self.rows)} of "
                f"a sparse matrix; {'transpose it' if turned else 'write the file again'}, or correct the 'axes' in "
                "the mapping"
            )
        exact = 2 ** (np.finfo(dtype).nmant + 1) if dtype.kind == "f" else np.iinfo(dtype).max
        if n_events > exact:
            raise DataError(
                f"{where} holds event numbers as {dtype}, which tells {exact} of them apart; the fold has {n_events} "
                "events: write smaller folds"
            )


def matrix_of(meta: Any, field: Field, calorimeter: BoxCalorimeter, *, where: str) -> Matrix:
    """How a file stores its matrices.

    Args:
        meta: Text of ``meta_data/matrix_feats``: JSON with ``shape`` (of one event) and ``is_sparse``.
        field: What the mapping declares.
        calorimeter: The geometry.
        where: The file.

    Raises:
        DataError: If it does not say, or the shape is not that of the calorimeter.
    """
    axes = field.axes or ("channel", "z", "x", "y")
    try:
        found = json.loads(meta)
        shape = tuple(int(size) for size in found["shape"])
        is_sparse = bool(found.get("is_sparse", False))
    except (ValueError, TypeError, KeyError, AttributeError) as fault:
        raise DataError(
            f"{where}: meta_data/{MATRIX_FEATURES} must be JSON with 'shape' (of one event's matrix) and 'is_sparse'; "
            f"got {meta!r:.200}: write the file again"
        ) from fault
    expected = dict(zip(("channel", "z", "x", "y"), (1, *calorimeter.shape), strict=True))
    if shape != tuple(expected[axis] for axis in axes):
        raise DataError(
            f"{where}: meta_data/{MATRIX_FEATURES} says shape {list(shape)}; the mapping declares axes "
            f"[{', '.join(axes)}], which in {calorimeter.name!r} are {[expected[axis] for axis in axes]}: is this the "
            "right detector (geometry: in the mapping)? or correct the 'axes'"
        )
    return Matrix(axes, shape, is_sparse, calorimeter)


def cells(dataset: Any, matrix: Matrix, n_events: int, size: int, *, where: str) -> Iterator[tuple[ak.Array, ak.Array]]:
    """Cells of the events of a fold, in blocks.

    Args:
        dataset: The opened data set of HDF5.
        matrix: How it is stored.
        n_events: Events of the fold.
        size: Events of a block; the last may have fewer.
        where: File, fold and data set.

    Returns:
        Cell numbers and values of each block, as lists; beside the block one piece of the data set is in memory.

    Raises:
        DataError: If coordinates are no whole numbers, out of range or out of order, or a cell comes twice.
    """
    blocks = _sparse if matrix.is_sparse else _dense
    for counts, ids, values in blocks(dataset, matrix, n_events, size, where):
        yield ak.unflatten(ids, counts), ak.unflatten(values, counts)


def _sparse(dataset: Any, matrix: Matrix, n_events: int, size: int, where: str) -> Iterator[_Block]:
    pieces = _pieces(dataset, matrix, n_events, where)
    counts = np.zeros(n_events, dtype=np.int64)
    ids, values = np.empty(0, np.int32), np.empty(0, dataset.dtype)  # read, but of later blocks
    last = -1  # event of the last entry read
    for start in range(0, n_events, size):
        stop = min(start + size, n_events)
        read = [(ids, values)]
        # those of the block are all there once an entry of a later event is; after the last block all are read
        while last < stop and (piece := next(pieces, None)) is not None:
            event, *entries = piece
            first, last = int(event[0]), int(event[-1])
            counts[first : last + 1] += np.bincount(event - first)
            read.append((entries[0], entries[1]))
        ids, values = (np.concatenate(parts) for parts in zip(*read, strict=True))
        end = int(counts[start:stop].sum())
        yield counts[start:stop], ids[:end], values[:end]
        ids, values = ids[end:].copy(), values[end:].copy()


def _pieces(
    dataset: Any, matrix: Matrix, n_events: int, where: str
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32], NDArray[Any]]]:
    """Events, cell numbers and values of some entries, each of shape (N,)."""
    sizes = np.array([n_events, *matrix.shape])
    last = -1
    for first in range(0, dataset.shape[1], _PIECE):
        raw = dataset[:, first : first + _PIECE]
        _check_coordinates(raw[1:], sizes, matrix, first, where)
        index = dict(zip(matrix.rows[1:], raw[1:].astype(np.int64), strict=True))
        place = np.ravel_multi_index(tuple(index.values()), tuple(sizes))
        step = np.diff(place, prepend=last)
        if (bad := step <= 0).any():
            at = int(np.argmax(bad))
            entry = ", ".join(f"{axis} {values[at]}" for axis, values in index.items())
            if step[at] == 0:
                raise DataError(
                    f"{where}: entry {first + at} ({entry}) is the same cell as the entry before it: expected each "
                    "cell of an event once; add up its values and write the file again"
                )
            raise DataError(
                f"{where}: entry {first + at} ({entry}) belongs before the entry before it: expected the order of "
                f"{', '.join(matrix.rows[1:])}, as sparse.COO has it; sort the entries and write the file again"
            )
        last = int(place[-1])
        cell = matrix.calorimeter.cell_number(index["z"], index["x"], index["y"])
        yield index["event"], cell.astype(np.int32), raw[0].copy()  # a view would hold all rows


def _check_coordinates(index: NDArray[Any], sizes: NDArray[np.int64], matrix: Matrix, first: int, where: str) -> None:
    inside = (index >= 0) & (index < sizes[:, np.newaxis])
    for row, axis in enumerate(matrix.rows[1:]):
        bad = ~inside[row] | (index[row] != np.floor(index[row]))
        if not bad.any():
            continue
        at = int(np.argmax(bad))
        value = float(index[row, at])
        why = f"the fold has {sizes[0]} events" if axis == "event" else f"the mapping's {matrix.calorimeter.name!r}"
        raise DataError(
            f"{where}: row {row + 1}, the {axis}, must be a whole number in [0, {sizes[row]}) ({why}); got "
            f"{value:.10g} at entry {first + at} ({int(bad.sum())} such among {index.shape[1]} read at once); "
            f"{_advice(axis, is_whole=value.is_integer())}"
        )


def _advice(axis: str, *, is_whole: bool) -> str:
    if not is_whole:
        return "are the rows in the order value, event, axes? correct the 'axes' in the mapping, or write it again"
    if axis == "event":
        return "number the events of each fold from 0, or write the file again"
    return "is this the right detector, and are the 'axes' in the mapping right?"


def _dense(dataset: Any, matrix: Matrix, n_events: int, size: int, where: str) -> Iterator[_Block]:
    order = [1 + matrix.axes.index(axis) for axis in ("channel", "z", "x", "y") if axis in matrix.axes]
    step = max(1, _DENSE_PIECE // math.prod(matrix.shape))
    for start in range(0, n_events, size):
        stop = min(start + size, n_events)
        read = []
        for first in range(start, stop, step):
            grid = dataset[first : min(first + step, stop)].transpose(0, *order)
            grid = grid.reshape(len(grid), -1)  # a single channel: the cells in the order of their numbers
            lit = grid != 0  # NaN is not 0: kept, and refused later
            read.append((lit.sum(axis=1), np.nonzero(lit)[1].astype(np.int32), grid[lit]))
        counts, ids, values = (np.concatenate(parts) for parts in zip(*read, strict=True))
        yield counts, ids, values
