"""Events as a tree of a ROOT file, written block by block."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import awkward as ak
import numpy as np
import uproot

from showercal.errors import DataError
from showercal.events import Events

TREE: Final = "events"
_METADATA: Final = "showercal"


class RootBlocks:
    """The tree ``events`` of a new ROOT file.

    A scalar field is a branch of its name; a list of records such as ``cells`` is one branch per member, ``cells_id``,
    and one with their number, ``ncells``. Units, geometry and provenance are JSON in the text ``showercal``.

    Args:
        path: The file; replaced if it is there.
    """

    def __init__(self, path: Path) -> None:
        self._file = uproot.recreate(path, compression=uproot.ZSTD(1))
        self._tree: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()

    def write(self, events: Events) -> None:
        """Add a block.

        Raises:
            DataError: If a field has no form in a tree.
        """
        columns = {name: events.array[name] for name in events.fields}
        if self._tree is None:
            types = {name: _branch_type(name, values) for name, values in columns.items()}
            _check_names(events)
            self._tree = self._file.mktree(TREE, types, title="events of showercal")
            meta = {
                "units": dict(events.units),
                "geometry": events.geometry,
                "provenance": dict(events.provenance),
            }
            self._file[_METADATA] = json.dumps(meta, sort_keys=True)
        self._tree.extend({name: _packed(values) for name, values in columns.items()})


def _branch_type(name: str, values: ak.Array) -> Any:
    """What uproot makes branches of."""
    kind = values.type.content
    if isinstance(kind, ak.types.ListType):
        members = kind.content.contents if isinstance(kind.content, ak.types.RecordType) else [kind.content]
        if all(isinstance(member, ak.types.NumpyType) for member in members):
            return values.type
    shape: tuple[int, ...] = ()
    while isinstance(kind, ak.types.RegularType):
        shape, kind = (*shape, kind.size), kind.content
    if isinstance(kind, ak.types.NumpyType):
        return np.dtype((np.dtype(kind.primitive), shape))
    raise DataError(
        f"a ROOT tree cannot hold field {name!r} of type {values.type.content}: write .parquet or a folder of parts"
    )


def _check_names(events: Events) -> None:
    names: list[str] = []
    for name in events.fields:
        values = events.array[name]
        names += [f"{name}_{member}" for member in values.fields] if values.fields else [name]
        names += [f"n{name}"] if isinstance(values.type.content, ak.types.ListType) else []
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise DataError(
            f"two fields would share the branch {', '.join(double)} of the ROOT tree (lists are written as n<list> and "
            "<list>_<member>): rename one in the mapping, or write .parquet"
        )


def _packed(values: ak.Array) -> Any:
    return ak.to_packed(values) if isinstance(values.type.content, ak.types.ListType) else ak.to_numpy(values)
