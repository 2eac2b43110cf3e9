"""A small study from events to results: what is written, what is repeated, what the test events may decide."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import awkward as ak
import numpy as np
import pytest
from pydantic import TypeAdapter
from safetensors.numpy import load_file, save_file
from torch import nn

from showercal import Events, open_events
from showercal.errors import DataError
from showercal.evaluation import METRICS
from showercal.evaluation._measure_tracker import EVENT_METRICS, TRACKER_METRICS
from showercal.evaluation._measure_width import RAW_WIDTH_METRICS, WIDTH_METRICS
from showercal.prediction import NormalPrediction, PointPrediction
from showercal.studies import DataConfig, Recipe, Run, evaluate_run, load_recipe, open_run, render_report, run_study
from showercal.studies._cache import essence
from showercal.studies._content import report_content
from showercal.studies._data import learned, split
from showercal.studies._judge import Judged
from showercal.studies._recipe import FallingSpectrum, SplitConfig
from showercal.training import MethodConfig, NetworkMethodConfig, NetworkRegressor

from .conftest import network, showers, study

Make = Callable[..., Recipe]
METHODS = ("line", "layers", "trees")
OF_TRANSFER = {f"{metric}{suffix}" for metric in ("sigma_ratio_alone", "gain_kept") for suffix in ("", "_local")}
OF_SIMULATIONS = {name for name in METRICS if name.startswith("visible_energy_")} | {
    *("layer_energy_ratio", "lit_cells_ratio", "leakage_ratio", "side_leakage_ratio", "shower_maximum_ratio"),
    "two_sample_auc",
}
OF_A_TRACKER = {*TRACKER_METRICS, *EVENT_METRICS} | {
    n for n in METRICS if n.startswith(("mean_improvement", "max_rmse", "rmse_over_e"))
}
OF_WIDTHS = {*WIDTH_METRICS, *RAW_WIDTH_METRICS, "pit_p", "crps_ratio"}
OF_POINTS = set(METRICS) - {*OF_WIDTHS, *OF_TRANSFER, *OF_SIMULATIONS, *OF_A_TRACKER, "model_spread"}
ROW_KEYS = {"method", "metric", "bin", "bin_low", "bin_high", "value", "error"}


def refuse(word: str) -> float:
    raise AssertionError(f"{word} is no JSON")


def rows_of(folder: Path) -> list[dict[str, Any]]:
    content = json.loads((folder / "results.json").read_text(), parse_constant=refuse)
    found: list[dict[str, Any]] = content["rows"]
    return found


def places(folder: Path) -> set[tuple[Any, ...]]:
    return {(row["method"], row["metric"], row["bin"]) for row in rows_of(folder)}


def times(folder: Path) -> dict[str, int]:
    """When each file was written last, by its path inside the folder."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def of_method(stamps: dict[str, int], name: str) -> dict[str, int]:
    """The files that fitting a method writes; its corrections are fitted by a later stage."""
    late = ("correction.json", "closure.json")
    return {p: t for p, t in stamps.items() if p.startswith(f"methods/{name}/") and not p.endswith(late)}


def test_all_files_are_there(finished: Path) -> None:
    for name in ("recipe.yaml", "results.json", "results.md", "report.html", "figures/resolution.png"):
        assert (finished / name).stat().st_size > 0, name
    for name in METHODS:
        for file in ("model/model.json", "correction.json", "closure.json", "test.safetensors"):
            assert (finished / "methods" / name / file).is_file()
    assert not list(finished.rglob("*.tmp"))
    assert "Trees" in (finished / "results.md").read_text()


def test_rows_are_tidy(finished: Path) -> None:
    rows = rows_of(finished)
    assert all(set(row) == ROW_KEYS for row in rows)
    assert len({(row["method"], row["metric"], row["bin"]) for row in rows}) == len(rows)
    assert {row["method"] for row in rows} == set(METHODS)
    assert {row["metric"] for row in rows} == OF_POINTS - {"train_events_per_s"}  # nothing here has epochs
    assert {row["bin"] for row in rows if row["metric"] == "bias_local"} == {None, 0, 1, 2, 3}


def test_results_are_sensible(finished: Path) -> None:
    """Per event the tracks follow Poisson's law with 30 per GeV, so that sigma/sqrt(E) is 1 / sqrt(30) GeV^1/2."""
    run = open_run(finished)
    sigma, error = run.value("line", "sigma_over_sqrt_e")
    assert sigma == pytest.approx(1 / math.sqrt(30), abs=4 * error)
    bias, error = run.value("line", "bias")
    assert bias == pytest.approx(0, abs=4 * error + 0.01)
    assert run.value("line", "sigma_ratio") == (1, 0)
    assert run.value("layers", "n_parameters")[0] == 18
    assert run.info["provenance"]["seed"] == 1
    assert {"read events", "fit Line", "fit Trees", "calibrate and evaluate"} == set(run.info["timings"]) - {
        "fit Layers"
    }


def test_a_finished_run_predicts_any_events(finished: Path) -> None:
    events = showers(50, seed=9)
    pull = (open_run(finished).predict("line", events).median - events.energy_true) * np.sqrt(30 / events.energy_true)
    assert abs(pull.mean()) < 4 / math.sqrt(50)


def test_a_second_run_does_nothing(copied: Path, make_recipe: Make) -> None:
    before, said = times(copied), []
    run_study(make_recipe(), copied, say=said.append)
    assert times(copied) == before
    assert said == [f"{copied} holds this run already: nothing to do"]


@pytest.mark.usefixtures("no_figures")
def test_only_the_changed_method_is_fitted_again(copied: Path, make_recipe: Make, events_folder: Path) -> None:
    before, said = times(copied), []
    methods = study(events_folder)["methods"]
    methods["trees"]["method"]["n_trees"] = 3
    run = run_study(make_recipe(methods=methods), copied, say=said.append)
    assert [text for text in said if ":" in text][1:] == ["Line: done before", "Layers: done before", "Trees: fitting"]
    after = times(copied)
    for name in ("line", "layers"):
        assert of_method(after, name) == of_method(before, name) != {}
    assert not of_method(after, "trees").items() & of_method(before, "trees").items()
    assert run.value("trees", "sigma_over_sqrt_e") != open_run(copied).value("line", "sigma_over_sqrt_e")


@pytest.mark.usefixtures("no_figures")
def test_another_evaluation_fits_nothing(copied: Path, make_recipe: Make, events_folder: Path) -> None:
    before = times(copied)
    options = study(events_folder)["evaluation"] | {"n_bins": 2}
    run_study(make_recipe(evaluation=options), copied)
    after = times(copied)
    for name in METHODS:
        assert of_method(after, name) == of_method(before, name)
    assert {row["bin"] for row in rows_of(copied)} == {None, 0, 1}


@pytest.mark.usefixtures("no_figures")
def test_an_interrupted_run_goes_on(tmp_path: Path, make_recipe: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    import showercal.studies._fits as module

    build = module.build_method

    def interrupted(config: Any, start: Any, *, fine_tune: bool) -> Any:
        if config.kind == "trees":
            raise KeyboardInterrupt
        return build(config, start, fine_tune=fine_tune)

    with monkeypatch.context() as patch:
        patch.setattr(module, "build_method", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_study(make_recipe(), tmp_path)
    with pytest.raises(DataError, match=r"has no results.json: the run is not finished; start it again to go on"):
        _ = open_run(tmp_path).rows
    before = times(tmp_path)
    run = run_study(make_recipe(), tmp_path)
    assert of_method(times(tmp_path), "line") == of_method(before, "line") != {}
    assert {row.method for row in run.rows} == set(METHODS)


def test_results_of_an_earlier_recipe_do_not_stay(
    copied: Path, make_recipe: Make, events_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(config: Any, start: Any, *, fine_tune: bool) -> Any:
        raise KeyboardInterrupt

    methods = study(events_folder)["methods"]
    methods["trees"]["method"]["n_trees"] = 3
    monkeypatch.setattr("showercal.studies._fits.build_method", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_study(make_recipe(methods=methods), copied)
    assert not (copied / "results.json").exists()


def models(folder: Path) -> dict[str, bytes]:
    """The bytes of all that was learnt."""
    paths = [p for p in folder.glob("methods/*/**/*") if p.is_file()]
    learnt = [p for p in paths if p.parent.name == "model" or p.name in {"correction.json", "closure.json"}]
    return {str(path.relative_to(folder)): path.read_bytes() for path in learnt}


@pytest.mark.usefixtures("no_figures")
def test_the_test_events_decide_nothing(finished: Path, tmp_path: Path, make_recipe: Make) -> None:
    """Other truth in the test part changes the results and no model; in the validation part, the corrections."""
    events = showers()
    parts = split(events, SplitConfig(train=0.4, validation=0.5, test=0.1))
    runs = {}
    for part in ("test", "validation"):
        at = getattr(parts, part).scalar("impact_x").astype(int)
        truth = events.energy_true.copy()
        truth[at] = 10.2 - truth[at]  # the same spectrum, but hardly related to the showers
        truth[at] = np.where(np.arange(len(at)) % 3 == 0, truth[at], events.energy_true[at])
        changed = dataclasses.replace(events, array=ak.with_field(events.array, truth, "energy_true"))
        Events.save(changed, tmp_path / part)
        content = {"events": str(tmp_path / part), "split": {"train": 0.4, "validation": 0.5, "test": 0.1}}
        runs[part] = run_study(make_recipe(data=content), tmp_path / f"run_{part}")
    original = open_run(finished)
    assert len(models(finished)) >= 3 * 3
    assert models(runs["test"].folder) == models(finished)
    assert runs["test"].value("line", "sigma_over_sqrt_e")[0] > 2 * original.value("line", "sigma_over_sqrt_e")[0]
    for name in METHODS:
        file = f"methods/{name}/correction.json"
        assert models(runs["validation"].folder)[file] != models(finished)[file]


@pytest.mark.usefixtures("no_figures")
def test_other_events_are_judged_in_the_same_form(copied: Path, tmp_path: Path) -> None:
    showers(600, seed=2).save(tmp_path / "others")
    before, said = models(copied), []
    run = open_run(copied)
    folder = evaluate_run(run, DataConfig(events=str(tmp_path / "others")), say=said.append)
    assert folder.parent == copied / "evaluations"
    assert folder.name.startswith("others-"), "and a hash, so that files of one name do not overwrite each other"
    assert places(folder) == places(copied)
    assert all(set(row) == ROW_KEYS for row in rows_of(folder))
    counts = [row["value"] for row in rows_of(folder) if row["metric"] == "n_events" and row["bin"] is None]
    assert counts == [600] * 3
    assert models(copied) == before
    assert said == ["600 events of others"]
    assert "Evaluated on other events: others." in (folder / "report.html").read_text()
    info = json.loads((folder / "results.json").read_text())["run"]
    assert info["provenance"]["seed"] == 2
    assert info["events"] != run.info["events"]


def test_events_that_cannot_be_judged_are_found_before_they_are_predicted(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = showers(60, seed=2)
    replaced = ak.with_field(events.array, events.array.energy_true + 100, "energy_true")
    dataclasses.replace(events, array=replaced).save(tmp_path / "others")
    monkeypatch.setattr(Run, "method", lambda self, name: pytest.fail("predicted"))
    with pytest.raises(DataError, match=r"no test event lies in the bins, 0 to 10 GeV; the truth runs from 100.2 to"):
        evaluate_run(open_run(copied), DataConfig(events=str(tmp_path / "others")))


@pytest.mark.usefixtures("no_figures")
def test_judging_the_training_events_is_said_aloud(copied: Path, events_folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    folder = evaluate_run(open_run(copied), DataConfig(events=str(events_folder)), tmp_path / "own", say=said.append)
    assert "this flatters them" in said[-1]
    assert "this flatters them" in (folder / "report.html").read_text()


@pytest.mark.usefixtures("no_figures")
def test_a_report_can_be_written_again(copied: Path, make_recipe: Make, tmp_path: Path) -> None:
    rows, info = rows_of(copied), open_run(copied).info
    (copied / "report.html").unlink()
    assert render_report(open_run(copied)) == copied / "report.html"
    assert (copied / "report.html").is_file()
    assert rows_of(copied) == rows
    assert open_run(copied).info == info


def with_width(run: Run, name: str, factor: float) -> None:
    """Let a fitted method have given normal distributions, of ``factor`` times the right width of the toy."""
    folder = run.folder / "methods" / name
    for part in ("validation", "test"):
        location = load_file(folder / f"{part}.safetensors")["energy"]
        scale = factor * np.sqrt(np.maximum(location, 0.1) / 30)
        save_file({"location": location, "scale": scale}, folder / f"{part}.safetensors")
    notes = json.loads((folder / "done.json").read_text())
    (folder / "done.json").write_text(json.dumps(notes | {"family": "normal"}))


@pytest.mark.usefixtures("no_figures")
def test_widths_are_recalibrated_on_the_validation_events(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_width(open_run(copied), "layers", 0.5)
    render_report(open_run(copied))
    run = open_run(copied)
    recalibration = run.recalibration("layers")
    assert recalibration is not None
    assert recalibration.to_dict()["rule"]["factor"] == pytest.approx(2, rel=0.15)  # 750 events know it to 4 %
    assert run.recalibration("line") is None
    for metric, wanted in (("pull_width", 1.0), ("coverage_68", 0.6827), ("pull_width_raw", 2.0)):
        value, error = run.value("layers", metric)
        assert value == pytest.approx(wanted, abs=4.5 * error + 0.06 * wanted), metric
    assert run.value("layers", "coverage_68_raw")[0] < 0.5
    assert run.value("layers", "sharpness")[0] == pytest.approx(1 / math.sqrt(30), rel=0.15)
    with pytest.raises(DataError, match="no overall 'pull_width' of 'line'"):
        run.value("line", "pull_width")
    assert "## Uncertainty" in (copied / "results.md").read_text()

    # other events get the same recalibration
    def method(self: Run, name: str) -> Any:
        return SimpleNamespace(predict=lambda events: NormalPrediction(np.full(len(events), 5.0), np.ones(len(events))))

    monkeypatch.setattr(Run, "method", method)
    factor = recalibration.to_dict()["rule"]["factor"]
    events = showers(3)
    corrected = run.correction("layers").apply(run.method("layers").predict(events))
    assert run.predict("layers", events).sigma68 == pytest.approx(factor * corrected.sigma68, rel=1e-6)
    assert run.predict("line", events).sigma68 == pytest.approx(
        run.correction("line").apply(run.method("line").predict(events)).sigma68
    )


@pytest.mark.usefixtures("no_figures")
def test_the_form_of_the_recalibration_is_the_recipes(copied: Path, make_recipe: Make) -> None:
    with_width(open_run(copied), "layers", 0.5)
    for form in ("isotonic", "conformal", "none"):
        run = run_study(make_recipe(calibration={"n_bins": 8, "width": form}), copied)
        recalibration = run.recalibration("layers")
        metrics = {row.metric for row in run.rows}
        if form == "none":
            assert recalibration is None
            assert not metrics & {*RAW_WIDTH_METRICS}
            assert run.value("layers", "pull_width")[0] == pytest.approx(2, rel=0.2)
        else:
            assert recalibration is not None
            assert recalibration.form == form
            assert {*RAW_WIDTH_METRICS} <= metrics
            assert run.value("layers", "coverage_90")[0] == pytest.approx(0.9, abs=0.08)  # 150 test events: 2.4 %


def test_a_report_of_changed_events_is_refused(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("showercal.studies._run.fingerprint", lambda data: "another")
    with pytest.raises(DataError, match=r"the events of .* have changed since it was run: run it again"):
        render_report(open_run(finished))


def test_too_few_events_for_the_calibration_are_found_before_any_fit(tmp_path: Path, make_recipe: Make) -> None:
    message = r">= 20 events in every bin .* \(calibration.n_bins is 60; data.split.validation = 0.5 gives 750 events\)"
    with pytest.raises(DataError, match=message):
        run_study(make_recipe(calibration={"n_bins": 60}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("no_figures")
def test_without_a_correction_any_number_of_events_will_do(tmp_path: Path, make_recipe: Make) -> None:
    run = run_study(make_recipe(calibration={"n_bins": 60, "form": "none"}), tmp_path)
    assert run.value("line", "bias") == pytest.approx(run.value("line", "bias_raw"), rel=1e-9)


def test_a_missing_field_is_found_before_any_fit(tmp_path: Path, make_recipe: Make, events_folder: Path) -> None:
    methods = study(events_folder)["methods"]
    methods["layers"]["method"]["values"] = ["cells.trakcs"]
    with pytest.raises(DataError, match=r"methods.layers: .*'cells.trakcs'; nearest known: 'cells.tracks'"):
        run_study(make_recipe(methods=methods), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("no_figures")
def test_without_a_strict_correction_the_rest_is_there(tmp_path: Path, make_recipe: Make, events_folder: Path) -> None:
    said: list[str] = []
    data = study(events_folder)["data"] | {"split": {"train": 0.7, "validation": 0.15, "test": 0.15}}
    run_study(make_recipe(data=data), tmp_path, say=said.append)
    assert sum("no strict correction, so it is left out of the columns named strict" in text for text in said) == 3
    metrics = {row["metric"] for row in rows_of(tmp_path)}
    assert metrics == {name for name in OF_POINTS if not name.endswith("_local")} - {"train_events_per_s"}
    assert "strict" not in (tmp_path / "results.md").read_text()


@pytest.mark.usefixtures("no_figures")
def test_a_method_goes_on_from_another(tmp_path: Path, make_recipe: Make, events_folder: Path) -> None:
    """The second stage is fitted again when the first one changes, and begins where the first one ended."""
    barely = {"epochs": 1, "batch_size": 1000, "learning_rate": 1e-9}
    methods = study(events_folder)["methods"]
    methods |= {"first": network(), "second": network(start_from="first", training=barely)}
    run_study(make_recipe(methods=methods), tmp_path)
    run = open_run(tmp_path)
    events = open_events(events_folder).read()
    first, second = (run.method(name).predict(events).median for name in ("first", "second"))
    np.testing.assert_allclose(first, second, rtol=1e-4)
    said: list[str] = []
    methods["first"]["method"]["training"]["epochs"] = 3
    run_study(make_recipe(methods=methods), tmp_path, say=said.append)
    assert said.count("Network: fitting") == 2
    assert "Trees: done before" in said


@pytest.mark.usefixtures("no_figures")
def test_learning_from_another_spectrum(tmp_path: Path, make_recipe: Make, events_folder: Path) -> None:
    """The spectrum falls as asked, the test events stay, and a scale that leaves none is refused."""
    options = study(events_folder)["data"]["split"] | {"learn_from": {"kind": "falling", "scale": 4.0}}
    events = open_events(events_folder).read()
    config = SplitConfig.model_validate(options)
    some = learned(events, config)
    kept, scale = len(some) / len(events), 4.0
    truth = events.energy_true
    assert kept == pytest.approx(np.exp(-truth / scale).mean(), abs=0.05)
    expected = np.average(truth, weights=np.exp(-truth / scale))
    assert some.energy_true.mean() == pytest.approx(expected, abs=4 * some.energy_true.std() / np.sqrt(len(some)))
    run = run_study(make_recipe(data={"events": str(events_folder), "split": options}), tmp_path)
    assert run.value("line", "n_events")[0] == 150
    learnt = learned(split(events, config).train, config).energy_true
    assert run.energy_range("line") == (learnt.min(), learnt.max())
    with pytest.raises(DataError, match="none of 1500 events is left"):
        learned(events[np.full(1500, truth.argmax())], SplitConfig(learn_from=FallingSpectrum(scale=0.1)))


def test_a_new_option_with_a_default_changes_no_key() -> None:
    options = SplitConfig(train=0.5, validation=0.4, seed=3)
    assert essence(options) == {"train": 0.5, "validation": 0.4, "seed": 3}
    head = network()["method"] | {"network": {"name": "fcn", "head": {"kind": "normal"}}, "loss": {"kind": "nll"}}
    kept = essence(TypeAdapter(MethodConfig).validate_python(head))
    assert kept["network"] == {"name": "fcn", "head": {"kind": "normal"}}
    assert kept["loss"] == {"kind": "nll"}
    assert kept["features"] == {"sums": {"kind": "layer_sums", "values": ("cells.tracks",)}}


def test_folders_without_a_run(tmp_path: Path) -> None:
    message = r"no run in .*: recipe.yaml is missing; make one with: showercal run STUDY --out"
    with pytest.raises(DataError, match=message):
        open_run(tmp_path)
    with pytest.raises(DataError, match=message):
        open_run(tmp_path / "none")


def test_unknown_results(finished: Path) -> None:
    with pytest.raises(DataError, match=r"no overall 'bias' of 'trea'; methods: line, layers, trees"):
        open_run(finished).value("trea", "bias")


def trained(recipe: Recipe, name: str, history: list[dict[str, float]]) -> Any:
    """A method of a recipe that went through these epochs, if it has any."""
    config = recipe.methods[name].method
    if not isinstance(config, NetworkMethodConfig):
        return SimpleNamespace(n_parameters=2)
    method = NetworkRegressor(config)
    method.history_, method.network_ = history, nn.Linear(1, 1)
    return method


@pytest.mark.parametrize(("n_epochs", "stopped"), [(40, None), (12, 11)])
def test_early_stopping_is_told(n_epochs: int, stopped: int | None) -> None:
    recipe = load_recipe("electrons")  # plans 40 epochs for the FCN
    history = [{"epoch": e, "train_loss": 1.0, "validation_loss": abs(e - 5.0)} for e in range(n_epochs)]
    run: Any = SimpleNamespace(recipe=recipe, method=lambda name: trained(recipe, name, history))
    point = PointPrediction(np.ones(3))
    same = dict.fromkeys(recipe.methods, point)
    events = showers(3)
    info = {"versions": {}, "provenance": {}, "command": "", "timings": {}}
    content = report_content(run, Judged(events, same, same, {}, []), [], info)
    assert content.methods["fcn"].stopped_epoch == stopped
    assert content.methods["fcn"].best_epoch == 5
    assert content.methods["line"].stopped_epoch is None


def test_under_a_penalty_the_report_names_the_last_epoch() -> None:
    recipe = load_recipe("electrons-pivot")
    history = [{"epoch": e, "train_loss": 1.0, "validation_loss": abs(e - 5.0)} for e in range(20)]
    run: Any = SimpleNamespace(recipe=recipe, method=lambda name: trained(recipe, name, history))
    same = dict.fromkeys(recipe.methods, PointPrediction(np.ones(3)))
    info = {"versions": {}, "provenance": {}, "command": "", "timings": {}}
    content = report_content(run, Judged(showers(3), same, same, {}, []), [], info)
    assert content.methods["small"].best_epoch == 5
    assert content.methods["distance"].best_epoch == 19


def test_a_run_is_rebuilt_from_its_folder(finished: Path, make_recipe: Make) -> None:
    assert open_run(finished) == Run(finished, make_recipe())
