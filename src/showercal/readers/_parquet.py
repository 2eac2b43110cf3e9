"""Columns of a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import awkward as ak
import pyarrow as pa
import pyarrow.parquet as pq

from showercal.readers._columns import ColumnFile, check_file, refuse_hdf5_keys, truncated
from showercal.readers._mapping import Field
from showercal.storage import PAGE_BUFFER


@dataclass(frozen=True)
class ParquetColumns(ColumnFile):
    """A Parquet file; open it with `open_parquet`."""

    path: Path
    types: Mapping[str, str]
    rows: int

    def n_events(self, fields: Mapping[str, Field]) -> int:
        return self.rows

    def blocks(self, fields: Mapping[str, Field], size: int) -> Iterator[dict[str, ak.Array]]:
        branches = {name: field.branch for name, field in fields.items() if field.branch is not None}
        try:
            # pre_buffer would keep every row group read so far; without a buffer whole column chunks are loaded
            with pq.ParquetFile(self.path, pre_buffer=False, buffer_size=PAGE_BUFFER) as file:
                top = {name: _top(branch, file.schema_arrow) for name, branch in branches.items()}
                columns = sorted(set(top.values()))
                for batch in file.iter_batches(batch_size=size, columns=columns, use_threads=False):
                    arrays = {column: ak.from_arrow(batch.column(column)) for column in batch.schema.names}
                    yield {name: _inner(arrays[top[name]], branch, top[name]) for name, branch in branches.items()}
        except (pa.ArrowException, OSError) as fault:
            raise truncated(self.path, "Parquet", fault) from fault


def open_parquet(path: Path, fields: Mapping[str, Field]) -> ParquetColumns:
    """Open a Parquet file.

    Raises:
        DataError: If it is missing, empty, truncated or not Parquet.
    """
    check_file(path)
    refuse_hdf5_keys(path, fields)
    try:
        with pq.ParquetFile(path) as file:
            types = {}
            for column in file.schema_arrow:
                types[column.name] = str(column.type)
                types.update({f"{column.name}.{inner.name}": str(inner.type) for inner in _members(column.type)})
            return ParquetColumns(path, types, file.metadata.num_rows)
    except (pa.ArrowException, OSError) as fault:
        raise truncated(path, "Parquet", fault) from fault


def _members(kind: pa.DataType) -> list[pa.Field]:
    while pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    return [kind.field(n) for n in range(kind.num_fields)] if pa.types.is_struct(kind) else []


def _top(branch: str, schema: pa.Schema) -> str:
    return branch if branch in schema.names else branch.rpartition(".")[0]


def _inner(array: ak.Array, branch: str, top: str) -> ak.Array:
    return array if branch == top else array[branch.removeprefix(f"{top}.")]
