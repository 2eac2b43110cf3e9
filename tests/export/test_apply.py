"""A model applied to files: every field and every event once, in order; whole or not at all."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot

from exported import Exported
from samples import toy_showers
from showercal import Events, open_any, open_events
from showercal.errors import DataError
from showercal.export import Applied, ExportedModel, apply_model, open_model
from showercal.readers import Mapping, open_mapped
from showercal.storage import EventSource, convert, part_files, write_part

N = 130
FORMS = ("out.root", "out.parquet", "out")
BRANCHES = {
    "cells.id": {"branch": "cells_id", "unit": "1"},
    "cells.energy": {"branch": "cells_energy", "unit": "GeV"},
    "cells.tracks": {"branch": "cells_tracks", "unit": "1"},
}
SCALARS = {
    "energy_true": "GeV",
    "event": "1",
    "image": "GeV",
    "times": "ns",
    "is_good": "1",
    "energy_calibrated": "GeV",
    "energy_width": "GeV",
    "outside_training_range": "1",
}


@pytest.fixture
def model(exported: dict[str, Exported]) -> ExportedModel:
    return open_model(exported["dense"].path, threads=1, batch_size=17)


@pytest.fixture
def events(rng: np.random.Generator) -> Events:
    """Showers with fields of all shapes that a tree can hold."""
    showers = toy_showers(N, seed=3)
    array = showers.array
    array["event"] = np.arange(N, dtype=np.int64) + 2**40
    array["image"] = rng.normal(size=(N, 2, 3)).astype(np.float32)
    array["times"] = ak.unflatten(rng.normal(size=2 * N), np.tile([0, 4], N // 2))
    array["is_good"] = rng.random(N) < 0.5
    units = {"event": "1", "image": "GeV", "times": "ns", "is_good": "1"}
    return replace(showers, array=array, units={**showers.units, **units})


@pytest.fixture
def source(events: Events, tmp_path: Path) -> EventSource:
    events[:70].save(tmp_path / "in")
    part = tmp_path / "in" / "part-00001.parquet"
    events[70:].save(tmp_path / "more")
    (tmp_path / "more" / "part-00000.parquet").rename(part)
    return open_events(tmp_path / "in")


def read_back(path: Path) -> Events:
    """An output of any form as events."""
    if path.suffix != ".root":
        return open_any(path).read()
    shapes = {"image": {"shape": [2, 3]}, "times": {"shape": "ragged"}}
    scalars = {name: {"branch": name, "unit": unit, **shapes.get(name, {})} for name, unit in SCALARS.items()}
    return open_mapped(
        path, Mapping.parse({"fields": scalars | BRANCHES, "geometry": "toy-sandwich"}, where="m")
    ).read()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("chunk", [1, 33, 1000])
def test_keeps_every_field_and_the_order(
    form: str, chunk: int, source: EventSource, events: Events, model: ExportedModel, tmp_path: Path
) -> None:
    """Whatever the form and however the file is cut."""
    expected = model.apply(events)
    done = apply_model(model, source, tmp_path / form, chunk=chunk)
    outside = int(expected.array.outside_training_range.to_numpy().sum())
    assert done == Applied(tmp_path / form, N, outside, 0)
    back = read_back(tmp_path / form)
    assert sorted(back.fields) == sorted(expected.fields)
    for name in expected.units:
        tolerance = 1e-5 if name in model.units else 0
        if tolerance:
            np.testing.assert_allclose(back.scalar(name), expected.scalar(name), rtol=tolerance)
        else:
            assert ak.array_equal(back.field(name), expected.field(name), dtype_exact=True), name
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in", "more", form])


def test_numbers_are_those_of_the_method(
    source: EventSource, events: Events, model: ExportedModel, exported: dict[str, Exported], tmp_path: Path
) -> None:
    apply_model(model, source, tmp_path / "out.parquet", chunk=50)
    expected = exported["dense"].predict(events)
    table = pq.read_table(tmp_path / "out.parquet")
    np.testing.assert_allclose(table["energy_calibrated"], expected.median, rtol=1e-5)
    np.testing.assert_allclose(table["energy_width"], expected.sigma68, rtol=1e-5)


def test_a_point_estimator_writes_no_width(source: EventSource, exported: dict[str, Exported], tmp_path: Path) -> None:
    apply_model(open_model(exported["line"].path), source, tmp_path / "out.root")
    names = set(uproot.open(tmp_path / "out.root")["events"].keys())
    assert "energy_width" not in names
    assert {"energy_calibrated", "outside_training_range"} < names


def test_outputs_say_where_they_came_from(source: EventSource, model: ExportedModel, tmp_path: Path) -> None:
    for form in FORMS:
        apply_model(model, source, tmp_path / form)
    assert dict(open_events(tmp_path / "out.parquet").provenance) == dict(open_events(tmp_path / "out").provenance)
    said = json.loads(str(uproot.open(tmp_path / "out.root")["showercal"]))
    assert said["provenance"] == open_events(tmp_path / "out").provenance
    assert said["provenance"]["apply"]["sha256"] == model.digest
    assert said["units"]["energy_width"] == "GeV"
    assert said["geometry"]["name"] == "toy-sandwich"


def foreign(path: Path, events: Events) -> Mapping:
    """Another experiment's file, in MeV and without truth, and its mapping."""
    cells = events.array.cells
    columns = {"run_event": events.array.event, "id": cells.id, "n": cells.tracks, "dep": cells.energy * 1000}
    if path.suffix == ".root":
        with uproot.recreate(path) as file:
            file["clusters"] = columns
    else:
        pq.write_table(ak.to_arrow_table(ak.zip(columns, depth_limit=1), extensionarray=False), path)
    fields = {
        "event": {"branch": "run_event", "unit": "1"},
        "cells.id": {"branch": "id", "unit": "1"},
        "cells.tracks": {"branch": "n", "unit": "1"},
        "cells.energy": {"branch": "dep", "unit": "MeV"},
    }
    return Mapping.parse({"fields": fields, "geometry": "toy-sandwich"}, where="m.yaml")


@pytest.mark.parametrize("kind", ["their.root", "their.parquet"])
def test_files_of_others(kind: str, events: Events, model: ExportedModel, tmp_path: Path) -> None:
    """Without truth; what identifies the event is carried over."""
    mapping = foreign(tmp_path / kind, events)
    apply_model(model, open_mapped(tmp_path / kind, mapping), tmp_path / "out.parquet", chunk=40)
    back = open_events(tmp_path / "out.parquet").read()
    np.testing.assert_array_equal(back.array.event, events.array.event)
    np.testing.assert_allclose(back.array.energy_calibrated, model.predict(events).energy, rtol=1e-5)
    assert ak.almost_equal(back.array.cells.energy, events.array.cells.energy, dtype_exact=False)


def test_units_are_converted_and_other_detectors_refused(events: Events, model: ExportedModel, tmp_path: Path) -> None:
    mapping = foreign(tmp_path / "f.root", events)
    other = mapping.model_copy(update={"geometry": "pbwo4-block"})
    with pytest.raises(DataError, match=r"come from 'pbwo4-block' .* was trained on 'toy-sandwich'"):
        apply_model(model, open_mapped(tmp_path / "f.root", other), tmp_path / "out.root")
    fields = {name: field for name, field in mapping.fields.items() if name != "cells.tracks"}
    fewer = mapping.model_copy(update={"fields": fields})
    with pytest.raises(DataError, match=r"needs cells\.tracks, .* they have event, cells\.id, cells\.energy: declare"):
        apply_model(model, open_mapped(tmp_path / "f.root", fewer), tmp_path / "out.root")
    energy = mapping.fields["cells.tracks"].model_copy(update={"unit": "mm"})
    wrong = mapping.model_copy(update={"fields": {**mapping.fields, "cells.tracks": energy}})
    with pytest.raises(DataError, match=r"takes cells\.tracks in '1'; the events have it in 'mm'"):
        apply_model(model, open_mapped(tmp_path / "f.root", wrong), tmp_path / "out.root")
    assert [path.name for path in tmp_path.iterdir()] == ["f.root"]


@pytest.mark.parametrize("form", FORMS)
def test_nothing_that_is_there_is_lost(form: str, source: EventSource, model: ExportedModel, tmp_path: Path) -> None:
    out = tmp_path / form
    apply_model(model, source, out)
    before = read_back(out)
    with pytest.raises(DataError, match=rf"{form} is there already: choose another output, or ask to overwrite"):
        apply_model(model, source, out)
    assert ak.array_equal(read_back(out).array, before.array)
    apply_model(model, source, out, chunk=20, overwrite=True)
    assert ak.almost_equal(read_back(out).array, before.array, rtol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in", "more", form])


def test_what_must_not_be_overwritten(source: EventSource, model: ExportedModel, tmp_path: Path) -> None:
    for out in (tmp_path / "in", source.paths[0]):
        with pytest.raises(DataError, match=r"is where the events are read from: choose another output"):
            apply_model(model, source, out, overwrite=True)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "thesis.tex").write_text("x")
    with pytest.raises(DataError, match=r"notes holds more than parts of events, so it is not overwritten"):
        apply_model(model, source, tmp_path / "notes", overwrite=True)
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"file is a file: choose another name"):
        apply_model(model, source, tmp_path / "file", overwrite=True)
    (tmp_path / "folder.root").mkdir()
    with pytest.raises(DataError, match=r"folder\.root is a folder: choose another name"):
        apply_model(model, source, tmp_path / "folder.root", overwrite=True)
    with pytest.raises(DataError, match=r"by the suffix '\.csv' of .*out\.csv: end it in \.root or \.parquet"):
        apply_model(model, source, tmp_path / "out.csv")
    assert not list(tmp_path.glob("*.partial"))


@dataclass(frozen=True)
class Interrupted(EventSource):
    """A source whose reader dies, or presses Ctrl-C, behind some blocks."""

    inner: EventSource
    after: int
    fault: type[BaseException]

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    @property
    def paths(self) -> tuple[Path, ...]:
        return self.inner.paths

    def chunks(self, size: int = 1) -> Iterator[Events]:
        for number, block in enumerate(self.inner.chunks(size)):
            if number == self.after:
                raise self.fault
            yield block


@pytest.mark.parametrize("fault", [KeyboardInterrupt, DataError])
@pytest.mark.parametrize("form", FORMS)
def test_an_interruption_leaves_no_half_file(
    fault: type[BaseException], form: str, source: EventSource, model: ExportedModel, tmp_path: Path
) -> None:
    out = tmp_path / form
    said: list[str] = []
    with pytest.raises(fault):
        apply_model(model, Interrupted(source, 3, fault), out, chunk=20)
    assert not out.exists()
    kept = tmp_path / f"{form}.partial"
    assert len(part_files(kept)) == (3 if form == "out" else 0)
    assert kept.exists() == (form == "out")
    if form == "out":
        first = part_files(kept)[0].stat().st_mtime_ns
        part_files(kept)[1].unlink()  # as if it had been lost
        done = apply_model(model, source, out, chunk=20, say=said.append)
        assert said == [f"{kept} holds 2 finished parts: they are kept"]
        assert part_files(out)[0].stat().st_mtime_ns == first
        assert done.n_events == N
        assert [path.name for path in part_files(out)] == [path.name for path in sorted(out.iterdir())]
        np.testing.assert_allclose(
            open_events(out).read().array.energy_calibrated,
            model.apply(source.read()).array.energy_calibrated,
            rtol=1e-5,
        )


def test_a_part_of_another_length_is_refused(source: EventSource, model: ExportedModel, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        apply_model(model, Interrupted(source, 2, KeyboardInterrupt), tmp_path / "out", chunk=20)
    first = part_files(tmp_path / "out.partial")[0]
    events = open_events(first).read()
    write_part(events[:15], first)
    with pytest.raises(DataError, match=r"part-00000\.parquet holds 15 events instead of 20: remove it, then go on"):
        apply_model(model, source, tmp_path / "out", chunk=20)


def test_a_source_in_the_place_of_the_unfinished_output_is_refused(
    source: EventSource, model: ExportedModel, tmp_path: Path
) -> None:
    convert(source, tmp_path / "new.partial")
    with pytest.raises(DataError, match=r"new is where the events are read from: choose another output"):
        apply_model(model, open_events(tmp_path / "new.partial"), tmp_path / "new", overwrite=True)
    assert open_events(tmp_path / "new.partial").n_events == N


def test_a_plan_left_by_a_run_killed_at_its_end_can_be_overwritten(
    source: EventSource, model: ExportedModel, tmp_path: Path
) -> None:
    apply_model(model, source, tmp_path / "out", chunk=20)
    (tmp_path / "out" / "apply.json").write_text("{}")
    assert apply_model(model, source, tmp_path / "out", chunk=30, overwrite=True).n_events == N
    assert not (tmp_path / "out" / "apply.json").exists()


def test_an_interruption_before_the_first_part_leaves_nothing(
    source: EventSource, model: ExportedModel, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        apply_model(model, Interrupted(source, 0, KeyboardInterrupt), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "more"]


def test_goes_on_only_with_the_same_model_and_events(
    source: EventSource, model: ExportedModel, exported: dict[str, Exported], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        apply_model(model, Interrupted(source, 2, KeyboardInterrupt), tmp_path / "out", chunk=20)
    other = open_model(exported["line"].path)
    message = (
        r"out\.partial holds 2 parts of an interrupted run that differs from this one \(see its apply\.json: model"
    )
    with pytest.raises(DataError, match=message):
        apply_model(other, source, tmp_path / "out", chunk=20)
    with pytest.raises(DataError, match=message):
        apply_model(model, source, tmp_path / "out", chunk=30)
    os.utime(source.paths[1])
    with pytest.raises(DataError, match=message):
        apply_model(model, source, tmp_path / "out", chunk=20)
    assert len(part_files(tmp_path / "out.partial")) == 2
    apply_model(other, source, tmp_path / "out", chunk=30, overwrite=True)
    assert "energy_width" not in open_events(tmp_path / "out").units
    assert open_events(tmp_path / "out").n_events == N


def test_a_killed_run_of_a_file_starts_again_and_says_so(
    source: EventSource, model: ExportedModel, tmp_path: Path
) -> None:
    (tmp_path / "out.root.partial").write_bytes(b"root half")
    said: list[str] = []
    apply_model(model, source, tmp_path / "out.root", say=said.append)
    assert said == [
        f"{tmp_path / 'out.root.partial'} is what an interrupted run left; a single file cannot go on: it starts again"
    ]
    assert len(read_back(tmp_path / "out.root")) == N


@pytest.mark.parametrize("form", FORMS)
def test_two_at_once_are_refused(form: str, source: EventSource, model: ExportedModel, tmp_path: Path) -> None:
    class Second(Interrupted):
        def chunks(self, size: int = 1) -> Iterator[Events]:
            apply_model(model, source, tmp_path / form)
            yield from ()

    with pytest.raises(DataError, match=r"another process is writing .*\.partial.*: wait for it"):
        apply_model(model, Second(source, 0, KeyboardInterrupt), tmp_path / form)


def test_what_a_tree_cannot_hold_is_refused(events: Events, model: ExportedModel, tmp_path: Path) -> None:
    ragged = ak.Array([[[1.0], []], []] * (N // 2))
    bad = {
        "lists": (ragged, r"cannot hold field 'lists' of type var \* var \* float64: write \.parquet or a folder"),
        "pairs": (ak.to_regular(ak.Array([[[1, 2]], []] * (N // 2)), axis=2), r"cannot hold field 'pairs'"),
        "cells_id": (np.arange(N), r"two fields would share the branch cells_id of the ROOT tree"),
        "ntimes": (np.arange(N), r"two fields would share the branch ntimes"),
    }
    for name, (values, message) in bad.items():
        array = ak.with_field(events.array, values, name)
        replace(events, array=array, units={**events.units, name: "1"}).save(tmp_path / name)
        with pytest.raises(DataError, match=message):
            apply_model(model, open_events(tmp_path / name), tmp_path / "out.root")


class Repeated(EventSource):
    """The same block again and again."""

    def __init__(self, events: Events, times: int) -> None:
        self.events, self.times, self.n_events = events, times, times * len(events)
        self.units, self.geometry, self.provenance = events.units, events.geometry, events.provenance

    @property
    def paths(self) -> tuple[Path, ...]:
        return ()

    def chunks(self, size: int = 1) -> Iterator[Events]:
        for _ in range(self.times):
            yield self.events


@pytest.mark.parametrize("form", FORMS)
def test_memory_does_not_grow_with_the_events(form: str, model: ExportedModel, tmp_path: Path) -> None:
    """Ten million events: benchmarks/apply_memory.py."""
    events = toy_showers(500)

    def peak(times: int, place: Path) -> int:
        before = pa.total_allocated_bytes()
        arrow = 0

        class Watched(Repeated):
            def chunks(self, size: int = 1) -> Iterator[Events]:
                nonlocal arrow
                for block in super().chunks(size):
                    yield block
                    arrow = max(arrow, pa.total_allocated_bytes() - before)

        tracemalloc.start()
        apply_model(model, Watched(events, times), place)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most + arrow

    peak(2, tmp_path / f"first_{form}")  # what is loaded once
    short, long = (peak(times, tmp_path / f"{times}_{form}") for times in (2, 30))
    # headers of row groups and baskets stay in memory until the file ends; the events of a block are 200 kB
    assert long < short + 28 * 30_000
