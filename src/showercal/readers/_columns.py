"""What the three file formats have in common: named columns, read in blocks of events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path

import awkward as ak

from showercal.errors import DataError, nearest
from showercal.readers._mapping import Field


class ColumnFile(ABC):
    """One opened file of any format; opened again by each reading, so that it holds no handle.

    Attributes:
        path: The file.
        types: Column name -> its type in the format's words.
    """

    path: Path
    types: Mapping[str, str]

    @abstractmethod
    def n_events(self, fields: Mapping[str, Field]) -> int:
        """Number of events."""

    @abstractmethod
    def blocks(self, fields: Mapping[str, Field], size: int) -> Iterator[dict[str, ak.Array]]:
        """Values of the fields that have a branch, by field name, at most ``size`` events at a time.

        For ``cells.energy`` of shape ``matrix`` also the numbers of its cells, as ``cells.id``.
        """

    def with_defaults(self, fields: Mapping[str, Field]) -> dict[str, Field]:
        """The fields, with the default in place of each branch that the file does not have."""
        return {
            name: field.constant if field.default is not None and field.branch not in self.types else field
            for name, field in fields.items()
        }

    def check_branches(self, fields: Mapping[str, Field], *, mapping: str) -> None:
        """Refuse a mapping that names columns the file does not have.

        Raises:
            DataError: With the nearest column.
        """
        for name, field in self.with_defaults(fields).items():
            for column in field.columns:
                if column not in self.types:
                    raise DataError(
                        f"{self.path} has no branch {column!r}, which mapping {mapping!r} declares for {name!r}; "
                        f"{nearest(column, self.types)}"
                    )


class DamagedFileError(DataError):
    """A file that is missing, empty or truncated, whatever the mapping says."""


def check_file(path: Path) -> None:
    """Refuse a file that is missing or of no bytes.

    Raises:
        DamagedFileError: If so.
    """
    if not path.is_file():
        raise DamagedFileError(f"no file at {path}; check the path")
    if path.stat().st_size == 0:
        raise DamagedFileError(f"{path} is empty (0 bytes): was it copied or written completely?")


def truncated(path: Path, kind: str, fault: object) -> DamagedFileError:
    """The fault of a file that cannot be read to its end."""
    return DamagedFileError(f"{path} is truncated or not a {kind} file ({_one_line(fault)}); copy or write it again")


def refuse_hdf5_keys(path: Path, fields: Mapping[str, Field]) -> None:
    """Refuse the keys that only HDF5 needs.

    Raises:
        DataError: If a field has ``counts``, ``offsets`` or a ``column``.
    """
    for name, field in fields.items():
        if field.column is not None:
            raise DataError(
                f"field {name!r}: 'column' is for tables of HDF5; {path} has branches of its own: name one as 'branch'"
            )
        if field.counts or field.offsets:
            raise DataError(
                f"field {name!r}: 'counts' and 'offsets' are for flat arrays of HDF5; {path} has lists of its own: "
                "remove the key"
            )


def _one_line(fault: object) -> str:
    text = " ".join(str(fault).split())
    return text if len(text) <= 160 else f"{text[:157]}..."
