"""Ensembles in a study: added beside their methods, fitted once, judged, evaluated and exported as any method."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from showercal.errors import RecipeError
from showercal.export import open_model
from showercal.studies import DataConfig, Recipe, Run, evaluate_run, export_run, open_run, run_study
from showercal.studies._recipe import parse_recipe
from showercal.training import Ensemble, EnsembleConfig

from .conftest import network, showers, study, write_without_figures

Make = Callable[..., Recipe]
NORMAL = {"network": {"name": "fcn", "widths": [8], "head": {"kind": "normal"}}, "loss": {"kind": "nll"}}


def networks(**ensemble: Any) -> dict[str, Any]:
    """A line and two networks, of which the second starts from the first."""
    line = {"label": "Line", "method": {"kind": "straight_line", "values": "cells.tracks"}}
    methods = {"line": line, "point": network(), "normal": network(**NORMAL, start_from="point")}
    return {"methods": methods, "ensemble": {"n_models": 2, **ensemble}}


@pytest.fixture(scope="module")
def run(events_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    recipe = parse_recipe(study(events_folder, **networks()), where="tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("showercal.studies._run.write_report", write_without_figures)
        return run_study(recipe, tmp_path_factory.mktemp("ensembles") / "tiny")


def test_each_network_gets_its_ensemble_behind_it(make_recipe: Make) -> None:
    recipe = make_recipe(**networks(n_folds=7, seed=4))
    assert list(recipe.methods) == ["line", "point", "point_ensemble", "normal", "normal_ensemble"]
    method = recipe.methods["normal_ensemble"].method
    assert isinstance(method, EnsembleConfig)
    assert (method.n_models, method.n_folds, method.seed, method.start_from) == (2, 7, 4, "point_ensemble")
    assert recipe.methods["normal_ensemble"].label == "Network, ensemble of 2"
    # what is kept in a run is read again to the same
    assert parse_recipe(recipe.model_dump(mode="json"), where="again") == recipe


def test_a_recipe_made_in_python_has_its_ensembles_too(make_recipe: Make, events_folder: Path) -> None:
    content = study(events_folder, **networks())
    recipe = Recipe(**content)
    assert recipe == make_recipe(**networks())
    assert (recipe.ensemble, recipe.is_ensemble("point_ensemble")) == (None, True)


def test_a_named_method_brings_what_it_starts_from(make_recipe: Make) -> None:
    recipe = make_recipe(**networks(methods=["normal", "line"]))
    assert [name for name in recipe.methods if recipe.is_ensemble(name)] == [
        "line_ensemble",
        "point_ensemble",
        "normal_ensemble",
    ]


@pytest.mark.parametrize(
    ("ensemble", "message"),
    [
        (
            {"methods": ["nromal"]},
            "ensemble.methods names 'nromal', which is not among the methods; nearest known: 'norma",
        ),
        ({"n_models": 1}, "ensemble.n_models: .*greater than or equal to 2; got 1"),
        ({"n_fold": 3}, "unknown key 'ensemble.n_fold'; nearest known: 'n_folds'"),
        ({"n_folds": 1}, "ensemble.n_folds: "),
        (
            {"weights": "loss"},
            r"ensemble of normal: weights: loss .* loss nll can be below 0.*or leave it out of",
        ),
    ],
)
def test_impossible_ensembles_are_refused(make_recipe: Make, ensemble: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make_recipe(**networks(**ensemble))


def test_names_that_are_taken_and_ensembles_of_ensembles_are_refused(make_recipe: Make) -> None:
    content = networks()
    content["methods"]["point_ensemble"] = network()
    with pytest.raises(RecipeError, match="would be called point_ensemble, as another method is: rename"):
        make_recipe(**content)
    content = networks(methods=["many"])
    content["methods"]["many"] = {"label": "Many", "method": {"kind": "ensemble", "of": network()["method"]}}
    with pytest.raises(RecipeError, match="names 'many', which is an ensemble already"):
        make_recipe(**content)


def test_single_and_several_do_not_start_from_each_other(make_recipe: Make) -> None:
    content = networks(methods=["point"])
    content["methods"]["normal"]["method"]["start_from"] = "point_ensemble"
    with pytest.raises(RecipeError, match="normal starts from 'point_ensemble': an ensemble starts from an ensemble"):
        make_recipe(**content)


def test_an_ensemble_takes_no_part_in_a_pretraining(make_recipe: Make) -> None:
    from showercal.studies._fits import pretrained_methods

    pretrain = {"events": {"kind": "stored", "path": "somewhere"}}
    assert pretrained_methods(make_recipe(**networks(), pretrain=pretrain)) == ["line", "point", "normal"]
    for changes in ({"pretrain": {**pretrain, "methods": ["point_ensemble"]}}, {"reference": "point_ensemble"}):
        with pytest.raises(RecipeError, match="point_ensemble is an ensemble, which takes no part in a pretraining"):
            make_recipe(**{**networks(), "pretrain": pretrain, **changes})


def test_all_rows_and_the_table_of_the_report_are_there(run: Run) -> None:
    for name in ("point_ensemble", "normal_ensemble"):
        spread, error = run.value(name, "model_spread")
        assert 0 < error < spread
        assert run.value(name, "n_parameters")[0] == 2 * run.value(name.removesuffix("_ensemble"), "n_parameters")[0]
    assert {row.method for row in run.rows if row.metric == "model_spread"} == {"point_ensemble", "normal_ensemble"}
    text = (run.folder / "results.md").read_text().partition("## Uncertainty")[2]
    assert "Model σ/√E" in text
    assert "Network, ensemble of 2" in text


def test_what_is_kept_is_the_mean_and_the_spread(run: Run) -> None:
    method = run.method("point_ensemble")
    assert isinstance(method, Ensemble)
    kept = load_file(run.folder / "methods" / "point_ensemble" / "test.safetensors")
    assert set(kept) == {"energy", "spread"}
    assert not (run.folder / "methods" / "point_ensemble" / "work").exists()
    events = showers(20, seed=8)
    energies = [member.predict(events).mean for member in method.members_]
    prediction = run.calibration("point_ensemble").apply(method.predict(events))
    np.testing.assert_allclose(prediction.mean, run.correction("point_ensemble").map_(np.mean(energies, axis=0)))


def test_the_single_models_are_not_fitted_again(
    run: Run, events_folder: Path, tmp_path: Path, no_figures: None
) -> None:
    content = study(events_folder, **networks())
    del content["ensemble"]
    said: list[str] = []
    run_study(parse_recipe(content, where="tiny"), tmp_path)
    run_study(parse_recipe(content | networks(workers=1), where="tiny"), tmp_path, say=said.append)
    assert [line for line in said if "fitting" in line] == ["Network, ensemble of 2: fitting"] * 2
    for name in ("point", "normal_ensemble"):  # and both ways give the same
        assert open_run(tmp_path).value(name, "sigma_over_sqrt_e") == run.value(name, "sigma_over_sqrt_e")
    said.clear()
    run_study(parse_recipe(content | networks(workers=7), where="tiny"), tmp_path, say=said.append)
    assert not [line for line in said if "fitting" in line], "how many processes share the work changes no member"


def test_what_another_version_left_unfinished_is_not_gone_on_with(
    make_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_figures: None
) -> None:
    n_before: list[int] = []

    def interrupted(self: Ensemble, train: Any, validation: Any, workspace: Path | None = None) -> Ensemble:
        assert workspace is not None
        n_before.append(len(list(workspace.iterdir())) if workspace.is_dir() else 0)
        (workspace / "member").mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(Ensemble, "fit", interrupted)
    recipe = make_recipe(**networks(methods=["point"]))
    for version in ("1", "2"):
        monkeypatch.setattr("showercal.__version__", version)
        with pytest.raises(KeyboardInterrupt):
            run_study(recipe, tmp_path)
    assert n_before == [0, 0]


def test_it_is_evaluated_and_exported_as_any_method(run: Run, tmp_path: Path, no_figures: None) -> None:
    events = showers(300, seed=5)
    events.save(tmp_path / "more")
    folder = evaluate_run(run, DataConfig(events=str(tmp_path / "more")), tmp_path / "judged")
    assert "model_spread" in (folder / "results.json").read_text()
    for name in ("point_ensemble", "normal_ensemble"):
        export_run(run, name, tmp_path / f"{name}.onnx", n_events=50)
        energies = open_model(tmp_path / f"{name}.onnx").predict(events)
        np.testing.assert_allclose(energies.energy, run.predict(name, events).median, rtol=1e-4, atol=1e-4)
