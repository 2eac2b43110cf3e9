"""What a file may not hold, and what is said about it: count and first place."""

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from showercal.errors import DataError, GeometryError, RecipeError
from showercal.readers import Mapping, load_mapping, open_any, open_mapped, read

N = 40


@pytest.fixture
def columns():
    return {
        "energy_true": np.linspace(0.5, 10, N),
        "x": np.zeros(N),
        "y": np.zeros(N),
        "cell": [[e, e + 1] for e in range(N)],
        "energy": [[0.5, 1.5] for _ in range(N)],
        "tracks": [[1, 2] for _ in range(N)],
    }


@pytest.fixture
def written(tmp_path):
    def write(columns, name="run7.parquet"):
        pq.write_table(pa.table(columns), tmp_path / name)
        return tmp_path / name

    return write


def toy(**changes):
    return load_mapping("g4_toy_electrons").model_copy(update=changes)


def test_the_sample_is_good_as_it_stands(written, columns):
    assert len(read(written(columns), toy())) == N


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.2])
@pytest.mark.parametrize("size", [1, 7, N])
def test_bad_truth(written, columns, bad, size):
    columns["energy_true"][[17, 30, 31]] = bad
    path = written(columns)
    message = rf"energy_true must be finite and >= 0 GeV; got {bad} at event 17 of .*run7\.parquet \(3 such values in"
    with pytest.raises(DataError, match=message):
        list(open_mapped(path, toy()).chunks(size))
    kept = read(path, toy(select="energy_true >= 0 and isfinite(energy_true)"))
    assert len(kept) == N - 3


def test_the_count_is_over_all_files(written, columns):
    good = written(columns, "a.parquet")
    columns["energy_true"][[3, 4]] = np.nan
    bad = [written(columns, f"{name}.parquet") for name in "bc"]
    with pytest.raises(DataError, match=r"at event 3 of .*b\.parquet \(4 such values in 120 events\)"):
        read([good, *bad], toy())


def test_events_are_numbered_as_in_the_file_despite_a_selection(written, columns):
    columns["energy_true"][17] = -1
    with pytest.raises(DataError, match=r"got -1\.0 at event 17 .*1 such values in 40 events"):
        read(written(columns), toy(select="impact_x == 0 and count(cells.id) == 2 and not energy_true == 0.5"))


@pytest.mark.parametrize("bad", [1088, 60_000, -1])
def test_cells_outside_the_geometry(written, columns, bad):
    columns["cell"][5][1] = columns["cell"][38][0] = bad
    message = (
        rf"cells\.id must be in \[0, 1088\) for 'toy-sandwich' \(layer\*64 \+ ix\*8 \+ iy\); got {bad} at event 5 of "
        r".*\(2 such values in 40 events\); is this the right detector"
    )
    with pytest.raises(GeometryError, match=message):
        list(open_mapped(written(columns), toy()).chunks(9))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_cell_energies_must_be_finite(written, columns, bad):
    columns["energy"][6][1] = bad
    path = written(columns)
    with pytest.raises(DataError, match=rf"cells\.energy must be finite, in GeV; got {bad} at event 6 .*\(1 such"):
        read(path, toy())
    assert len(read(path, toy(select="all(isfinite(cells.energy))"))) == N - 1


def test_negative_cell_energies_are_noise_and_stay(written, columns):
    columns["energy"][6][1] = -3.0
    assert read(written(columns), toy()).array.cells.energy[6, 1] == pytest.approx(-0.003)


def test_lists_of_one_collection_must_match(written, columns):
    columns["energy"][12] = [1.0, 2.0, 3.0]
    columns["energy"][13] = []
    with pytest.raises(DataError, match=r"cells\.id and cells\.energy must .*; event 12 of .*parquet has 2 and 3"):
        list(open_mapped(written(columns), toy()).chunks(5))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("energy_true", None, r"field 'energy_true' .* missing values \(nulls\): the first at event 11 \(1 in"),
        ("cell", None, r"field 'cells\.id' .* missing values \(nulls\): the first at event 11 \(1 in"),
        ("energy", [None, 1.0], r"field 'cells\.energy' .* missing values \(nulls\): the first at event 11 \(1 in"),
    ],
)
def test_nulls(written, columns, column, value, message):
    columns[column] = list(columns[column])
    columns[column][11] = value
    with pytest.raises(DataError, match=message):
        list(open_mapped(written(columns), toy()).chunks(8))


@pytest.mark.parametrize(
    ("field", "changes", "message"),
    [
        ("energy_true", {"branch": "cell"}, r"declares one number per event; got var \* int64: correct its 'shape'"),
        ("cells.id", {"branch": "x"}, r"declares 1 axes \[ragged\] per event; got float64: correct its 'shape'"),
        ("cells.energy", {"shape": ("ragged", 3)}, r"declares 2 axes \[ragged, 3\] per event; got var \* float64"),
        ("impact_x", {"branch": "cell", "shape": (3,)}, r"declares shape \[3\]; event 0 has \[2\] entries on axis 1"),
        ("impact_x", {"branch": "name"}, r"field 'impact_x' \(branch 'name' .*\) must hold numbers; .*string"),
        ("cells.id", {"branch": "energy"}, r"do not fit dtype int32; the first at event 0, which has \[0\.5, 1\.5\]"),
        ("cells.id", {"branch": "energy", "dtype": None}, r"cells\.id must be whole numbers; they are float64"),
        ("cells.tracks", {"dtype": "int8", "branch": "big"}, r"do not fit dtype int8; the first at event 0.*\[1000\]"),
        ("energy_true", {"counts": "tracks"}, r"'counts' and 'offsets' are for flat arrays of HDF5"),
        ("impact_x", {"column": 0}, r"field 'impact_x': 'column' is for tables of HDF5; .* has branches of its own"),
        ("energy_true", {"branch": "energytrue"}, r"no branch 'energytrue', .*; nearest known: 'energy_true'"),
    ],
)
def test_columns_that_are_not_as_declared(written, columns, field, changes, message):
    columns |= {"name": ["a"] * N, "big": [[1000]] * N}
    mapping = toy()
    fields = mapping.fields | {field: mapping.fields[field].model_copy(update=changes)}
    with pytest.raises(DataError, match=message):
        read(written(columns), mapping.model_copy(update={"fields": fields}))


def test_no_events(written, columns):
    with pytest.raises(DataError, match=r"no events in .*run7\.parquet: 0 rows"):
        open_mapped(written(pa.table(columns).slice(0, 0).to_pydict() | {"energy_true": pa.array([], "f4")}), toy())


def test_no_files(tmp_path):
    with pytest.raises(DataError, match=r"no files given: the list is empty"):
        open_mapped([], toy())
    with pytest.raises(DataError, match=r"no file at .*\*\.parquet; check the path"):
        open_mapped(tmp_path / "*.parquet", toy())
    with pytest.raises(DataError, match=r"no files in .*: expected \.parquet, \.root or \.h5 files"):
        open_mapped(tmp_path, toy())


def test_chunk_size_must_be_positive(written, columns):
    with pytest.raises(ValueError, match=r"at least 1 event; got size=-1"):
        next(open_mapped(written(columns), toy()).chunks(-1))


def test_selection_that_cannot_be_computed(written, columns):
    with pytest.raises(RecipeError, match=r"close lists with any"):
        read(written(columns), toy(select="cells.energy > 1"))


def test_foreign_files_without_a_mapping_list_those_that_fit(written, columns, tmp_path):
    path = written(columns)
    with pytest.raises(DataError, match=r"was not written by showercal: .* it has: g4_pwo_muons, g4_toy_electrons$"):
        open_any(path)
    with pytest.raises(DataError, match=r"no packaged one \(g4_pwo_muons, .*\) fits, so write a \.yaml file"):
        open_any(written({"e": [1.0]}, "other.parquet"))
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match=r"truncated or not a Parquet file"):
        open_any(path)
    with pytest.raises(DataError, match=r"no file at .*nowhere"):
        open_any(tmp_path / "nowhere")


def test_one_door_opens_both(written, columns, make_events, tmp_path):
    make_events(5).save(tmp_path / "ours")
    assert open_any(tmp_path / "ours").n_events == 5
    assert open_any(tmp_path / "ours" / "part-00000.parquet").n_events == 5
    assert open_any(written(columns), "g4_toy_electrons").n_events == N
    make_events(7).save(tmp_path / "more")
    assert open_any([tmp_path / "ours", tmp_path / "more" / "part-00000.parquet"]).n_events == 12
    assert open_any(tmp_path / "*" / "part-*.parquet").n_events == 12


def test_a_foreign_file_among_ours_is_named(written, columns, make_events, tmp_path):
    make_events(5).save(tmp_path / "ours")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"^\S*run7\.parquet was not written by showercal: name a mapping"):
        open_any([tmp_path / "ours", written(columns)])
    with pytest.raises(DataError, match=r"no files in .*empty: expected \.parquet"):
        open_any([tmp_path / "ours", tmp_path / "empty"])
    with pytest.raises(DataError, match=r"no file at .*nowhere; check the path"):
        open_any([tmp_path / "ours", tmp_path / "nowhere"])
    with pytest.raises(DataError, match=r"no files given"):
        open_any([])


def test_our_own_parquet_through_a_mapping(make_events, tmp_path):
    events = make_events(30)
    events.save(tmp_path)
    fields = {
        "energy_true": {"branch": "energy_true", "unit": "GeV"},
        "cells.id": {"branch": "cells.id", "unit": "1"},
        "cells.energy": {"branch": "cells.energy", "unit": "GeV"},
    }
    back = read(tmp_path, Mapping.parse({"fields": fields}, where="m"))
    assert ak.array_equal(back.array, events.array[["energy_true", "cells"]])


def test_jagged_hdf5_that_does_not_fit_its_counts(tmp_path):
    import h5py

    fields = {
        "energy_true": {"branch": "e", "unit": "GeV"},
        "cells.energy": {"branch": "d", "unit": "GeV", "counts": "n"},
    }
    mapping = Mapping.parse({"fields": fields}, where="m")
    for counts, message in (
        ([2, 2, 2], r"'n' asks for entries 0 to 6 of 'd' for events 0 to 2; it has 5: they do not belong together"),
        ([2, 2, 0], r"'n' sums to 4, but 'd' has 5 entries: they do not belong together"),
        ([3, -1, 3], r"'n' asks for"),
        ([2, 3], r"'cells\.energy' has 2 events and 'energy_true' has 3"),
    ):
        with h5py.File(tmp_path / "c.h5", "w") as file:
            file["e"], file["d"], file["n"] = np.ones(3), np.ones(5), counts
        with pytest.raises(DataError, match=message):
            read(tmp_path / "c.h5", mapping)
