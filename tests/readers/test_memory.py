"""Reading a longer file takes more time, not more memory (ten million events: benchmarks/reader_memory.py)."""

import json
import tracemalloc

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot

from showercal import Events, open_events
from showercal.readers import Mapping, open_mapped
from showercal.storage import EventsWriter

BLOCK = 500
FIELDS = {
    "energy_true": {"branch": "e", "unit": "GeV"},
    "cells.id": {"branch": "cell", "unit": "1"},
    "cells.energy": {"branch": "dep", "unit": "GeV"},
}


@pytest.fixture
def columns(rng):
    counts = rng.integers(10, 30, BLOCK)
    total = int(counts.sum())
    return {
        "e": rng.uniform(0, 10, BLOCK),
        "counts": counts,
        "cell": rng.integers(0, 1088, total),
        "dep": rng.exponential(1, total),
    }


def jagged(columns):
    lists = {name: ak.unflatten(columns[name], columns["counts"]) for name in ("cell", "dep")}
    return {"e": columns["e"]} | lists


def ours(folder, columns, times):
    array = jagged(columns)
    cells = ak.zip({"id": array["cell"], "energy": array["dep"]})
    events = ak.zip({"energy_true": array["e"], "cells": cells}, depth_limit=1)
    with EventsWriter(folder) as writer:
        for _ in range(times):
            writer.write(Events(events, {"energy_true": "GeV", "cells.id": "1", "cells.energy": "GeV"}))
    return open_events(folder)


def parquet(folder, columns, times):
    table = ak.to_arrow_table(ak.zip(jagged(columns), depth_limit=1), extensionarray=False)
    pq.write_table(pa.concat_tables([table] * times), folder / "f.parquet", row_group_size=BLOCK)
    return opened(folder / "f.parquet")


def root(folder, columns, times):
    with uproot.recreate(folder / "f.root") as file:
        file["events"] = jagged(columns)
        for _ in range(times - 1):
            file["events"].extend(jagged(columns))
    return opened(folder / "f.root")


def hdf5(folder, columns, times):
    with h5py.File(folder / "f.h5", "w") as file:
        for name, values in columns.items():
            file.create_dataset(name, data=np.tile(values, times), chunks=(BLOCK,))
    return opened(folder / "f.h5", counts="counts")


def folds(folder, columns, times):
    """Half a block in each fold: sparse coordinates of 50 x 32 x 32 cells."""
    n_events = BLOCK // 2
    counts = columns["counts"][:n_events]
    n_cells = int(counts.sum())
    event = np.repeat(np.arange(n_events), counts)
    place = np.arange(n_cells) - np.repeat(np.cumsum(counts) - counts, counts)
    entries = np.vstack([columns["dep"][:n_cells], event, 0 * event, place, place, place]).astype(np.float32)
    with h5py.File(folder / "f.hdf5", "w") as file:
        for fold in range(2 * times):
            file[f"fold_{fold}/targets"] = columns["e"][:n_events]
            file.create_dataset(f"fold_{fold}/matrix_inputs", data=entries, compression="lzf")
        file["meta_data/matrix_feats"] = json.dumps({"shape": [1, 50, 32, 32], "is_sparse": True})
    fields = {
        "energy_true": {"branch": "targets", "unit": "GeV"},
        "cells.energy": {"branch": "matrix_inputs", "unit": "GeV", "shape": "matrix"},
    }
    declared = {"layout": "folds", "geometry": "pbwo4-block", "fields": fields}
    return open_mapped(folder / "f.hdf5", Mapping.parse(declared, where="m"))


def opened(path, **own):
    fields = {name: field | (own if "." in name else {}) for name, field in FIELDS.items()}
    return open_mapped(path, Mapping.parse({"fields": fields}, where="m"))


def peak(source, *, keep):
    """Most memory held at once by NumPy, Python and Arrow while reading, [bytes]; and the events read."""
    next(source.chunks(BLOCK))  # what is loaded once
    before = pa.total_allocated_bytes()
    arrow, n_events, kept = 0, 0, []
    tracemalloc.start()
    for chunk in source.chunks(BLOCK):
        arrow = max(arrow, pa.total_allocated_bytes() - before)
        n_events += len(chunk)
        kept += [chunk] if keep else []
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most + arrow, n_events


@pytest.mark.parametrize("write", [ours, parquet, root, hdf5, folds])
def test_peak_does_not_grow_with_the_file(write, columns, tmp_path):
    folders = [tmp_path / "short", tmp_path / "long"]
    for folder in folders:
        folder.mkdir()
    short, n_short = peak(write(folders[0], columns, 2), keep=False)
    source = write(folders[1], columns, 40)
    long, n_long = peak(source, keep=False)
    assert (n_short, n_long) == (2 * BLOCK, 40 * BLOCK)
    # headers (row groups, baskets, parts) are listed in memory: some bytes per block; the events of a block are 160 kB
    assert long < short + 38 * 20_000


def test_the_measure_sees_what_is_kept(columns, tmp_path):
    source = parquet(tmp_path, columns, 20)
    assert peak(source, keep=True)[0] > peak(source, keep=False)[0] + 15 * BLOCK * 20 * 16
