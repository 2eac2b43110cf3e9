"""Fold files as LUMIN writes them for the TeV muons (EPJC 82:79): sparse matrices of value, event, channel, z, x, y."""

import json

import awkward as ak
import h5py
import numpy as np
import pytest

from showercal import detector, open_any
from showercal.errors import DataError
from showercal.readers import Mapping, _matrix, load_mapping, matching_mappings, open_mapped, read
from showercal.storage import convert, open_events

SHAPE = (1, 50, 32, 32)
SIZES = (7, 5, 9)  # events of each fold
# columns of the inputs, in the order of the published files
INPUTS = [
    "eabove",
    "rmom",
    "rmom1",
    "r2m",
    "r2m1",
    "r2m2",
    "r2m3",
    "r2m4",
    "r2m5",
    "nclu",
    "ncellmax",
    "eclumax",
    "maxdepthx",
    "maxdepthy",
    "maxdepthz",
    "epercell",
    "avgcells",
    "nclu1",
    "ncellmax1",
    "eclumax1",
    "epercell1",
    "avgcells_off_trk",
    "ymom",
    "xmom",
    "emeas",
    "maxsum",
    "eb1",
    "ea1",
]
META = {"present_feats": ["rechit_energy"], "vecs": ["rechit_energy"], "missing": [], "feats_per_vec": [""]}


@pytest.fixture
def folds(rng):
    """What each fold holds; the matrix dense, with events that have no cells among them."""
    made = []
    for n_events in SIZES:
        grid = rng.exponential(0.1, (n_events, *SHAPE)).astype(np.float32)
        grid[rng.random(grid.shape) > 2e-4] = 0
        grid[[0, -1]] = 0
        made.append(
            {
                "inputs": rng.normal(size=(n_events, 28)).astype(np.float32),
                "targets": rng.uniform(50, 8000, n_events).astype(np.float32),
                "weights": rng.uniform(0, 1, n_events).astype(np.float32),
                "matrix_inputs": grid,
            }
        )
    return made


@pytest.fixture
def path(tmp_path):
    return tmp_path / "muons.hdf5"


def coo(grid):
    """``np.vstack((x.data, x.coords))`` of a sparse.COO array, in the type of the published files."""
    places = np.nonzero(grid)
    return np.vstack([grid[places], *places]).astype(np.float32)


def write(path, folds, *, is_sparse=True, shape=SHAPE):
    with h5py.File(path, "w") as file:
        for number, fold in enumerate(folds):
            for name, values in fold.items():
                stored = coo(values) if name == "matrix_inputs" and is_sparse else values
                file.create_dataset(f"fold_{number}/{name}", data=stored, compression="lzf")
        file["meta_data/cont_feats"] = json.dumps(INPUTS)
        file["meta_data/matrix_feats"] = json.dumps(META | {"shape": shape, "is_sparse": is_sparse})
    return path


def change(path, **changes):
    """Replace, or with None remove, data sets: ``__`` for ``/``."""
    with h5py.File(path, "r+") as file:
        for name, values in changes.items():
            del file[name.replace("__", "/")]
            if values is not None:
                file[name.replace("__", "/")] = values


def with_fields(**fields):
    mapping = load_mapping("lumin_muons").model_dump(exclude_none=True)
    return Mapping.parse(mapping | {"fields": mapping["fields"] | fields}, where="m")


def test_one_cell_by_hand(path):
    with h5py.File(path, "w") as file:
        file["fold_0/inputs"] = np.arange(56, dtype=np.float32).reshape(2, 28)
        file["fold_0/targets"] = np.float32([100, 8000])
        file["fold_0/weights"] = np.float32([1, 0.5])
        # value, event, channel, z, x, y
        file["fold_0/matrix_inputs"] = np.float32([[0.25, 1.5], [1, 1], [0, 0], [0, 3], [0, 30], [0, 1]])
        file["meta_data/cont_feats"] = json.dumps(INPUTS)
        file["meta_data/matrix_feats"] = json.dumps(META | {"shape": SHAPE, "is_sparse": True})
    events = read(path, "lumin_muons")
    assert events.energy_true.tolist() == [100, 8000]
    assert events.scalar("weight").tolist() == [1, 0.5]
    assert events.scalar("fold").tolist() == [0, 0]
    assert events.scalar("hl_eabove").tolist() == [0, 28]
    assert events.scalar("hl_emeas").tolist() == [24, 52]
    assert events.scalar("hl_ea1").tolist() == [27, 55]
    assert events.array.cells.id.tolist() == [[], [0, 3 * 1024 + 30 * 32 + 1]]
    assert events.array.cells.energy.tolist() == [[], [0.25, 1.5]]
    assert events.units["cells.energy"] == "GeV"
    # z, x, y of the paper's grid: 40.64 mm and 3.75 mm a cell
    centre = detector("pbwo4-block").cell_position(np.asarray(events.array.cells.id[1]))
    np.testing.assert_allclose(centre[0], [-58.125, -58.125, 20.32])
    np.testing.assert_allclose(centre[1], [54.375, -54.375, 3.5 * 40.64])


@pytest.mark.parametrize("is_sparse", [True, False])
@pytest.mark.parametrize("piece", [1, 5, 1 << 19])
@pytest.mark.parametrize("size", [1, 4, 1000])
def test_read_as_written(path, folds, is_sparse, piece, size, monkeypatch):
    monkeypatch.setattr(_matrix, "_PIECE", piece)
    monkeypatch.setattr(_matrix, "_DENSE_PIECE", piece * 51_200)
    source = open_mapped(write(path, folds, is_sparse=is_sparse), "lumin_muons")
    assert source.n_events == sum(SIZES)
    blocks = [block.array for block in source.chunks(size)]
    assert max(len(block) for block in blocks) <= size
    events = ak.concatenate(blocks)
    number = 0
    for fold, content in enumerate(folds):
        for event in range(SIZES[fold]):
            one = events[number]
            assert one.energy_true == content["targets"][event]
            assert one.weight == content["weights"][event]
            assert one.fold == fold
            assert [one[f"hl_{name}"] for name in INPUTS] == content["inputs"][event].tolist()
            grid = np.zeros(51_200, np.float32)
            grid[np.asarray(one.cells.id)] = one.cells.energy
            np.testing.assert_array_equal(grid, content["matrix_inputs"][event].ravel())
            assert len(one.cells) == np.count_nonzero(grid)
            number += 1
    assert number == len(events)
    assert ak.any(ak.num(events.cells) == 0)
    assert ak.any(ak.num(events.cells) > 5)


@pytest.mark.parametrize("is_sparse", [True, False])
def test_other_axes(path, folds, is_sparse):
    there = read(write(path, folds), "lumin_muons")
    for fold in folds:  # z, x, y -> y, z, x
        fold["matrix_inputs"] = fold["matrix_inputs"][:, 0].transpose(0, 3, 1, 2)
    write(path, folds, is_sparse=is_sparse, shape=(32, 50, 32))
    declared = {"branch": "matrix_inputs", "unit": "GeV", "shape": "matrix", "axes": ["y", "z", "x"]}
    cells = read(path, with_fields(**{"cells.energy": declared})).array.cells
    in_order = cells[ak.argsort(cells.id)]
    assert in_order.id.tolist() == there.array.cells.id.tolist()
    assert in_order.energy.tolist() == there.array.cells.energy.tolist()


def test_units_and_whole_numbers_stored_as_such(path, folds):
    write(path, folds)
    there = read(path, "lumin_muons").array.cells
    with h5py.File(path) as file:
        stored = {fold: file[f"{fold}/matrix_inputs"][()] for fold in ("fold_0", "fold_1", "fold_2")}
    change(
        path,
        **{
            f"{fold}__matrix_inputs": values.astype(np.float64) * [[1000], *[[1]] * 5]
            for fold, values in stored.items()
        },
    )
    declared = {"branch": "matrix_inputs", "unit": "MeV", "shape": "matrix"}
    cells = read(path, with_fields(**{"cells.energy": declared})).array.cells
    assert cells.id.tolist() == there.id.tolist()
    assert ak.almost_equal(cells.energy, there.energy, rtol=1e-6, atol=0, dtype_exact=False)


def test_folds_are_numbered_as_numbers_and_select_events(path, folds):
    write(path, [folds[number % 3] for number in range(12)])  # fold_10 comes after fold_9
    events = read(path, "lumin_muons")
    assert events.scalar("fold").tolist() == [fold for fold in range(12) for _ in range(SIZES[fold % 3])]
    kept = read(path, load_mapping("lumin_muons").model_copy(update={"select": "fold > 0 and energy_true < 4000"}))
    keep = (events.scalar("fold") > 0) & (events.energy_true < 4000)
    assert 0 < keep.sum() < len(events)
    assert kept.array.tolist() == events[keep].array.tolist()


def test_files_without_weights_have_the_default(path, folds, tmp_path):
    write(path, folds)
    other = write(tmp_path / "other.hdf5", [{n: v for n, v in fold.items() if n != "weights"} for fold in folds])
    both = read([path, other], "lumin_muons")
    n_events = sum(SIZES)
    assert both.scalar("weight")[:n_events].tolist() == [w for fold in folds for w in fold["weights"].tolist()]
    assert both.scalar("weight")[n_events:].tolist() == [1.0] * n_events
    assert both.array.cells[:n_events].tolist() == both.array.cells[n_events:].tolist()
    without = with_fields(weight={"branch": "weights", "unit": "1"})
    with pytest.raises(
        DataError, match=r"other\.hdf5 has no branch 'weights', which mapping 'lumin_muons' declares for 'weight'"
    ):
        read(other, without)


def test_targets_of_one_column(path, folds):
    there = read(write(path, folds), "lumin_muons").energy_true
    for fold in folds:
        fold["targets"] = fold["targets"][:, np.newaxis]
    assert read(write(path, folds), "lumin_muons").energy_true.tolist() == there.tolist()


def test_folds_in_a_group_and_as_one_table(path, folds):
    write(path, folds)
    with h5py.File(path, "r+") as file:
        for name in list(file):
            file.move(name, f"train/{name}")
    mapping = with_fields(inputs={"branch": "inputs", "unit": "1", "shape": [28]})
    events = read(path, mapping.model_copy(update={"group": "train"}))
    assert events.field("inputs").tolist() == [row for fold in folds for row in fold["inputs"].tolist()]
    assert events.field("hl_rmom").tolist() == events.field("inputs")[:, 1].tolist()
    with pytest.raises(DataError, match=r"no groups fold_0, fold_1, \.\.\., .* it has train: name the group"):
        read(path, mapping)


def test_converted_and_found_without_a_mapping(path, folds, tmp_path):
    source = open_mapped(write(path, folds), "lumin_muons")
    convert(source, tmp_path / "ours", chunk=4)
    assert ak.array_equal(open_events(tmp_path / "ours").read().array, source.read().array)
    assert matching_mappings(path) == ["lumin_muons"]
    with pytest.raises(DataError, match=r"packaged ones whose branches it has: lumin_muons$"):
        open_any(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "fold_0",
            None,
            r"muons\.hdf5 has 2 folds up to fold_2, but no fold_0 \(1 missing\): expected all from fold_0",
        ),
        ("fold_1", None, r"muons\.hdf5 has 2 folds up to fold_2, but no fold_1"),
        ("fold_1", 3, r"muons\.hdf5: fold_1 must be a group of data sets; it is one data set"),
        (
            "fold_1__targets",
            None,
            r"muons\.hdf5 \(fold_1\) has no data set 'targets', which fold_0 has; .*again",
        ),
        ("fold_2__weights", None, r"muons\.hdf5 \(fold_2\) has no data set 'weights', which fold_0 has"),
        ("fold_0__weights", None, r"muons\.hdf5 \(fold_0\) has no data set 'weights', which fold_1 has"),
        ("fold_1__matrix_inputs", None, r"\(fold_1\) has no data set 'matrix_inputs', which fold_0 has"),
        (
            "fold_1__weights",
            np.ones(4),
            r"\(fold_1\): 'weight' has 4 events and 'energy_true' has 5; all data sets need",
        ),
        ("fold_1__inputs", np.ones((5, 3)), r"\(fold_1\): 'hl_r2m' is column 3 of 'inputs', which has shape \(5, 3\)"),
        (
            "meta_data",
            None,
            r"no meta_data/matrix_feats, which must say the 'shape' and 'is_sparse' of 'matrix_inputs'",
        ),
        (
            "meta_data__matrix_feats",
            "{",
            r"must be JSON with 'shape' .* and 'is_sparse'; got b'\{': write the file again",
        ),
        ("meta_data__matrix_feats", "[1]", r"must be JSON with 'shape' .*; got b'\[1\]'"),
        ("meta_data__matrix_feats", '{"shape": null}', r"must be JSON with 'shape' .*; got b'\{\"shape\": null\}'"),
        (
            "meta_data__matrix_feats",
            '{"shape": [1, 32, 32, 50], "is_sparse": true}',
            r"matrix_feats says shape \[1, 32, 32, 50\]; the mapping declares axes \[channel, z, x, y\], which in "
            r"'pbwo4-block' are \[1, 50, 32, 32\]: is this the right detector .* or correct the 'axes'",
        ),
        ("meta_data__matrix_feats", '{"shape": [2, 50, 32, 32]}', r"says shape \[2, 50, 32, 32\]; .*\[1, 50, 32, 32\]"),
        ("meta_data__matrix_feats", '{"shape": [50, 32, 32]}', r"says shape \[50, 32, 32\]; .*\[1, 50, 32, 32\]"),
        (
            "meta_data__matrix_feats",
            '{"shape": [1, 50, 32, 32], "is_sparse": false}',
            r"\(fold_0\), 'matrix_inputs' has shape \(6, \d+\): expected \(7, 1, 50, 32, 32\), one dense matrix for "
            r"each of the fold's 7 events \('is_sparse' is false",
        ),
        ("meta_data__cont_feats", "{", r"meta_data/cont_feats must be a JSON list .*; got b'\{'"),
        (
            "meta_data__cont_feats",
            json.dumps(["E" + name for name in INPUTS]),
            r"'hl_eabove' is column 'eabove' of 'inputs', which is not among the 28 names in meta_data/cont_feats; "
            r"nearest known: 'Eeabove': correct the 'column'",
        ),
        ("meta_data__cont_feats", None, r"column 'eabove' .* not among the 0 names"),
        (
            "fold_1__matrix_inputs",
            np.zeros((9, 6), np.float32),
            r"\(fold_1\), 'matrix_inputs' has shape \(9, 6\): expected \(6, entries\), the rows value, event, channel, "
            r"z, x, y of a sparse matrix; transpose it, or correct the 'axes'",
        ),
        ("fold_1__matrix_inputs", np.zeros((5, 9), np.float32), r"has shape \(5, 9\): .*; write the file again, or"),
        ("fold_1__matrix_inputs", np.zeros(9, np.float32), r"has shape \(9,\): expected \(6, entries\)"),
        ("fold_1__matrix_inputs", np.zeros((6, 9), np.int8), None),  # whole numbers are as good, if they reach
    ],
)
def test_files_of_another_form(path, folds, name, value, message):
    change(write(path, folds), **{name: value})
    if message is None:
        open_mapped(path, "lumin_muons")
        return
    with pytest.raises(DataError, match=message):
        open_mapped(path, "lumin_muons")


@pytest.mark.parametrize("piece", [1, 2, 1 << 19])
@pytest.mark.parametrize(
    ("row", "value", "message"),
    [
        (1, 5, r"row 1, the event, must be a whole number in \[0, 5\) \(the fold has 5 events\); got 5 at entry 3 "),
        (1, -1, r"row 1, the event, .* got -1 at entry 3 .*; number the events of each fold from 0"),
        (1, 2.5, r"row 1, the event, .* got 2\.5 at entry 3 .*; are the rows in the order value, event, axes\?"),
        (1, np.nan, r"row 1, the event, .* got nan at entry 3 "),
        (1, np.inf, r"row 1, the event, .* got inf at entry 3 "),
        (2, 1, r"row 2, the channel, must be a whole number in \[0, 1\)"),
        (
            3,
            50,
            r"row 3, the z, must be a whole number in \[0, 50\) \(the mapping's 'pbwo4-block'\); got 50 at .*right det",
        ),
        (4, 32, r"row 4, the x, must be a whole number in \[0, 32\)"),
        (5, -2, r"row 5, the y, must be a whole number in \[0, 32\)"),
        (5, 7.25, r"row 5, the y, .* got 7\.25 at entry 3 "),
    ],
)
def test_coordinates_that_do_not_fit(path, folds, row, value, message, piece, monkeypatch):
    monkeypatch.setattr(_matrix, "_PIECE", piece)
    entries = coo(folds[1]["matrix_inputs"])
    entries[row, 3] = value
    change(write(path, folds), fold_1__matrix_inputs=entries)
    with pytest.raises(DataError, match=rf"muons\.hdf5 \(fold_1\), 'matrix_inputs': {message}"):
        list(open_mapped(path, "lumin_muons").chunks(2))


@pytest.mark.parametrize("piece", [1, 3, 1 << 19])
def test_entries_out_of_order_or_twice(path, folds, piece, monkeypatch):
    monkeypatch.setattr(_matrix, "_PIECE", piece)
    entries = coo(folds[1]["matrix_inputs"])
    swapped = entries.copy()
    swapped[:, [2, 3]] = swapped[:, [3, 2]]
    change(write(path, folds), fold_1__matrix_inputs=swapped)
    event, channel, z, x, y = entries[1:, 2].astype(int)
    place = rf"entry 3 \(event {event}, channel {channel}, z {z}, x {x}, y {y}\)"
    with pytest.raises(DataError, match=rf"\(fold_1\), .*{place} belongs before .* sort the entries"):
        read(path, "lumin_muons")
    change(path, fold_1__matrix_inputs=entries[:, [0, 1, 2, 2, 3]])
    with pytest.raises(
        DataError, match=rf"\(fold_1\), .*{place} is the same cell as the entry before it: expected each"
    ):
        read(path, "lumin_muons")


def test_more_events_than_float32_can_number(path):
    n_events = 2**24 + 1
    with h5py.File(path, "w") as file:  # of one chunk that is never written: no bytes
        file.create_dataset("fold_0/targets", (n_events,), np.float32, chunks=(1 << 20,))
        file.create_dataset("fold_0/matrix_inputs", (6, 0), np.float32)
        file["meta_data/matrix_feats"] = json.dumps(META | {"shape": SHAPE, "is_sparse": True})
    mapping = load_mapping("lumin_muons")
    fields = {name: field for name, field in mapping.fields.items() if not name.startswith("hl_")}
    message = (
        r"event numbers as float32, which tells 16777216 of them apart; the fold has 16777217 events: write smaller"
    )
    with pytest.raises(DataError, match=message):
        open_mapped(path, mapping.model_copy(update={"fields": fields}))


@pytest.mark.parametrize("is_sparse", [True, False])
def test_values_are_checked_as_in_any_file(path, folds, is_sparse):
    folds[1]["matrix_inputs"][2].flat[77] = np.nan
    write(path, folds, is_sparse=is_sparse)
    with pytest.raises(DataError, match=rf"cells\.energy must be finite, in GeV; got nan at event {SIZES[0] + 2} of"):
        read(path, "lumin_muons")
    folds[0]["targets"][3] = -1  # the paper's program writes it in place of the truth where that is to be hidden
    write(path, folds, is_sparse=is_sparse)
    with pytest.raises(DataError, match=r"energy_true must be finite and >= 0 GeV; got -1\.0 at event 3 of"):
        read(path, "lumin_muons")


def test_folds_are_of_hdf5(path):
    other = path.with_suffix(".root")
    other.write_bytes(b"root")
    mapping = load_mapping("lumin_muons").model_copy(update={"format": "auto"})
    with pytest.raises(DataError, match=r"mapping 'lumin_muons' has 'layout: folds', .*; .*muons\.root is root"):
        open_mapped(other, mapping)


def test_truncated(path, folds):
    whole = write(path, folds).read_bytes()
    for kept in (20, len(whole) // 2, len(whole) - 7):
        path.write_bytes(whole[:kept])
        with pytest.raises(DataError, match=r"muons\.hdf5 is truncated or not a HDF5 file"):
            read(path, "lumin_muons")
