"""Fold files of HDF5: groups fold_0, fold_1, ... that each hold all data sets for some of the events (LUMIN)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import awkward as ak
import h5py
import numpy as np

from showercal.errors import DataError, nearest
from showercal.readers._columns import ColumnFile, check_file, truncated
from showercal.readers._hdf5 import FAULTS, Hdf5Columns, columns_of, opened
from showercal.readers._mapping import FOLD_NUMBER, Field
from showercal.readers._mapping import Mapping as EventMapping
from showercal.readers._matrix import MATRIX_FEATURES, Matrix, cells, matrix_of

_FOLD: Final = re.compile(r"fold_(\d+)")


@dataclass(frozen=True)
class Hdf5Folds(ColumnFile):
    """The folds of a file, one after the other; open it with `open_folds`."""

    path: Path
    types: Mapping[str, str]
    folds: tuple[Hdf5Columns, ...]
    columns: tuple[str, ...]
    matrices: Mapping[str, Matrix]

    def n_events(self, fields: Mapping[str, Field]) -> int:
        in_rows = self._in_rows(fields)
        counts = [fold.n_events(in_rows) for fold in self.folds]
        with opened(self.path, "/") as file:
            for fold, n_events in zip(self.folds, counts, strict=True):
                for name, matrix in self.matrices.items():
                    dataset = file[fold.group][fields[name].branch]
                    where = _where(fold, fields[name])
                    matrix.check(dataset.shape, dataset.dtype, n_events, where=where)
        return sum(counts)

    def blocks(self, fields: Mapping[str, Field], size: int) -> Iterator[dict[str, ak.Array]]:
        in_rows = self._in_rows(fields)
        numbered = [name for name, field in fields.items() if field.branch == FOLD_NUMBER]
        for number, fold in enumerate(self.folds):
            n_events = fold.n_events(in_rows)
            found = [self._cells(fold, fields[name], matrix, n_events, size) for name, matrix in self.matrices.items()]
            for block, *lists in zip(fold.blocks(in_rows, size), *found, strict=True):
                n_read = len(next(iter(block.values())))
                block |= {name: ak.from_numpy(np.full(n_read, number)) for name in numbered}
                for name, (ids, values) in zip(self.matrices, lists, strict=True):
                    block |= {name: values, f"{name.partition('.')[0]}.id": ids}
                yield block

    def _cells(
        self, fold: Hdf5Columns, field: Field, matrix: Matrix, n_events: int, size: int
    ) -> Iterator[tuple[ak.Array, ak.Array]]:
        try:
            with opened(self.path, fold.group) as group:
                yield from cells(group[field.branch], matrix, n_events, size, where=_where(fold, field))
        except FAULTS as fault:
            raise truncated(self.path, "HDF5", fault) from fault

    def _in_rows(self, fields: Mapping[str, Field]) -> dict[str, Field]:
        """The fields with one entry per event, their columns by number."""
        return {
            name: self._numbered(name, field)
            for name, field in fields.items()
            if field.branch not in (None, FOLD_NUMBER) and field.shape != "matrix"
        }

    def _numbered(self, name: str, field: Field) -> Field:
        if not isinstance(field.column, str):
            return field
        if field.column not in self.columns:
            raise DataError(
                f"{self.path}: {name!r} is column {field.column!r} of {field.branch!r}, which is not among the "
                f"{len(self.columns)} names in meta_data/cont_feats; {nearest(field.column, self.columns)}: correct "
                "the 'column' in the mapping, or give its number"
            )
        return field.model_copy(update={"column": self.columns.index(field.column)})


def _where(fold: Hdf5Columns, field: Field) -> str:
    return f"{fold.where}, {field.branch!r}"


def open_folds(path: Path, mapping: EventMapping) -> Hdf5Folds:
    """Open a fold file.

    Args:
        path: The file.
        mapping: What is to be read; the folds are in its ``group``.

    Raises:
        DataError: If it is missing, empty, truncated or not HDF5, has no folds or not all of them, or matrices are not
            of the mapping's geometry.
    """
    check_file(path)
    root = mapping.group or "/"
    try:
        with opened(path, root) as group:
            names = _fold_names(path, group)
            folds = tuple(columns_of(path, f"{root.rstrip('/')}/{name}".lstrip("/"), group[name]) for name in names)
            columns = _column_names(path, _meta(group, "cont_feats"))
            meta = _meta(group, MATRIX_FEATURES)
    except FAULTS as fault:
        raise truncated(path, "HDF5", fault) from fault
    _check_complete(folds, mapping.fields)
    calorimeter = mapping.calorimeter()
    matrices = {}
    for name, field in mapping.fields.items():
        if field.shape == "matrix" and calorimeter is not None:
            if meta is None:
                raise DataError(
                    f"{path} has no meta_data/{MATRIX_FEATURES}, which must say the 'shape' and 'is_sparse' of "
                    f"{field.branch!r} for {name!r}; is this a file of LUMIN's folds, and complete?"
                )
            matrices[name] = matrix_of(meta, field, calorimeter, where=str(path))
    return Hdf5Folds(path, dict(folds[0].types) | {FOLD_NUMBER: "number of the fold"}, folds, columns, matrices)


def _fold_names(path: Path, group: Any) -> list[str]:
    found = {int(match[1]): name for name in group if (match := _FOLD.fullmatch(name))}
    if not found:
        there = ", ".join(list(group)[:12]) or "nothing"
        raise DataError(
            f"{path} has no groups fold_0, fold_1, ..., which 'layout: folds' reads; it has {there}: name the group "
            "that holds the folds ('group:' in the mapping), or leave the layout out"
        )
    missing = sorted(set(range(max(found) + 1)) - set(found))
    if missing:
        raise DataError(
            f"{path} has {len(found)} folds up to fold_{max(found)}, but no fold_{missing[0]} ({len(missing)} "
            "missing): expected all from fold_0 on; copy or write the file again"
        )
    for name in found.values():
        if not isinstance(group[name], h5py.Group):
            raise DataError(f"{path}: {name} must be a group of data sets; it is one data set: write the file again")
    return [found[number] for number in sorted(found)]


def _check_complete(folds: tuple[Hdf5Columns, ...], fields: Mapping[str, Field]) -> None:
    """Refuse folds that lack what another one has."""
    there = {name: fold for fold in reversed(folds) for name in fold.types}
    needed = [column for field in fields.values() for column in field.columns if column in there]
    for fold in folds:
        for column in needed:
            if column not in fold.types:
                raise DataError(
                    f"{fold.where} has no data set {column!r}, which {there[column].group} has; "
                    f"{nearest(column, fold.types)}: the file is incomplete, copy or write it again"
                )


def _meta(group: Any, name: str) -> bytes | None:
    one = group.get(f"meta_data/{name}")
    return one[()] if isinstance(one, h5py.Dataset) else None


def _column_names(path: Path, meta: bytes | None) -> tuple[str, ...]:
    if meta is None:
        return ()
    try:
        return tuple(str(name) for name in json.loads(meta))
    except (ValueError, TypeError) as fault:
        raise DataError(
            f"{path}: meta_data/cont_feats must be a JSON list of the names of the inputs; got {meta!r:.200}: write "
            "the file again"
        ) from fault
