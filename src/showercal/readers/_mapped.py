"""Foreign files as a source of events: opened, streamed and checked through a mapping."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from showercal.defaults import DEFAULT_CHUNK
from showercal.detectors import BoxCalorimeter
from showercal.errors import DataError
from showercal.events import Events
from showercal.readers._block import internal_units, records
from showercal.readers._checks import find_faults
from showercal.readers._columns import ColumnFile
from showercal.readers._mapping import Mapping, format_by_suffix, load_mapping
from showercal.readers._select import Selection
from showercal.storage import EventSource

Paths = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class MappedEvents(EventSource):
    """Files read through a mapping; open them with `open_mapped`."""

    files: tuple[ColumnFile, ...]
    mapping: Mapping
    calorimeter: BoxCalorimeter | None
    n_events: int | None
    units: Dict[str, str]
    geometry: Dict[str, Any] | None
    provenance: Dict[str, Any]

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(file.path for file in self.files)

    def chunks(self, size: int = DEFAULT_CHUNK) -> Iterator[Events]:
        """Blocks of at most ``size`` events; a block never spans two files.

        Raises:
            DataError: If a file is damaged, or its values are not what the mapping declares; for bad values (NaN,
                negative truth, ...) all files are read on to say how many there are.
            GeometryError: If cell numbers lie outside the geometry.
            RecipeError: If the selection cannot be computed.
        """
        if size < 1:
            raise ValueError(f"a chunk holds at least 1 event; got size={size}")
        n_read = n_kept = 0
        blocks = self._blocks(size)
        for n_raw, numbers, events, where in blocks:
            n_read += n_raw
            faults = find_faults(events, numbers, self.calorimeter, where=where)
            if faults:
                fault = faults[0]
                for n_later, later_numbers, later, later_where in blocks:
                    n_read += n_later
                    fault = fault.plus(find_faults(later, later_numbers, self.calorimeter, where=later_where))
                raise fault.error(n_read)
            n_kept += len(events)
            if len(events):
                yield events
        if n_kept == 0:
            names = ", ".join(str(file.path) for file in self.files)
            raise DataError(f"select: {self.mapping.select!r} keeps none of the {n_read} events in {names}")

    def _blocks(self, size: int) -> Iterator[tuple[int, NDArray[np.int64], Events, str]]:
        """(events read, numbers in the file of those selected, the selected events, file)."""
        selection = None if self.mapping.select is None else Selection(self.mapping.select)
        for file in self.files:
            first_event = 0
            fields = file.with_defaults(self.mapping.fields)
            for raw in file.blocks(fields, size):
                array = records(raw, fields, where=str(file.path), first_event=first_event)
                events = Events(array, self.units, self.geometry, self.provenance)
                numbers = np.arange(first_event, first_event + len(events))
                n_raw = len(events)
                first_event += n_raw
                if selection is not None:
                    keep = selection.mask(events.field, n_raw)
                    events, numbers = events[keep], numbers[keep]
                yield n_raw, numbers, events, str(file.path)


def open_mapped(paths: Paths, mapping: Mapping | str | Path) -> MappedEvents:
    """Open files of any experiment through a mapping.

    Args:
        paths: A file, a folder, a pattern such as ``"run*.root"``, or a list of these.
        mapping: Name of a packaged mapping, path of a ``.yaml`` file, or a `Mapping`.

    Returns:
        The source; nothing but headers has been read.

    Raises:
        RecipeError: If the mapping is not valid.
        DataError: If there is no file, or one is truncated, empty or lacks a branch.
        GeometryError: If the mapping's detector is unknown.
    """
    mapping = load_mapping(mapping)
    calorimeter = mapping.calorimeter()
    files = tuple(open_columns(path, mapping) for path in find_files(paths))
    for file in files:
        file.check_branches(mapping.fields, mapping=mapping.name)
    counts = [file.n_events(file.with_defaults(mapping.fields)) for file in files]
    if sum(counts) == 0:
        raise DataError(f"no events in {', '.join(str(file.path) for file in files)}: 0 rows")
    provenance = {
        "files": [str(file.path) for file in files],
        "n_events": sum(counts),
        "mapping": mapping.model_dump(mode="json", exclude_none=True, exclude_defaults=True),
    }
    return MappedEvents(
        files=files,
        mapping=mapping,
        calorimeter=calorimeter,
        n_events=sum(counts) if mapping.select is None else None,
        units=internal_units(mapping.fields, mapping.numbered_ids),
        geometry=None if calorimeter is None else calorimeter.to_dict(),
        provenance=provenance,
    )


def read(paths: Paths, mapping: Mapping | str | Path) -> Events:
    """All events of foreign files in memory; see `open_mapped`, which streams them.

    Raises:
        ShowercalError: As `open_mapped` and `MappedEvents.chunks`.
    """
    return open_mapped(paths, mapping).read()


def find_files(paths: Paths) -> list[Path]:
    """Files that a path, folder, pattern or list of these names.

    Raises:
        DataError: If one names nothing.
    """
    if not isinstance(paths, (str, os.PathLike)):
        if not paths:
            raise DataError("no files given: the list is empty")
        return [file for one in paths for file in find_files(one)]
    path = Path(paths)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(one for one in path.iterdir() if one.is_file() and format_by_suffix(one) is not None)
        if not found:
            raise DataError(f"no files in {path}: expected .parquet, .root or .h5 files")
        return found
    found = sorted(Path(one) for one in glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute patterns too
    if not found:
        raise DataError(f"no file at {path}; check the path")
    return found


def open_columns(path: Path, mapping: Mapping) -> ColumnFile:
    """Open one file by its format.

    Raises:
        DataError: If it is missing, empty, truncated or of an unknown format.
    """
    kind = mapping.format_of(path)
    if mapping.layout == "folds" and kind != "hdf5":
        raise DataError(f"mapping {mapping.name!r} has 'layout: folds', which is of HDF5 files; {path} is {kind}")
    match kind:
        case "parquet":
            from showercal.readers._parquet import open_parquet

            return open_parquet(path, mapping.fields)
        case "root":
            from showercal.readers._root import open_root

            return open_root(path, mapping.fields, mapping.tree)
        case "hdf5" if mapping.layout == "folds":
            from showercal.readers._folds import open_folds

            return open_folds(path, mapping)
        case "hdf5":
            from showercal.readers._hdf5 import open_hdf5

            return open_hdf5(path, mapping.fields, mapping.group)
