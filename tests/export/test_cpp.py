"""The C++ program of examples/cpp is built, gives Python's numbers, and refuses what it must."""

import importlib.util
import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

import exported
from exported import change_metadata
from samples import method_of, toy_showers
from showercal import Events
from showercal.export import export_method, flat_fields
from showercal.prediction import Prediction

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "examples" / "cpp"
# Where .ci/run puts the headers, and where Debian's package does.
HEADERS = (ROOT / "build" / "onnxruntime-headers", Path("/usr/include/onnxruntime"))
RANGE = (2.5, 5.0)  # even two epochs of training predict some energies in it and some not in it
COLUMNS = ["cells.energy", "cells.tracks", "n_lit", "cells.id"]  # in another order than the model's

SUMS = {"sums": {"kind": "layer_sums", "values": ["cells.tracks", "cells.energy"]}}
DEEP_SETS = exported.METHODS["deep_sets"]
METHODS: dict[str, dict[str, Any]] = {
    "line": exported.METHODS["line"],
    "trees": {"kind": "trees", "features": SUMS, "min_events_per_leaf": 5},
    # with a scalar of the event, too
    "deep_sets": {**DEEP_SETS, "features": {**DEEP_SETS["features"], "table": {"kind": "table", "values": ["n_lit"]}}},
    # with nothing else, and so without a calorimeter
    "table": {
        "kind": "network",
        "network": {"name": "fcn", "widths": [8]},
        "features": {"table": {"kind": "table", "values": ["n_lit"]}},
        "training": {"epochs": 2, "batch_size": 50},
    },
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built program."""
    for tool in ("cmake", "make", "c++"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed; on Debian: apt-get install cmake make g++")
    headers = next((folder for folder in HEADERS if (folder / "onnxruntime_cxx_api.h").exists()), None)
    if headers is None:
        pytest.skip(f"no headers of ONNX Runtime; run {SOURCE}/get_headers.sh {HEADERS[0]}")
    build = tmp_path_factory.mktemp("cpp")
    options = {"Python3_EXECUTABLE": sys.executable, "ONNXRUNTIME_INCLUDE_DIR": headers, "WARNINGS_AS_ERRORS": "ON"}
    configure = ["cmake", "-S", SOURCE, "-B", build, *(f"-D{key}={value}" for key, value in options.items())]
    subprocess.run(configure, check=True, capture_output=True)
    subprocess.run(["cmake", "--build", build, "--parallel", "2"], check=True, capture_output=True)
    return build / "apply_model"


@pytest.fixture(scope="module")
def events() -> Events:
    """More than the program takes at a time; the first, the last and one between without hits."""
    toys = toy_showers(600, seed=4)
    array = toys.array
    array["cells"] = array.cells[np.isin(np.arange(len(toys)), [0, 255, 599], invert=True) & (array.cells.id >= 0)]
    array["n_lit"] = ak.num(array.cells.id, axis=1).to_numpy().astype(np.float32) / 7
    return Events(array, {**toys.units, "n_lit": "1"}, toys.geometry)


@pytest.fixture(scope="module")
def hits(events: Events, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The events as text."""
    spec = importlib.util.spec_from_file_location("write_hits", SOURCE / "write_hits.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = io.StringIO()
    module.write_hits(events, COLUMNS, text)
    path = tmp_path_factory.mktemp("hits") / "hits.txt"
    path.write_text(text.getvalue())
    return path


@pytest.fixture(scope="module")
def exports(events: Events, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Prediction]]:
    """Of each method its exported file and what Python predicts."""
    folder = tmp_path_factory.mktemp("models")
    made = {}
    for name, config in METHODS.items():
        method = method_of(config).fit(events[:300], events[300:])
        path = folder / f"{name}.onnx"
        export_method(method, path, events, name=name, study="toys", energy_range=RANGE)
        made[name] = path, method.predict(events)
    return made


@pytest.fixture(scope="module")
def line(exports: dict[str, tuple[Path, Prediction]]) -> Path:
    """The file of the straight line."""
    return exports["line"][0]


def run(*command: Path | str, ok: bool = True) -> str:
    """What a run prints: its output, or its complaint if it must fail."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == (0 if ok else 1), done.stderr
    return done.stdout if ok else done.stderr


@pytest.mark.parametrize("name", METHODS)
def test_prints_pythons_numbers(
    name: str, program: Path, exports: dict[str, tuple[Path, Prediction]], events: Events, hits: Path
) -> None:
    """The digits of ONNX Runtime in Python, and the method's prediction to 1e-5."""
    import onnxruntime

    model, expected = exports[name]
    first, header, *rows = run(program, model, hits).splitlines()
    calorimeter = "" if name == "table" else " for calorimeter 'toy-sandwich'"
    assert first == f"# method '{name}' of study 'toys'{calorimeter}; energies in GeV"
    assert header == ("event energy width outside" if expected.has_width else "event energy outside")
    one_thread = onnxruntime.SessionOptions()
    one_thread.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, one_thread)
    inputs = flat_fields(events, [one.name for one in session.get_inputs()])
    outputs = session.run(None, inputs)
    outside = ~((outputs[0] >= RANGE[0]) & (outputs[0] <= RANGE[1]))
    assert 0 < outside.sum() < len(events)
    assert rows == [
        " ".join([str(event), *(f"{value:.7g}" for value in values), str(int(is_outside))])
        for event, (*values, is_outside) in enumerate(zip(*outputs, outside, strict=True))
    ]
    table = np.array([row.split() for row in rows], dtype=np.float64)
    np.testing.assert_allclose(table[:, 1], expected.median, rtol=1e-5, atol=1e-7)
    if expected.has_width:
        np.testing.assert_allclose(table[:, 2], expected.sigma68, rtol=1e-5, atol=1e-7)


def test_several_files_and_comments(program: Path, line: Path, tmp_path: Path) -> None:
    """Files follow each other; blank lines and comments say nothing; hits of one layer add up."""
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text("# a comment\n\nevent cells.tracks cells.id\r\n7 - -\r\n9 10 27\n\n9 20 28\n")
    second.write_text("cells.id event cells.tracks\n27 1 30\n")
    energies = {row.split()[0]: float(row.split()[1]) for row in run(program, line, first, second).splitlines()[2:]}
    assert list(energies) == ["7", "9", "1"]
    assert energies["1"] == energies["9"] > energies["7"]


BAD_LINES = {
    "0 27": r"hits.txt:2: has 2 columns instead of 3",
    "0 27 4 5": r"hits.txt:2: has 4 columns instead of 3",
    "0 27.5 4": r"hits.txt:2: '27.5' in column 'cells.id' is not a whole number",
    "0 27 4x": r"hits.txt:2: '4x' in column 'cells.tracks' is not a number",
    "0 27 nan": r"hits.txt:2: 'nan' in column 'cells.tracks' is not a number",
    "0 27 -": r"hits.txt:2: '-' stands for an event without hits; it must be in all columns of cells or in none",
    "5 27 4\n4 27 4": r"hits.txt:3: event 4 comes after event 5; sort the lines by event",
    "0 1088 4": r"refuses the events; are all cells of the calorimeter 'toy-sandwich'",
    "0 -1 4": r"refuses the events; are all cells of the calorimeter 'toy-sandwich'",
}


@pytest.mark.parametrize("lines", BAD_LINES)
def test_malformed_lines_are_refused_with_their_place(lines: str, program: Path, line: Path, tmp_path: Path) -> None:
    path = tmp_path / "hits.txt"
    path.write_text(f"event cells.id cells.tracks\n{lines}\n")
    assert BAD_LINES[lines] in run(program, line, path, ok=False)


def test_files_that_are_not_ours_are_refused(program: Path, line: Path, hits: Path, tmp_path: Path) -> None:
    import onnx

    assert "nowhere.onnx: cannot be read" in run(program, tmp_path / "nowhere.onnx", hits, ok=False)
    assert "nowhere.txt: cannot be read" in run(program, line, tmp_path / "nowhere.txt", ok=False)
    assert "ONNX Runtime cannot load it" in run(program, hits, hits, ok=False)

    later = change_metadata(line, tmp_path / "later.onnx", format="2")
    assert "has format 2 of showercal's models; this program reads format 1" in run(program, later, hits, ok=False)
    damaged = change_metadata(line, tmp_path / "damaged.onnx", energy_range="wide")
    complaint = "has damaged metadata 'showercal.energy_range': wide; export the method again"
    assert complaint in run(program, damaged, hits, ok=False)
    foreign = change_metadata(line, tmp_path / "foreign.onnx", format=None)
    assert "is not a model of showercal" in run(program, foreign, hits, ok=False)

    images = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["B", 4])
    node = onnx.helper.make_node("ReduceSum", ["image"], ["energy"])
    energy = onnx.helper.make_tensor_value_info("energy", onnx.TensorProto.FLOAT, [1, 1])
    graph = onnx.helper.make_graph([node], "images", [images], [energy])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    onnx.helper.set_model_props(
        model, {"showercal.format": "1", "showercal.has_width": "false", "showercal.energy_range": "[0.0, 1.0]"}
    )
    onnx.save(model, tmp_path / "images.onnx")
    complaint = "input 'image' has another type or 2 axes; this program takes one number per hit or event, no images"
    assert complaint in run(program, tmp_path / "images.onnx", hits, ok=False)

    path = tmp_path / "energies.txt"
    path.write_text("event cells.id cells.energy\n0 27 0.1\n")
    complaint = "no column 'cells.tracks', which is needed; the columns are event cells.id cells.energy"
    assert complaint in run(program, line, path, ok=False)
    path.write_text("# nothing\n")
    assert "the file is empty; its first line must name the columns" in run(program, line, path, ok=False)
