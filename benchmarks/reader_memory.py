"""Memory and speed of reading many events: does the peak grow with the file?

Writes the same 20,000 synthetic events again and again in four forms, then reads each in a fresh process through the
public doors and prints the peak resident memory after the first million events and after the last.

    python benchmarks/reader_memory.py --events 10_000_000
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pyarrow.parquet as pq
import uproot

from showercal import Events, detector
from showercal.readers import open_any
from showercal.storage import EventsWriter

BLOCK = 20_000
MILLION = 1_000_000
MAPPING = """
geometry: toy-sandwich
fields:
  energy_true: {branch: e, unit: GeV}
  cells.id: {branch: cell, unit: 1OWN}
  cells.energy: {branch: dep, unit: MeVOWN}
"""


def block() -> dict[str, np.ndarray]:
    """Electrons' truth and four lit cells on average, as flat arrays."""
    rng = np.random.default_rng(1)
    counts = rng.poisson(4, BLOCK)
    n_cells = int(counts.sum())
    return {
        "e": rng.uniform(0, 10, BLOCK).astype(np.float32),
        "counts": counts.astype(np.int32),
        "cell": rng.integers(0, 1088, n_cells, dtype=np.int32),
        "dep": rng.exponential(10, n_cells).astype(np.float32),
    }


def jagged(columns: dict[str, np.ndarray]) -> ak.Array:
    lists = {name: ak.unflatten(columns[name], columns["counts"]) for name in ("cell", "dep")}
    return ak.zip({"e": columns["e"], **lists}, depth_limit=1)


def write_showercal(folder: Path, columns: dict[str, np.ndarray], times: int) -> Path:
    array = jagged(columns)
    cells = ak.zip({"id": array.cell, "energy": array.dep * np.float32(1e-3)})
    events = ak.zip({"energy_true": array.e, "cells": cells}, depth_limit=1)
    units = {"energy_true": "GeV", "cells.id": "1", "cells.energy": "GeV"}
    with EventsWriter(folder / "ours") as writer:
        first = writer.write(Events(events, units, detector("toy-sandwich").to_dict()))
    for number in range(1, times):
        shutil.copy(first, first.with_name(f"part-{number:05d}.parquet"))
    return folder / "ours"


def write_parquet(folder: Path, columns: dict[str, np.ndarray], times: int) -> Path:
    table = ak.to_arrow_table(jagged(columns), extensionarray=False)
    with pq.ParquetWriter(folder / "events.parquet", table.schema, compression="zstd") as writer:
        for _ in range(times):
            writer.write_table(table)
    return folder / "events.parquet"


def write_one_group(folder: Path, columns: dict[str, np.ndarray], times: int) -> Path:
    """A Parquet file with one row group of everything, as careless writers make them."""
    table = ak.to_arrow_table(jagged(columns), extensionarray=False)
    with pq.ParquetWriter(folder / "one_group.parquet", table.schema, compression="zstd") as writer:
        for batch in table.to_batches():
            for _ in range(times):
                writer.write_batch(batch, row_group_size=BLOCK * times)
    return folder / "one_group.parquet"


def write_root(folder: Path, columns: dict[str, np.ndarray], times: int) -> Path:
    array = jagged(columns)
    with uproot.recreate(folder / "events.root", compression=uproot.LZ4(1)) as file:
        data = {name: array[name] for name in array.fields}
        file["events"] = data
        for _ in range(times - 1):
            file["events"].extend(data)
    return folder / "events.root"


def write_hdf5(folder: Path, columns: dict[str, np.ndarray], times: int) -> Path:
    with h5py.File(folder / "events.h5", "w") as file:
        for name, values in columns.items():
            data = file.create_dataset(name, (len(values) * times,), values.dtype, chunks=(BLOCK,), compression="lzf")
            for number in range(times):
                data[number * len(values) : (number + 1) * len(values)] = values
    return folder / "events.h5"


FORMS = {
    "showercal folder": write_showercal,
    "Parquet": write_parquet,
    "Parquet, one row group": write_one_group,
    "ROOT": write_root,
    "HDF5": write_hdf5,
}


def read(path: str, mapping: str | None) -> None:
    """Run in a process of its own: read everything, print what it took as JSON."""
    source = open_any(path, mapping)
    n_events, at_million, total = 0, 0.0, 0.0
    start = time.perf_counter()
    for chunk in source.chunks():
        n_events += len(chunk)
        total += float(ak.sum(chunk.array.cells.energy))
        if n_events <= MILLION:
            at_million = peak()
    seconds = time.perf_counter() - start
    print(json.dumps({"n": n_events, "sum": total, "s": seconds, "million": at_million, "end": peak()}))


def peak() -> float:
    """Peak resident memory of this process, [MB]; not ru_maxrss, which counts the parent's before exec."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    """Write, read in fresh processes, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10 * MILLION)
    parser.add_argument("--form", choices=FORMS, action="append", help="only these")
    parser.add_argument("--read", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        read(arguments.read[0], arguments.read[1] if len(arguments.read) > 1 else None)
        return
    columns = block()
    times = arguments.events // BLOCK
    print("| form | events | size [MB] | events/s | peak at 1 M [MB] | peak at the end [MB] |")
    print("|---|---|---|---|---|---|")
    for form in arguments.form or FORMS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            path = FORMS[form](folder, columns, times)
            own = ", counts: counts" if form == "HDF5" else ""
            (folder / "mapping.yaml").write_text(MAPPING.replace("OWN", own))
            mapping = [] if form == "showercal folder" else [str(folder / "mapping.yaml")]
            size = sum(one.stat().st_size for one in ([path] if path.is_file() else path.iterdir())) / 1e6
            command = [sys.executable, __file__, "--read", str(path), *mapping]
            told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            assert told["n"] == times * BLOCK, told
            assert abs(told["sum"] / (times * columns["dep"].sum() * 1e-3) - 1) < 1e-3, told
            print(
                f"| {form} | {told['n']:,} | {size:.0f} | {told['n'] / told['s']:,.0f} | {told['million']:.0f} | "
                f"{told['end']:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
