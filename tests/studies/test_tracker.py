"""A study beside a tracker, from the command line to the report."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import yaml

from showercal import Events
from showercal.calibration import EnergySpread, LinearTracker, combine_with_tracker
from showercal.cli import main
from showercal.errors import DataError, RecipeError
from showercal.evaluation import Row
from showercal.prediction import NormalPrediction, PointPrediction, Prediction
from showercal.studies import Recipe, open_run, run_study
from showercal.studies._judge import Calibration, judge, tracker_energy
from showercal.studies._recipe import parse_recipe

from .conftest import network, showers, study

Make = Callable[..., Recipe]
# as good as the calorimeter of the toy at some 3 GeV
TRACKER = {"kind": "linear", "relative": 0.03}


def beside_a_tracker(events: Path, **tracker: Any) -> dict[str, Any]:
    """The toy study with a method that predicts widths."""
    content = study(events)
    content["methods"]["net"] = network(
        network={"name": "fcn", "widths": [8], "head": {"kind": "normal"}},
        loss={"kind": "nll"},
        training={"epochs": 8, "batch_size": 25, "learning_rate": 0.02},
    )
    del content["methods"]["trees"]
    content["calibration"] = {"form": "power_offset", "n_bins": 8, "low": 0.5, "high": 9.5}
    content["evaluation"]["tracker"] = TRACKER | tracker
    return content


def with_tracker(events: Events, energy: np.ndarray[Any, Any], unit: str = "GeV") -> Events:
    array = ak.with_field(events.array, energy, "tracker_energy")
    return dataclasses.replace(events, array=array, units={**events.units, "tracker_energy": unit})


def test_commands_run_evaluate_and_report(
    events_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, run = tmp_path / "muons.yaml", tmp_path / "run"
    recipe.write_text(yaml.safe_dump(beside_a_tracker(events_folder)))
    other = tmp_path / "other"
    showers(400, seed=5).save(other)
    for arguments in (
        ("run", recipe, "--out", run),
        ("evaluate", run, "--events", other, "--out", tmp_path / "evaluated"),
        ("report", run),
    ):
        monkeypatch.setattr(sys, "argv", ["showercal", *map(str, arguments)])
        with pytest.raises(SystemExit) as done:
            main()
        assert not done.value.code, capsys.readouterr().err
    assert "Mean improvement (MI) [%]" in capsys.readouterr().out
    for folder in (run, tmp_path / "evaluated"):
        assert (folder / "figures" / "tracker.png").stat().st_size > 0
        rows = [Row.from_dict(row) for row in json.loads((folder / "results.json").read_text())["rows"]]
        for metric in ("mean_improvement", "mean_improvement_event", "max_rmse", "max_rmse_event"):
            found = {r.method: r for r in rows if r.metric == metric and r.bin is None}
            assert set(found) == {"line", "layers", "net"}
            assert all(0 < r.value < 0.3 and r.error > 0 for r in found.values()), metric
    # the scatter of a point estimator is kept; a method with a width needs none
    names = {path.parent.name for path in run.glob("methods/*/spread.json")}
    assert names == {"line", "layers"}
    calibration = open_run(run).calibration("line")
    assert calibration.spread is not None
    # 30 tracks per GeV by Poisson's law
    assert calibration.spread.width([5.0])[0] == pytest.approx(np.sqrt(5 / 30), rel=0.3)
    assert calibration.bias.energy_range == (0.5, 9.5)
    assert calibration.bias.form == "power_offset"


@pytest.mark.usefixtures("no_figures")
def test_a_tracker_fits_nothing_again(copied: Path, make_recipe: Make, events_folder: Path) -> None:
    """The same methods, now beside a tracker, and then without again."""
    before = {p: p.stat().st_mtime_ns for p in copied.glob("methods/*/model/*")}
    options = study(events_folder)["evaluation"]
    run = run_study(make_recipe(evaluation=options | {"tracker": TRACKER}), copied)
    assert {p: p.stat().st_mtime_ns for p in copied.glob("methods/*/model/*")} == before != {}
    assert run.value("line", "mean_improvement")[0] > 0
    # the toy's line needs no more than the recipe's correction
    strict, error = run.value("line", "mean_improvement_local")
    assert strict == pytest.approx(run.value("line", "mean_improvement")[0], abs=4 * error)
    assert run.value("line", "mean_improvement_local_ratio") == (1, 0)
    run = run_study(make_recipe(evaluation=options), copied)
    with pytest.raises(DataError, match="no overall 'mean_improvement' of 'line'"):
        run.value("line", "mean_improvement")
    assert not list(copied.glob("methods/*/spread.json"))


def judged(recipe: Recipe, events: Events, predictions: dict[str, Prediction]) -> dict[tuple[str, str], Row]:
    class Unchanged:
        def apply(self, prediction: Prediction) -> Prediction:
            return prediction

    truth = events.energy_true
    calibrations = {}
    for name, prediction in predictions.items():
        spread = None if prediction.has_width else EnergySpread().fit(truth, prediction.median)
        calibrations[name] = Calibration(Unchanged(), None, spread)  # type: ignore[arg-type]
    found = judge(recipe, events, predictions, calibrations, {})
    return {(row.method, row.metric): row for row in found.rows if row.bin is None}


def test_methods_with_a_width_use_that_of_each_event(make_recipe: Make, rng: np.random.Generator) -> None:
    """Half of the events are measured ten times better: who knows which gains most from the combination."""
    events = showers(1500)
    truth = events.energy_true
    width = truth * np.where(rng.random(1500) < 0.5, 0.03, 0.3)
    pred = truth + width * rng.standard_normal(1500)
    predictions = {"line": PointPrediction(pred), "net": NormalPrediction(pred, width)}
    recipe = make_recipe(evaluation=study("")["evaluation"] | {"tracker": TRACKER})
    rows = judged(recipe, events, predictions)
    assert rows["line", "rmse_over_e"].value == rows["net", "rmse_over_e"].value
    assert rows["net", "combined_event_over_e"].value < 0.8 * rows["line", "combined_event_over_e"].value


def test_measured_energies_may_come_with_the_events(make_recipe: Make, rng: np.random.Generator) -> None:
    events = showers(1500)
    truth = events.energy_true
    measured = truth * (1 + 0.03 * truth * rng.standard_normal(1500))
    predictions: dict[str, Prediction] = {"line": NormalPrediction(truth, 0.2 * truth)}
    options = study("")["evaluation"] | {"tracker": TRACKER | {"field": "tracker_energy"}}
    rows = judged(make_recipe(evaluation=options), with_tracker(events, measured), predictions)
    combined = combine_with_tracker(predictions["line"], measured, LinearTracker(relative=0.03)).median
    assert rows["line", "combined_event_over_e"].value > 0
    np.testing.assert_array_equal(
        tracker_energy(LinearTracker(field="tracker_energy"), with_tracker(events, measured)), measured
    )
    assert np.std(combined / truth) < 0.2


def test_fields_that_hold_no_energy_are_refused_before_the_training(
    make_recipe: Make, events_folder: Path, tmp_path: Path
) -> None:
    options = study("")["evaluation"] | {"tracker": TRACKER | {"field": "tracker_energi"}}
    with pytest.raises(DataError, match="no field 'tracker_energi'"):
        run_study(make_recipe(evaluation=options), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    events = showers(60)
    for energy, unit, message in (
        (np.full(60, np.nan), "GeV", "60 of 60 values that are not finite"),
        (np.ones(60), "mm", "got the unit 'mm'"),
    ):
        with pytest.raises(DataError, match=message):
            tracker_energy(LinearTracker(field="tracker_energy"), with_tracker(events, energy, unit))


@pytest.mark.parametrize(
    ("group", "options", "message"),
    [
        ("evaluation", {"tracker": {"kind": "linaer"}}, "unknown evaluation.tracker.kind 'linaer'; nearest .*'linear'"),
        ("evaluation", {"tracker": {"kind": "linear", "relativ": 1}}, "'evaluation.tracker.relativ'; .*'relative'"),
        ("evaluation", {"tracker": {"kind": "table", "energy": [1, 2]}}, "tracker.resolution_at is missing"),
        ("calibration", {"low": 1}, "calibration: low and high are one range: give both or neither"),
        ("calibration", {"low": 2, "high": 1}, "calibration: low must be below high; got 2 and 1 GeV"),
    ],
)
def test_recipes_say_what_is_wrong(group: str, options: dict[str, Any], message: str) -> None:
    content = study("nowhere")
    content[group] |= options
    with pytest.raises(RecipeError, match=message):
        parse_recipe(content, where="tiny")
