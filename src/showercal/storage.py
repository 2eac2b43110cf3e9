"""Events on disk: a folder of Parquet parts, each complete in itself.

Every part carries units, geometry and provenance in its schema metadata (key ``showercal``), is written under a
temporary name and renamed when whole, so that a killed writer leaves no half part behind.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import awkward as ak
import pyarrow as pa
import pyarrow.parquet as pq

from showercal.errors import DataError
from showercal.events import Events, concatenate

METADATA_KEY: Final = b"showercal"
FORMAT_VERSION: Final = 1
DEFAULT_CHUNK: Final = 20_000


class EventsWriter:
    """Writes blocks of events as numbered parts of a folder.

    Args:
        folder: Where to write; made when missing.
        overwrite: Remove parts that are already there; otherwise a folder with parts is refused.
        resume: Keep parts that are already there (for writers that know their part numbers).

    Raises:
        DataError: If the folder already holds parts and neither ``overwrite`` nor ``resume`` is set.
    """

    def __init__(self, folder: str | Path, *, overwrite: bool = False, resume: bool = False) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise DataError(f"events are written to a folder; {self.folder} is a file: choose another name")
        self.folder.mkdir(parents=True, exist_ok=True)
        present = part_files(self.folder)
        if present and overwrite:
            for part in present:
                part.unlink()
        elif present and not resume:
            raise DataError(
                f"{self.folder} already holds {len(present)} parts of events; choose another folder, or ask to "
                "overwrite or to resume"
            )
        self._next = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        return None

    def write(self, events: Events, number: int | None = None) -> Path:
        """Write one part, whole or not at all.

        Args:
            events: The block.
            number: Part number; by default the next one.

        Returns:
            The path of the part.
        """
        number = self._next if number is None else number
        path = self.folder / f"part-{number:05d}.parquet"
        write_part(events, path)
        self._next = number + 1
        return path


def write_part(events: Events, path: Path) -> None:
    """Write one Parquet file with its metadata, atomically."""
    table = ak.to_arrow_table(ak.to_packed(events.array), list_to32=True, extensionarray=False)
    meta = {
        "format": FORMAT_VERSION,
        "units": dict(events.units),
        "geometry": events.geometry,
        "provenance": dict(events.provenance),
    }
    table = table.replace_schema_metadata({METADATA_KEY: json.dumps(meta, sort_keys=True).encode()})
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        pq.write_table(table, temporary, compression="zstd", compression_level=12, row_group_size=DEFAULT_CHUNK)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def part_files(folder: Path) -> list[Path]:
    """The parts of a folder, in order."""
    return sorted(folder.glob("part-*.parquet"))


class EventSource(ABC):
    """Events that are opened but not read: from our Parquet, or from any file through a mapping.

    Attributes:
        n_events: Number of events, or None when only reading tells (a selection is applied).
        units, geometry, provenance: As in `Events`.
    """

    n_events: int | None
    units: Mapping[str, str]
    geometry: Mapping[str, Any] | None
    provenance: Mapping[str, Any]

    @abstractmethod
    def chunks(self, size: int = DEFAULT_CHUNK) -> Iterator[Events]:
        """Blocks of at most ``size`` events, in order; memory does not grow with the file."""

    def read(self) -> Events:
        """All events in memory."""
        return concatenate(list(self.chunks()))


@dataclass(frozen=True)
class StoredEvents(EventSource):
    """A folder of parts written by `EventsWriter`; open it with `open_events`."""

    files: tuple[Path, ...]
    n_events: int
    units: Mapping[str, str]
    geometry: Mapping[str, Any] | None
    provenance: Mapping[str, Any]

    def chunks(self, size: int = DEFAULT_CHUNK) -> Iterator[Events]:
        for path in self.files:
            # pre_buffer would keep every row group read so far in memory
            with pq.ParquetFile(path, pre_buffer=False) as file:
                for batch in file.iter_batches(batch_size=size, use_threads=False):
                    array = ak.from_arrow(pa.Table.from_batches([batch]))
                    yield Events(array, self.units, self.geometry, self.provenance)


def open_events(path: str | Path) -> StoredEvents:
    """Open a folder (or one part) that showercal wrote.

    Raises:
        DataError: If nothing is there, a part is truncated or not from showercal, or parts do not belong together.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"no events at {path}: the path does not exist")
    files = part_files(path) if path.is_dir() else [path]
    if not files:
        raise DataError(f"no events in {path}: expected files named part-00000.parquet, found none")
    n_events = 0
    first: dict[str, Any] | None = None
    for file in files:
        rows, meta = _read_header(file)
        n_events += rows
        if first is None:
            first = meta
        elif (meta["units"], meta["geometry"]) != (first["units"], first["geometry"]):
            raise DataError(f"{file} has other units or another geometry than {files[0]}: do not mix samples")
    assert first is not None
    if n_events == 0:
        raise DataError(f"no events in {path}: its {len(files)} part(s) are empty")
    return StoredEvents(tuple(files), n_events, first["units"], first["geometry"], first["provenance"])


def _read_header(file: Path) -> tuple[int, dict[str, Any]]:
    try:
        with pq.ParquetFile(file) as opened:
            rows = opened.metadata.num_rows
            raw = (opened.schema_arrow.metadata or {}).get(METADATA_KEY)
    except (pa.ArrowInvalid, OSError) as fault:
        raise DataError(f"{file} is truncated or not a Parquet file ({fault}); write it again") from fault
    if raw is None:
        raise DataError(
            f"{file} was not written by showercal (no {METADATA_KEY.decode()!r} metadata); read it with a mapping file "
            "that declares its branches and units (--mapping)"
        )
    meta: dict[str, Any] = json.loads(raw)
    if meta.get("format") != FORMAT_VERSION:
        raise DataError(
            f"{file} has events format {meta.get('format')}; this version reads format {FORMAT_VERSION}: update "
            "showercal"
        )
    return rows, meta
