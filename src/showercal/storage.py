"""Events on disk: a folder of Parquet parts, each complete in itself.

Every part carries units, geometry and provenance in its schema metadata (key ``showercal``), is written under a
temporary name and renamed when whole, so that a killed writer leaves no half part behind.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import awkward as ak
import pyarrow as pa
import pyarrow.parquet as pq

from showercal.defaults import DEFAULT_CHUNK
from showercal.errors import DataError
from showercal.events import Events, check_truth, concatenate

METADATA_KEY: Final = b"showercal"
FORMAT_VERSION: Final = 1
PAGE_BUFFER: Final = 1 << 20  # bytes read ahead per column; without it Arrow loads whole column chunks


class EventsWriter:
    """Writes blocks of events as numbered parts of a folder.

    Args:
        folder: Where to write; made when missing.
        overwrite: Remove parts that are already there; otherwise a folder with parts is refused.
        resume: Keep parts that are already there; writing goes on behind the last one unless a number is given.
        compression_level: Of zstd. 12 takes three times the time of 3, for files that are 3 % smaller.

    Raises:
        DataError: If the folder already holds parts and neither ``overwrite`` nor ``resume`` is set, or both are.
    """

    def __init__(
        self, folder: str | Path, *, overwrite: bool = False, resume: bool = False, compression_level: int = 12
    ) -> None:
        self.folder = Path(folder)
        self.compression_level = compression_level
        if overwrite and resume:
            raise DataError(f"cannot both overwrite and resume {self.folder}; choose one")
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
        self._next = _number(present[-1]) + 1 if present and resume else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        return None

    def part(self, number: int) -> Path:
        """Path of a part."""
        return self.folder / f"part-{number:05d}.parquet"

    def write(self, events: Events, number: int | None = None) -> Path:
        """Write one part, whole or not at all.

        Args:
            events: The block.
            number: Part number; by default the next one.

        Returns:
            The path of the part.

        Raises:
            DataError: If truth energies are NaN, infinite or negative.
        """
        number = self._next if number is None else number
        path = self.part(number)
        write_part(events, path, self.compression_level)
        self._next = number + 1
        return path


def write_part(events: Events, path: Path, compression_level: int = 12) -> None:
    """Write one Parquet file with its metadata, atomically.

    Raises:
        DataError: If truth energies are NaN, infinite or negative, or the provenance is not JSON-ready.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with ParquetBlocks(temporary, compression_level=compression_level) as file:
            file.write(events)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


class ParquetBlocks:
    """One Parquet file written block by block, so that it may be longer than memory; `open_events` opens it.

    It has its name from the start: write under another one and rename it when whole.

    Args:
        path: The file; replaced if it is there.
        compression_level: Of zstd. 12 takes three times the time of 3, for files that are 3 % smaller.
    """

    def __init__(self, path: Path, *, compression_level: int = 3) -> None:
        self.path, self.compression_level = path, compression_level
        self._file: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, events: Events) -> None:
        """Add a block; units, geometry and provenance of the first are the file's.

        Raises:
            DataError: If truth energies are NaN, infinite or negative, or the provenance is not JSON-ready.
        """
        _check(events, where=f"the events to be written to {self.path}")
        table = ak.to_arrow_table(ak.to_packed(events.array), list_to32=True, extensionarray=False)
        if self._file is None:
            leaves = [leaf for field in table.schema for leaf in _parquet_leaves(field.name, field.type)]
            self._file = pq.ParquetWriter(
                self.path,
                table.schema.with_metadata({METADATA_KEY: _metadata(events)}),
                compression="zstd",
                compression_level=self.compression_level,
                write_page_checksum=True,  # a flipped bit would otherwise be read as another energy
                # measured energies hardly repeat: a dictionary only costs; their bytes in planes compress by a third
                # more
                use_dictionary=[name for name, kind in leaves if not pa.types.is_floating(kind)] or False,
                column_encoding={name: "BYTE_STREAM_SPLIT" for name, kind in leaves if pa.types.is_floating(kind)},
            )
        self._file.write_table(table, row_group_size=DEFAULT_CHUNK)


def _metadata(events: Events) -> bytes:
    meta = {
        "format": FORMAT_VERSION,
        "units": dict(events.units),
        "geometry": events.geometry,
        "provenance": dict(events.provenance),
    }
    try:
        return json.dumps(meta, sort_keys=True).encode()
    except TypeError as fault:
        raise DataError(f"geometry and provenance must be plain numbers, text, lists and dicts: {fault}") from fault


def _parquet_leaves(path: str, kind: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    """Names and types of a field's leaf columns, as Parquet spells them."""
    if pa.types.is_struct(kind):
        for inner in kind:
            yield from _parquet_leaves(f"{path}.{inner.name}", inner.type)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _parquet_leaves(f"{path}.list.element", kind.value_type)
    else:
        yield path, kind


def part_files(folder: Path) -> list[Path]:
    """The parts of a folder, in order of their numbers."""
    return sorted((path for path in folder.glob("part-*.parquet") if path.stem[5:].isdecimal()), key=_number)


def _number(part: Path) -> int:
    return int(part.stem.removeprefix("part-"))


def _check(events: Events, *, where: str, first_event: int = 0) -> None:
    if "energy_true" in events.fields:
        check_truth(events.energy_true, where=where, first_event=first_event)


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

    @property
    @abstractmethod
    def paths(self) -> tuple[Path, ...]:
        """The files, in the order of reading."""

    @abstractmethod
    def chunks(self, size: int = DEFAULT_CHUNK) -> Iterator[Events]:
        """Blocks of at most ``size`` events, in order; memory does not grow with the file."""

    def read(self) -> Events:
        """All events in memory."""
        return concatenate(list(self.chunks()))


def convert(source: EventSource, folder: str | Path, *, chunk: int = DEFAULT_CHUNK, overwrite: bool = False) -> int:
    """Write a source of events as a folder of Parquet parts, one chunk in memory at a time.

    Args:
        source: What to write, e.g. another experiment's file opened through a mapping.
        folder: Where to write.
        chunk: Events per part.
        overwrite: Replace parts that are already there.

    Returns:
        Number of events written.

    Raises:
        DataError: If the source holds what it must not; parts written before the fault stay.
    """
    n_events = 0
    with EventsWriter(folder, overwrite=overwrite) as writer:
        for block in source.chunks(chunk):
            writer.write(block)
            n_events += len(block)
    return n_events


@dataclass(frozen=True)
class StoredEvents(EventSource):
    """Parts written by `EventsWriter`; open them with `open_events`."""

    files: tuple[Path, ...]
    n_events: int
    units: Mapping[str, str]
    geometry: Mapping[str, Any] | None
    provenance: Mapping[str, Any]

    @property
    def paths(self) -> tuple[Path, ...]:
        return self.files

    def chunks(self, size: int = DEFAULT_CHUNK) -> Iterator[Events]:
        """Blocks of at most ``size`` events; a block never spans two parts.

        Raises:
            DataError: If a part is damaged, or its truth energies are NaN, infinite or negative.
        """
        if size < 1:
            raise ValueError(f"a chunk holds at least 1 event; got size={size}")
        for path in self.files:
            first_event = 0
            for batch in _batches(path, size):
                array = ak.from_arrow(pa.Table.from_batches([batch]))
                events = Events(array, self.units, self.geometry, self.provenance)
                _check(events, where=str(path), first_event=first_event)
                first_event += len(events)
                yield events


def _batches(path: Path, size: int) -> Iterator[pa.RecordBatch]:
    try:
        # pre_buffer would keep every row group read so far in memory
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=PAGE_BUFFER, page_checksum_verification=True) as file:
            yield from file.iter_batches(batch_size=size, use_threads=False)
    except (pa.ArrowException, OSError) as fault:
        raise DataError(f"{path} is damaged ({fault}); write it again") from fault


def open_events(paths: str | Path | Sequence[str | Path]) -> StoredEvents:
    """Open what showercal wrote: a folder, one part, or several of either as one source.

    Args:
        paths: Several are read one after the other. Their provenance is then that of all of them; where it differs, a
            list of all ``samples``.

    Raises:
        DataError: If nothing is there, a part is truncated or not from showercal, or parts do not belong together.
    """
    places = [Path(path) for path in ([paths] if isinstance(paths, (str, os.PathLike)) else paths)]
    files = [file for place in places for file in _files_at(place)]
    if not files:
        raise DataError("no events given: the list of paths is empty")
    headers = [_read_header(file) for file in files]
    first = headers[0]
    for file, header in zip(files, headers, strict=True):
        if (header.meta["units"], header.meta["geometry"]) != (first.meta["units"], first.meta["geometry"]):
            raise DataError(f"{file} has other units or another geometry than {files[0]}: do not mix samples")
        if not header.schema.equals(first.schema):
            raise DataError(f"{file} has other columns or types than {files[0]}: do not mix samples")
    n_events = sum(header.rows for header in headers)
    if n_events == 0:
        raise DataError(f"no events in {', '.join(str(place) for place in places)}: its {len(files)} part(s) are empty")
    provenance = _joined([header.meta["provenance"] for header in headers])
    return StoredEvents(tuple(files), n_events, first.meta["units"], first.meta["geometry"], provenance)


def _files_at(path: Path) -> list[Path]:
    if not path.exists():
        raise DataError(f"no events at {path}: the path does not exist")
    files = part_files(path) if path.is_dir() else [path]
    if not files:
        raise DataError(f"no events in {path}: expected files named part-00000.parquet, found none")
    return files


def _joined(provenances: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The provenance of all parts, or a list of those that differ."""
    different = [one for number, one in enumerate(provenances) if one not in provenances[:number]]
    return different[0] if len(different) == 1 else {"samples": different}


@dataclass(frozen=True)
class _Header:
    rows: int
    schema: pa.Schema
    meta: dict[str, Any]


def _read_header(file: Path) -> _Header:
    try:
        with pq.ParquetFile(file) as opened:
            rows, schema = opened.metadata.num_rows, opened.schema_arrow
    except (pa.ArrowException, OSError) as fault:
        raise DataError(f"{file} is truncated or not a Parquet file ({fault}); write it again") from fault
    raw = (schema.metadata or {}).get(METADATA_KEY)
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
    return _Header(rows, schema.remove_metadata(), meta)
