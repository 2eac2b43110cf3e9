"""What a study reads, and how it is split: small cells left out and counted, folds, and what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from showercal import Events
from showercal.errors import DataError, ExportError, RecipeError
from showercal.studies import (
    DataConfig,
    Recipe,
    SplitConfig,
    evaluate_run,
    export_run,
    load_recipe,
    read_events,
    render_report,
    run_study,
)
from showercal.studies._cells_above import CellCut
from showercal.studies._data import fingerprint, split
from showercal.studies._recipe import CellsAboveConfig, FoldConfig

from .conftest import showers, study

Make = Callable[..., Recipe]
ENERGY = 0.002  # [GeV]: of a third of the cells, those with up to four tracks
CUT = CellsAboveConfig(energy=ENERGY)


def without_small(events: Events) -> Events:
    """The obvious loop."""
    lists = [[cell for cell in cells if cell["energy"] > np.float32(ENERGY)] for cells in events.array.cells.to_list()]
    return replace(events, array=ak.with_field(events.array, ak.Array(lists), "cells"))


def test_small_cells_are_left_out_and_counted(events_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("showercal.studies._data._EVENTS_AT_A_TIME", 400)
    said: list[str] = []
    plain, events = DataConfig(events=str(events_folder)), showers()
    cut = plain.model_copy(update={"cells_above": CUT})
    got = read_events(cut, say=said.append)
    expected = without_small(events)
    for field in ("energy_true", "cells.id", "cells.energy", "cells.tracks"):
        assert got.field(field).to_list() == expected.field(field).to_list()
    n_cells, n_kept = int(events.cell_offsets[-1]), int(expected.cell_offsets[-1])
    assert 0.3 * n_cells < n_kept < 0.9 * n_cells
    share = 1 - float(ak.sum(expected.array.cells.tracks)) / float(ak.sum(events.array.cells.tracks))
    told = got.provenance["cells_above"]
    assert told == {
        "energy": ENERGY,
        "field": "cells.energy",
        "n_cells": n_cells,
        "n_dropped": n_cells - n_kept,
        "energy_dropped": pytest.approx(share, abs=1e-5),
    }
    assert said == [
        f"{n_cells - n_kept:,} of {n_cells:,} cells, at or below 0.002 GeV of cells.energy, are left out with "
        f"{share:.2%} of it"
    ]
    assert fingerprint(cut) != fingerprint(plain)
    assert "cells_above" not in read_events(plain).provenance


def test_of_the_first_events_alone(events_folder: Path) -> None:
    few = read_events(DataConfig(events=str(events_folder), limit=60, cells_above=CUT))
    assert len(few) == 60
    assert few.provenance["cells_above"]["n_cells"] == showers()[:60].cell_offsets[-1]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_energies_that_are_not_finite_are_refused_and_not_left_out(value: float) -> None:
    cut, events = CellCut(CUT), showers()
    cut.apply(events[:10])
    energy = ak.to_list(events[10:20].field("cells.energy"))
    energy[3][0] = value
    array = ak.with_field(events[10:20].array, ak.Array(energy), ("cells", "energy"))
    with pytest.raises(DataError, match=r"cells.energy must be finite; it is not in event 13 \(1 of 10 events read"):
        cut.apply(replace(events, array=array))


def test_fields_in_another_unit_are_refused() -> None:
    with pytest.raises(DataError, match=r"data.cells_above.field cells.tracks must be in GeV; got 1"):
        CellCut(CellsAboveConfig(energy=ENERGY, field="cells.tracks")).apply(showers()[:10])


@pytest.mark.usefixtures("no_figures")
def test_all_that_is_judged_is_read_so(tmp_path: Path, make_recipe: Make, events_folder: Path) -> None:
    """Also other events, whoever brings them; a file that would see all cells is not made."""
    data = study(events_folder)["data"] | {"cells_above": {"energy": ENERGY}}
    run = run_study(make_recipe(data=data), tmp_path / "run")
    told = json.loads((run.folder / "results.json").read_text())["run"]["provenance"]["cells_above"]
    assert told["n_dropped"] > 0
    other = showers(300, seed=3)
    np.testing.assert_array_equal(
        run.predict("layers", other).median,
        run.calibration("layers").apply(run.method("layers").predict(without_small(other))).median,
    )
    other.save(tmp_path / "other")
    said: list[str] = []
    evaluate_run(run, DataConfig(events=str(tmp_path / "other")), say=said.append)
    assert "at or below 0.002 GeV of cells.energy, are left out" in said[0]
    render_report(run)
    with pytest.raises(ExportError, match=r"do not see cells at or below data.cells_above.*apply them in Python"):
        export_run(run, "layers", tmp_path / "layers.onnx")


def with_folds(n_events: int = 300) -> Events:
    """Event k is of fold k mod 5."""
    events = showers(n_events)
    array = ak.with_field(events.array, np.arange(n_events, dtype=np.int32) % 5, "fold")
    return replace(events, array=array, units={**events.units, "fold": "1"})


def test_parts_by_fold() -> None:
    events = with_folds()
    parts = split(events, SplitConfig(folds=FoldConfig(validation=(1,), test=(0, 4))))
    number = {name: part.scalar("impact_x") for name, part in vars(parts).items()}
    expected = {"train": (2, 3), "validation": (1,), "test": (0, 4)}
    for name, folds in expected.items():
        np.testing.assert_array_equal(number[name], [k for k in range(300) if k % 5 in folds])
    other = split(events, SplitConfig(folds=FoldConfig(validation=(1,), test=(0, 4)), seed=2))
    np.testing.assert_array_equal(other.train.scalar("impact_x"), number["train"])


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ({"validation": (1,), "test": (5,)}, r"data.split.folds.test: no event has fold 5; there are 0, 1, 2, 3, 4$"),
        ({"validation": (0, 1, 2), "test": (3, 4)}, r"take all 5 folds of the 300 events, so that none is left"),
        ({"field": "energy_true", "validation": (1,), "test": (2,)}, r"energy_true must be a whole number of each"),
        (
            {"field": "flod", "validation": (1,), "test": (2,)},
            r"no field 'flod'; nearest known: 'fold'; name the field",
        ),
        ({"field": "cells.id", "validation": (1,), "test": (2,)}, r"'cells.id' is not one number per event"),
    ],
)
def test_folds_that_the_events_do_not_have(folds: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        split(with_folds(), SplitConfig(folds=FoldConfig(**folds)))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.split.folds={validation: [1], test: [1]}", "fold 1 is named twice among validation and test"),
        ("data.split.folds={validation: [], test: [1]}", "data.split.folds.validation"),
        ("data.split.folds={test: [1]}", "data.split.folds.validation is missing"),
        ("data.split={train: 0.5, test: 0.4, folds: {validation: [1], test: [0]}}", "folds and fractions .* leave one"),
        ("data.cells_above={energy: -1}", "data.cells_above.energy: .*greater than or equal to 0"),
        ("data.cells_above={energy: 0.1, field: energy}", "data.cells_above.field: must be a field of cells"),
        ("data={simulated: {detector: pbwo4-block, n_events: 100}}", "data: simulated needs a gun: data.gun, e.g."),
        (
            "data={simulated: {detector: pbwo4-block, n_events: 100}, gun: {particle: mu-, energy: '5'}, mapping: m}",
            "data: mapping 'm' has no meaning for events that are simulated: set data.mapping to null, or name the",
        ),
        (
            "data={simulated: {detector: pbwo4-block, n_events: 100}, gun: {particle: mu-, energy: '5'}, sample: s}",
            "data: sample 's' has no meaning for events that are simulated: set data.sample to null",
        ),
        ("data.simulated={detector: pbwo4-block, events: 100}", "unknown key 'data.simulated.events'; nearest"),
    ],
)
def test_faults_of_the_recipe(override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("electrons", [override])


@pytest.mark.usefixtures("no_figures")
def test_a_study_by_folds(tmp_path: Path, make_recipe: Make) -> None:
    with_folds(1500).save(tmp_path / "events")
    data = {"events": str(tmp_path / "events"), "split": {"folds": {"validation": [0, 1], "test": [4]}}}
    run = run_study(make_recipe(data=data), tmp_path / "run")
    assert run.value("line", "n_events")[0] == 300
    again = run_study(run.recipe, tmp_path / "run", say=(said := []).append)
    assert said == [f"{tmp_path / 'run'} holds this run already: nothing to do"]
    render_report(again)
    message = r"\(calibration.n_bins is 60; data.split.folds.validation = \[0, 1\] gives 600 events\)"
    with pytest.raises(DataError, match=message):
        run_study(make_recipe(data=data, calibration={"n_bins": 60}), tmp_path / "other")
