"""The same events written in every format are read as the same Events."""

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot

from showercal.errors import DataError
from showercal.readers import Mapping, open_mapped, read
from showercal.storage import convert, open_events

N = 57
FIELDS = {
    "energy_true": {"branch": "e", "unit": "MeV"},
    "impact_x": {"branch": "x", "unit": "cm"},
    "image": {"branch": "image", "unit": "MeV", "shape": [2, 3]},
    "cells.id": {"branch": "cell", "unit": "1", "dtype": "int32"},
    "cells.energy": {"branch": "dep", "unit": "MeV"},
}


@pytest.fixture
def columns(rng):
    counts = rng.integers(0, 5, N)
    counts[:3] = 0, 0, 4
    total = int(counts.sum())
    return {
        "e": rng.uniform(0, 1e4, N),
        "x": rng.uniform(-7, 7, N).astype(np.float32),
        "image": rng.uniform(0, 1, (N, 2, 3)).astype(np.float32),
        "counts": counts,
        "cell": rng.integers(0, 1088, total, dtype=np.uint16),
        "dep": rng.exponential(10, total),
    }


def lists(columns):
    return {name: ak.unflatten(columns[name], columns["counts"]) for name in ("cell", "dep")}


def write_parquet(path, columns):
    array = ak.zip({n: columns[n] for n in ("e", "x", "image")} | lists(columns), depth_limit=1)
    pq.write_table(ak.to_arrow_table(array, extensionarray=False), path, row_group_size=10)
    return {}


def write_nullable_parquet(path, columns):
    table = pa.table(
        {n: columns[n] for n in ("e", "x")}
        | {"image": columns["image"].tolist()}  # lists of lists: regular only in fact
        | {n: pa.array(v.tolist()) for n, v in lists(columns).items()}
    )
    assert table.schema.field("e").nullable
    pq.write_table(table, path)
    return {}


def write_struct_parquet(path, columns):
    rows = ak.zip(lists(columns)).tolist()
    table = pa.table({n: columns[n] for n in ("e", "x")} | {"image": columns["image"].tolist(), "hits": pa.array(rows)})
    pq.write_table(table, path)
    return {"cells.id": {"branch": "hits.cell"}, "cells.energy": {"branch": "hits.dep"}}


def write_ttree(path, columns):
    with uproot.recreate(path) as file:
        flat = {name: columns[name] for name in ("e", "x", "image")}
        first, rest = ({n: v[part] for n, v in (flat | lists(columns)).items()} for part in (slice(20), slice(20, N)))
        file["events"] = first
        file["events"].extend(rest)
    return {}


def write_flat_hdf5(path, columns):
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            file.create_dataset(f"run/{name}", data=values, chunks=True)
    counts = {"counts": "run/counts"}
    own = {"cells.id": {"branch": "run/cell"} | counts, "cells.energy": {"branch": "run/dep"} | counts}
    return own | {n: {"branch": f"run/{b}"} for n, b in (("energy_true", "e"), ("impact_x", "x"), ("image", "image"))}


def write_offsets_hdf5(path, columns):
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            file[name] = values.astype(values.dtype.newbyteorder(">"))
        file["first"] = np.concatenate([[0], np.cumsum(columns["counts"])])
    return {"cells.id": {"offsets": "first"}, "cells.energy": {"offsets": "first"}}


def write_vlen_hdf5(path, columns):
    with h5py.File(path, "w") as file:
        for name in ("e", "x", "image"):
            file[name] = columns[name]
        for name, values in lists(columns).items():
            dataset = file.create_dataset(name, (N,), dtype=h5py.vlen_dtype(columns[name].dtype))
            for event, one in enumerate(values):
                dataset[event] = np.asarray(one)
    return {}


WRITERS = {
    write_parquet: "a.parquet",
    write_nullable_parquet: "b.pq",
    write_struct_parquet: "c.parquet",
    write_ttree: "d.root",
    write_flat_hdf5: "e.h5",
    write_offsets_hdf5: "f.hdf5",
    write_vlen_hdf5: "g.h5",
}


@pytest.fixture(params=WRITERS, ids=lambda writer: writer.__name__)
def sample(request, tmp_path, columns):
    path = tmp_path / WRITERS[request.param]
    own = request.param(path, columns)
    fields = {name: field | own.get(name, {}) for name, field in FIELDS.items()}
    return path, Mapping.parse({"geometry": "toy-sandwich", "fields": fields}, where="m.yaml")


def expected(columns):
    ids, deposits = lists(columns).values()
    return {
        "energy_true": columns["e"] * 1e-3,
        "impact_x": columns["x"] * 10,
        "image": columns["image"] * 1e-3,
        "cells": ak.zip({"id": ids, "energy": deposits * 1e-3}),
    }


def test_every_format_gives_the_same_events(sample, columns):
    events = read(*sample)
    wanted = expected(columns)
    for name, values in wanted.items():
        assert ak.almost_equal(events.field(name), values, rtol=1e-6, atol=0, dtype_exact=False), name
    image = "float64" if sample[0].name in ("b.pq", "c.parquet") else "float32"  # Python's floats were written there
    assert str(events.array.type) == (
        f"{N} * {{energy_true: float64, impact_x: float32, image: 2 * 3 * {image}, "
        "cells: var * {id: int32, energy: float64}}"
    )
    assert events.units["energy_true"] == "GeV"
    assert events.units["impact_x"] == "mm"
    assert events.geometry["name"] == "toy-sandwich"
    assert events.provenance["files"] == [str(sample[0])]


@pytest.mark.parametrize("size", [1, 8, N, 1000])
def test_chunks_are_the_whole_in_order(sample, size):
    source = open_mapped(*sample)
    chunks = [chunk.array for chunk in source.chunks(size)]
    assert all(0 < len(chunk) <= size for chunk in chunks)
    assert source.n_events == N
    assert ak.concatenate(chunks).tolist() == source.read().array.tolist()


def test_selection_equals_the_mask(sample):
    path, mapping = sample
    everything = read(path, mapping)
    selected = open_mapped(path, mapping.model_copy(update={"select": "energy_true > 5 and count(cells.id) > 1"}))
    assert selected.n_events is None
    keep = (everything.energy_true > 5) & np.asarray(ak.num(everything.array.cells) > 1)
    assert 0 < keep.sum() < N
    assert selected.read().array.tolist() == everything[keep].array.tolist()


def test_a_selection_that_keeps_nothing_says_so(sample):
    path, mapping = sample
    source = open_mapped(path, mapping.model_copy(update={"select": "energy_true > 99"}))
    with pytest.raises(DataError, match=rf"select: 'energy_true > 99' keeps none of the {N} events"):
        source.read()


def test_converted_to_our_own_form(sample, tmp_path):
    source = open_mapped(*sample)
    assert convert(source, tmp_path / "ours", chunk=10) == N
    stored = open_events(tmp_path / "ours")
    whole = source.read()
    assert ak.array_equal(stored.read().array, whole.array)
    assert (stored.units, stored.geometry, stored.provenance) == (source.units, source.geometry, source.provenance)


def test_truncated_files(sample):
    path, mapping = sample
    whole = path.read_bytes()
    for kept in (20, len(whole) // 2, len(whole) - 7):
        path.write_bytes(whole[:kept])
        with pytest.raises(DataError, match=rf"{path.name} is truncated or not a (Parquet|ROOT|HDF5) file .*again"):
            open_mapped(path, mapping).read()


def test_empty_and_missing_files(sample):
    path, mapping = sample
    path.write_bytes(b"")
    with pytest.raises(DataError, match=rf"{path.name} is empty \(0 bytes\)"):
        open_mapped(path, mapping)
    path.unlink()
    with pytest.raises(DataError, match=rf"no file at .*{path.name}; check the path"):
        open_mapped(path, mapping)


def test_missing_branch_names_the_nearest(sample):
    path, mapping = sample
    data = mapping.model_dump(exclude_none=True)
    branch = data["fields"]["cells.energy"]["branch"]
    data["fields"]["cells.energy"]["branch"] = branch + "p"
    message = rf"has no branch '{branch}p', .* for 'cells\.energy'; nearest known: '{branch}'"
    with pytest.raises(DataError, match=message):
        open_mapped(path, Mapping.parse(data, where="m.yaml"))


def test_several_files_are_one_sample(sample, tmp_path):
    path, mapping = sample
    other = path.with_name("zz" + path.suffix)
    other.write_bytes(path.read_bytes())
    one = read(path, mapping).array.tolist()
    for paths in ([path, other], str(tmp_path / "*"), tmp_path):
        source = open_mapped(paths, mapping)
        assert source.n_events == 2 * N
        assert source.read().array.tolist() == one + one


def test_dense_cells_become_sparse(tmp_path, rng):
    grid = rng.exponential(1, (20, 17, 8, 8)) * (rng.random((20, 17, 8, 8)) < 0.01)
    tracks = (grid > 1).astype(np.int16)
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["e"], file["grid"], file["tracks"] = np.ones(20), grid, tracks
    mapping = Mapping.parse(
        {
            "geometry": "toy-sandwich",
            "fields": {
                "energy_true": {"branch": "e", "unit": "GeV"},
                "cells.energy": {"branch": "grid", "unit": "GeV", "shape": "dense"},
                "cells.tracks": {"branch": "tracks", "unit": "1", "shape": "dense"},
            },
            "select": "count(cells.id) > 2",
        },
        where="m",
    )
    events = read(tmp_path / "d.h5", mapping)
    kept = [one for one in range(20) if np.count_nonzero(grid[one]) > 2]
    assert len(events) == len(kept) > 5
    for event, one in zip(events.array.cells, kept, strict=True):
        back = np.zeros(1088)
        back[np.asarray(event.id)] = event.energy
        np.testing.assert_array_equal(back, grid[one].ravel())
        np.testing.assert_array_equal(np.asarray(event.tracks), tracks[one].ravel()[np.asarray(event.id)])


def test_rntuple(tmp_path, columns):
    with uproot.recreate(tmp_path / "n.root") as file:
        file.mkrntuple("events", {"e": columns["e"]} | lists(columns))
    fields = {name: FIELDS[name] for name in ("energy_true", "cells.id", "cells.energy")}
    events = read(tmp_path / "n.root", Mapping.parse({"fields": fields}, where="m"))
    wanted = expected(columns)
    assert ak.almost_equal(events.array.cells, wanted["cells"], dtype_exact=False)
    np.testing.assert_allclose(events.energy_true, wanted["energy_true"])


def test_the_tree_must_be_named_where_there_are_two(tmp_path):
    with uproot.recreate(tmp_path / "t.root") as file:
        file["events"] = {"e": np.ones(3)}
        file["runs"] = {"n": np.ones(1)}
    data = {"fields": {"energy_true": {"branch": "e", "unit": "GeV"}}}
    with pytest.raises(DataError, match=r"has 2 trees \(events, runs\); say which by 'tree:'"):
        open_mapped(tmp_path / "t.root", Mapping.parse(data, where="m"))
    with pytest.raises(DataError, match=r"has no tree 'event'; nearest known: 'events'"):
        open_mapped(tmp_path / "t.root", Mapping.parse(data | {"tree": "event"}, where="m"))
    assert len(read(tmp_path / "t.root", Mapping.parse(data | {"tree": "events"}, where="m"))) == 3


def test_the_group_of_hdf5(tmp_path):
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["run1/e"] = np.ones(3)
    data = {"fields": {"energy_true": {"branch": "e", "unit": "GeV"}}}
    assert len(read(tmp_path / "t.h5", Mapping.parse(data | {"group": "run1"}, where="m"))) == 3
    with pytest.raises(DataError, match=r"has no group 'run'; nearest known: 'run1'"):
        open_mapped(tmp_path / "t.h5", Mapping.parse(data | {"group": "run"}, where="m"))
    with pytest.raises(DataError, match=r"has no branch 'e', .*known: 'run1/e'"):
        open_mapped(tmp_path / "t.h5", Mapping.parse(data, where="m"))


def test_unknown_suffix(tmp_path):
    (tmp_path / "events.csv").write_text("e\n1\n")
    mapping = Mapping.parse({"fields": {"energy_true": {"branch": "e", "unit": "GeV"}}}, where="m")
    with pytest.raises(DataError, match=r"format of .*events\.csv by its suffix '\.csv'; known: \.parquet"):
        open_mapped(tmp_path / "events.csv", mapping)


def test_columns_of_tables(tmp_path):
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["table"], file["list"] = np.arange(12.0).reshape(4, 3), np.arange(4.0)
    fields = {
        "energy_true": {"branch": "table", "unit": "MeV", "column": 2},
        "impact_x": {"branch": "table", "unit": "cm", "column": 0},
        "impact_y": {"branch": "list", "unit": "mm", "column": 0},  # as good as a table of one column
    }
    events = read(tmp_path / "t.h5", Mapping.parse({"fields": fields}, where="m"))
    np.testing.assert_allclose(events.energy_true, np.array([2, 5, 8, 11]) * 1e-3)
    np.testing.assert_allclose(events.scalar("impact_x"), [0, 30, 60, 90])
    np.testing.assert_allclose(events.scalar("impact_y"), [0, 1, 2, 3])
    fields["impact_x"]["column"] = 3
    message = r"'impact_x' is column 3 of 'table', which has shape \(4, 3\): expected .* more than 3 columns; correct"
    with pytest.raises(DataError, match=message):
        open_mapped(tmp_path / "t.h5", Mapping.parse({"fields": fields}, where="m"))


def test_a_default_is_for_files_without_the_branch(sample):
    path, mapping = sample
    there = {"branch": mapping.fields["impact_x"].branch, "unit": "cm", "default": 7}
    missing = {"branch": "nowhere", "unit": "cm", "default": 7, "dtype": "float32"}
    fields = mapping.model_dump(exclude_none=True)["fields"] | {"there": there, "missing": missing}
    declared = mapping.model_dump(exclude_none=True) | {"fields": fields}
    source = open_mapped(path, Mapping.parse(declared, where="m"))
    events = ak.concatenate([chunk.array for chunk in source.chunks(20)])
    assert events.there.tolist() == events.impact_x.tolist()
    assert events.missing.tolist() == [70.0] * N
    assert str(events.missing.type) == f"{N} * float32"
