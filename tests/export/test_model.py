"""An opened model gives Python's numbers, and refuses files and events that are not what it needs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import awkward as ak
import numpy as np
import onnx
import onnxruntime
import pytest

from exported import METHODS, RANGE, Exported, change_metadata
from samples import method_of, toy_showers
from showercal import Events, detector
from showercal.errors import DataError, GeometryError, ModelFileError
from showercal.export import ModelInfo, Port, export_method, open_model
from showercal.export._seal import is_whole, sealed

Models = dict[str, Exported]


def without(events: Events, *names: str) -> Events:
    """Events without some fields."""
    array = events.array
    for name in names:
        array = ak.without_field(array, name.split("."))
    units = {path: unit for path, unit in events.units.items() if path not in names}
    return replace(events, array=array, units=units)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("batch_size", [1, 7, 250])
def test_gives_the_numbers_of_the_method(exported: Models, name: str, batch_size: int) -> None:
    """In the order of the events, without truth, and for any size of batches."""
    events = toy_showers(60, seed=2)
    expected = exported[name].predict(events)
    model = open_model(exported[name].path, threads=1, batch_size=batch_size)
    found = model.predict(without(events, "energy_true"))
    np.testing.assert_allclose(found.energy, expected.median, rtol=1e-5, atol=1e-5)
    assert (found.width is not None) == expected.has_width == (name != "line")
    if found.width is not None:
        np.testing.assert_allclose(found.width, expected.sigma68, rtol=1e-5, atol=1e-5)
    low, high = RANGE
    np.testing.assert_array_equal(found.is_outside, (found.energy < low) | (found.energy > high))
    assert 0 < found.is_outside.sum() < 60


def test_adds_fields_with_units_and_says_which_model(exported: Models) -> None:
    events = toy_showers(10)
    done = open_model(exported["dense"].path).apply(events)
    added = {"energy_calibrated": "GeV", "energy_width": "GeV", "outside_training_range": "1"}
    assert done.units == {**events.units, **added}
    assert done.fields == [*events.fields, *added]
    assert ak.array_equal(done.array[events.fields], events.array, dtype_exact=True)
    assert done.provenance["seed"] == 1
    assert done.provenance["apply"]["method"] == "dense"
    with pytest.raises(DataError, match=r"have energy_calibrated, energy_width, outside_training_range already"):
        open_model(exported["dense"].path).apply(done)


def test_no_events_and_no_cells(exported: Models) -> None:
    events = toy_showers(5)
    model = open_model(exported["dense"].path)
    assert model.predict(events[:0]).energy.shape == (0,)
    dark = replace(events, array=ak.with_field(events.array, events.array.cells[:, :0], "cells"))
    energy = model.predict(dark).energy
    assert np.all(energy == energy[0])


def test_an_energy_that_is_no_number_is_outside(exported: Models) -> None:
    events = toy_showers(5)
    cells = ak.with_field(
        events.array.cells, ak.full_like(events.array.cells.tracks, np.nan, dtype=np.float32), "tracks"
    )
    found = open_model(exported["line"].path).predict(
        replace(events, array=ak.with_field(events.array, cells, "cells"))
    )
    assert np.isnan(found.energy).all()
    assert found.is_outside.all()


def test_metadata_are_read_as_they_were_written(exported: Models) -> None:
    info = open_model(exported["dense"].path).info
    assert ModelInfo.from_metadata(info.to_metadata(), where=Path("x")) == info
    assert (info.method, info.label, info.energy_range, info.has_width) == ("dense", "the dense", RANGE, True)
    assert info.inputs[0] == Port("offsets", "1", "int64", ("B + 1",))
    assert info.geometry is not None
    assert (info.geometry["name"], info.fingerprint) == ("toy-sandwich", detector("toy-sandwich").fingerprint)


def test_foreign_and_damaged_files_are_refused(exported: Models, tmp_path: Path) -> None:
    right = exported["line"].path
    with pytest.raises(ModelFileError, match=r"no model at .*none\.onnx; make one with showercal export"):
        open_model(tmp_path / "none.onnx")
    path = tmp_path / "bad.onnx"
    whole = right.read_bytes()
    for content in (b"", b"PAR1 text", whole[:50], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=r"bad\.onnx is damaged or not an ONNX model|did not write"):
            open_model(path)
    path.write_bytes(whole[:-40])
    with pytest.raises(ModelFileError, match=r"bad\.onnx is (damaged or not an ONNX|not as showercal wrote it)"):
        open_model(path)
    foreign = change_metadata(right, path, format=None)
    with pytest.raises(ModelFileError, match=r"showercal did not write \(no 'showercal\.format' in its metadata\)"):
        open_model(foreign)
    with pytest.raises(ModelFileError, match=r"has model format 7; this version reads format 1: export"):
        open_model(change_metadata(right, path, format="7"))
    for change in ({"inputs": None}, {"inputs": "[{}]"}, {"energy_range": "[1]"}, {"geometry": "{"}, {"label": None}):
        with pytest.raises(ModelFileError, match=r"bad\.onnx has damaged metadata \(.*\): export the method again"):
            open_model(change_metadata(right, path, **change))


def test_a_changed_weight_is_seen(exported: Models, tmp_path: Path) -> None:
    """Every single bit of the weights counts, though any program could still run the file."""
    content = bytearray(exported["dense"].path.read_bytes())
    weights = max((one.raw_data for one in onnx.load(exported["dense"].path).graph.initializer), key=len)
    content[content.index(weights) + 5] ^= 1
    onnxruntime.InferenceSession(bytes(content))
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"m\.onnx is not as showercal wrote it \(its checksum differs\)"):
        open_model(tmp_path / "m.onnx")


def test_the_seal_is_one_metadata_entry_more(exported: Models) -> None:
    content = exported["line"].path.read_bytes()
    assert is_whole(content)
    assert not is_whole(content[:-1])
    assert not is_whole(b"")
    model = onnx.load_model_from_string(content)
    assert model.metadata_props[-1].key == "showercal.sha256"
    del model.metadata_props[-1]
    assert sealed(model.SerializeToString(deterministic=True)) == content


def test_events_of_another_kind_are_refused(exported: Models) -> None:
    events = toy_showers(5)
    model = open_model(exported["line"].path)
    with pytest.raises(
        DataError, match=r"\(the line\) needs cells\.tracks, which the events do not have; they have ener"
    ):
        model.predict(without(events, "cells.tracks"))
    other = replace(events, units={**events.units, "cells.tracks": "GeV"})
    with pytest.raises(DataError, match=r"takes cells\.tracks in '1'; the events have it in 'GeV': correct its unit"):
        model.predict(other)
    with pytest.raises(
        DataError, match=r"is for the calorimeter 'toy-sandwich'; the events carry no geometry: name it"
    ):
        model.predict(replace(events, geometry=None))
    block = detector("pbwo4-block")
    message = rf"come from 'pbwo4-block' \(geometry {block.fingerprint}\); model .* was trained on 'toy-sandwich' \("
    with pytest.raises(DataError, match=message):
        model.predict(replace(events, geometry=block.to_dict()))
    wider = replace(detector("toy-sandwich"), cell_x=80.0)  # of the same name
    with pytest.raises(DataError, match=rf"'toy-sandwich' \(geometry {wider.fingerprint}\); .*'toy-sandwich' \("):
        model.predict(replace(events, geometry=wider.to_dict()))


def test_a_method_without_cells_names_no_calorimeter(tmp_path: Path) -> None:
    """Its file asks for the scalar alone, and takes events of any calorimeter or of none."""
    toys = toy_showers(200)
    array = ak.with_field(toys.array, ak.sum(toys.array.cells.tracks, axis=1).to_numpy(), "n_tracks")
    events = replace(toys, array=array, units={**toys.units, "n_tracks": "1"})
    method = method_of(
        {
            "kind": "network",
            "network": {"name": "fcn", "widths": [8]},
            "features": {"table": {"kind": "table", "values": ["n_tracks"]}},
            "training": {"epochs": 2, "batch_size": 50},
        }
    ).fit(events[:150], events[150:])
    done = export_method(method, tmp_path / "m.onnx", events, energy_range=RANGE)
    assert done.info.inputs == (Port("n_tracks", "1", "float32", ("B",)),)
    model = open_model(done.path)
    assert (model.info.geometry, model.info.fingerprint) == (None, "")
    texts = {one.key: one.value for one in onnx.load(done.path).metadata_props}
    assert (texts["showercal.geometry"], texts["showercal.geometry_name"]) == ("null", "")
    expected = method.predict(events).median
    for geometry in (events.geometry, None, detector("pbwo4-block").to_dict()):
        found = model.predict(replace(events, geometry=geometry)).energy
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_cells_outside_the_calorimeter_are_refused(exported: Models) -> None:
    events = toy_showers(5)
    cells = ak.with_field(events.array.cells, events.array.cells.id + 1000, "id")
    with pytest.raises(GeometryError, match=r"run from 0 to 1087"):
        open_model(exported["dense"].path).predict(replace(events, array=ak.with_field(events.array, cells, "cells")))


def test_a_graph_that_cannot_be_run_is_told(exported: Models) -> None:
    class Broken:
        def run(self, *_: object) -> None:
            raise RuntimeError("Non-zero status code")

    model = replace(open_model(exported["line"].path), session=Broken())
    with pytest.raises(
        ModelFileError, match=r"cannot run model .* on these events \(Non-zero status code\): report it"
    ):
        model.predict(toy_showers(3))


@pytest.mark.parametrize("option", [{"threads": 0}, {"batch_size": 0}])
def test_numbers_must_be_positive(exported: Models, option: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"must be >= 1; got 0"):
        open_model(exported["line"].path, **option)


def test_needs_no_torch(exported: Models) -> None:
    code = (
        "import sys; from showercal.export import apply_model, open_model; open_model(sys.argv[1]); "
        "print([m for m in ('torch', 'onnx', 'lightning', 'matplotlib') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, exported["line"].path]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
