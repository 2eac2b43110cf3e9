"""Branches of a ROOT TTree or RNTuple: flat ones, arrays and ``vector<...>``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import awkward as ak
import uproot

from showercal.errors import DataError, nearest
from showercal.readers._columns import ColumnFile, check_file, refuse_hdf5_keys, truncated
from showercal.readers._mapping import Field

_TABLES: Final = ("TTree", "TNtuple", "ROOT::RNTuple")
_FAULTS: Final = (OSError, ValueError, KeyError, IndexError, NotImplementedError, uproot.DeserializationError)


@dataclass(frozen=True)
class RootColumns(ColumnFile):
    """A tree of a ROOT file; open it with `open_root`."""

    path: Path
    tree: str
    types: Mapping[str, str]
    rows: int

    def n_events(self, fields: Mapping[str, Field]) -> int:
        return self.rows

    def blocks(self, fields: Mapping[str, Field], size: int) -> Iterator[dict[str, ak.Array]]:
        branches = {name: field.branch for name, field in fields.items() if field.branch is not None}
        with _opened(self.path) as file:
            steps = _steps(file[self.tree], set(branches.values()), size)
            while (block := self._next(steps)) is not None:
                yield {name: block[branch] for name, branch in branches.items()}

    def _next(self, steps: Iterator[ak.Array]) -> ak.Array | None:
        try:
            return next(steps, None)
        except _FAULTS as fault:
            raise truncated(self.path, "ROOT", fault) from fault


def open_root(path: Path, fields: Mapping[str, Field], tree: str | None) -> RootColumns:
    """Open a ROOT file.

    Args:
        path: The file.
        fields: What is to be read.
        tree: Name of the tree; None where the file has one.

    Raises:
        DataError: If it is missing, empty, truncated or not ROOT, or the tree is not there.
    """
    check_file(path)
    refuse_hdf5_keys(path, fields)
    with _opened(path) as file:
        if file.file.fEND > path.stat().st_size:
            raise truncated(path, "ROOT", f"{path.stat().st_size} of {file.file.fEND} bytes are there")
        tree = _tree_name(path, file, tree)
        try:
            table = file[tree]
            return RootColumns(path, tree, _types(table), int(table.num_entries))
        except _FAULTS as fault:
            raise truncated(path, "ROOT", fault) from fault


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        # plain reads, no caches: a memory map and uproot's caches both grow with the file
        opened = uproot.open(path, handler=uproot.MultithreadedFileSource, object_cache=None, array_cache=None)
    except _FAULTS as fault:
        raise truncated(path, "ROOT", fault) from fault
    with opened as file:
        yield file


def _tree_name(path: Path, file: Any, tree: str | None) -> str:
    classes = file.classnames(cycle=False)
    trees = sorted(name for name, kind in classes.items() if kind in _TABLES)
    if tree is None and len(trees) == 1:
        return str(trees[0])
    if tree is None:
        raise DataError(f"{path} has {len(trees)} trees ({', '.join(trees)}); say which by 'tree:' in the mapping")
    if tree not in trees:
        raise DataError(f"{path} has no tree {tree!r}; {nearest(tree, trees)}")
    return tree


def _types(table: Any) -> dict[str, str]:
    if not isinstance(table, uproot.TTree):
        return {name: str(table[name].typename) for name in table.keys()}  # noqa: SIM118 - not a dict
    # a branch may be named by its own name or by its path through the branches it is split from
    short = dict(zip(table.keys(full_paths=False), table.values(), strict=True))
    return {name: str(branch.typename) for name, branch in short.items()}


def _steps(table: Any, branches: set[str], size: int) -> Iterator[ak.Array]:
    if isinstance(table, uproot.TTree):  # by function: as text, "Jets.pt" would be an expression
        steps: Iterator[ak.Array] = table.iterate(filter_branch=lambda one: one.name in branches, step_size=size)
        return steps
    return iter(table.iterate(filter_name=sorted(branches), step_size=size))
