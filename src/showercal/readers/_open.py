"""One door for everything that holds events: our folders, and foreign files with a mapping."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from showercal.errors import DataError, ShowercalError
from showercal.readers._columns import DamagedFileError
from showercal.readers._mapped import Paths, find_files, open_columns, open_mapped
from showercal.readers._mapping import Mapping, format_by_suffix, load_mapping, packaged_mappings
from showercal.storage import METADATA_KEY, EventSource, open_events, part_files


def open_any(paths: Paths, mapping: Mapping | str | Path | None = None) -> EventSource:
    """Open events, whoever wrote them.

    Args:
        paths: With a mapping, as `open_mapped`; without one, folders or parts that showercal wrote or patterns of their
            names, one or several, which are read one after the other.
        mapping: How to read foreign files; None for our own.

    Raises:
        DataError: If nothing is there, or foreign files come without a mapping; the message lists packaged mappings
            whose branches the file has.
        ShowercalError: As `open_events` and `open_mapped`.
    """
    if mapping is not None:
        return open_mapped(paths, mapping)
    given = [Path(path) for path in ([paths] if isinstance(paths, (str, os.PathLike)) else paths)]
    places = [place for one in given for place in ([one] if one.exists() else find_files(one))]
    foreign = [place for place in places if not _is_ours(place)]
    if places and not foreign:
        return open_events(places)
    first = find_files(foreign)[0]
    fitting = matching_mappings(first)
    advice = (
        f"packaged ones whose branches it has: {', '.join(fitting)}"
        if fitting
        else f"no packaged one ({', '.join(packaged_mappings())}) fits, so write a .yaml file"
    )
    raise DataError(
        f"{first} was not written by showercal: name a mapping that declares its branches and units (--mapping NAME or "
        f"FILE.yaml); {advice}"
    )


def matching_mappings(file: Path) -> list[str]:
    """Packaged mappings all of whose branches a file has.

    Raises:
        DataError: If the file is missing, empty or truncated.
    """
    fitting = []
    for name in packaged_mappings():
        mapping = load_mapping(name)
        if mapping.format not in ("auto", format_by_suffix(file)):
            continue
        try:
            open_columns(file, mapping).check_branches(mapping.fields, mapping=name)
        except DamagedFileError:
            raise
        except ShowercalError:
            continue
        fitting.append(name)
    return fitting


def _is_ours(path: Path) -> bool:
    if path.is_dir():
        return bool(part_files(path))
    if not path.is_file() or format_by_suffix(path) != "parquet":
        return False
    try:
        return METADATA_KEY in (pq.read_schema(path).metadata or {})
    except (pa.ArrowException, OSError):
        return True  # damaged: `open_events` says how
