"""Ablations: variants of a method as a study of their own, and what each changes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from showercal.errors import RecipeError
from showercal.studies import Ablations, Recipe, ablate_study, load_recipe, packaged_studies
from showercal.studies._ablations import with_variants
from showercal.studies._recipe import parse_recipe

from .conftest import network, showers, study, write_without_figures

Make = Callable[..., Recipe]
LINE = {"kind": "straight_line", "values": "cells.tracks"}
VARIANTS: dict[str, Any] = {
    "few": {"label": "1 tree | few", "changes": {"n_trees": 1}},
    "stumps": {"label": "Stumps", "changes": {"n_leaves": 2, "features.sums.values": ["cells.energy"]}},
    "line": {"label": "A line instead", "method": LINE},
    "several": {"label": "Two of them", "ensemble": {"n_models": 2}},
}


def ablations(**changes: Any) -> dict[str, Any]:
    """Of the trees of the tiny study."""
    section = {"base": "trees", "variants": {**VARIANTS, "line_too": VARIANTS["line"]}}
    del section["variants"]["line"]  # type: ignore[attr-defined]
    return {"ablations": section | changes}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ablations") / "run"


@pytest.fixture(scope="module")
def ablated(events_folder: Path, folder: Path) -> Ablations:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("showercal.studies._run.write_report", write_without_figures)
        return ablate_study(parse_recipe(study(events_folder, **ablations()), where="tiny"), folder)


def test_changes_are_made_to_a_copy_of_the_base(make_recipe: Make) -> None:
    recipe = make_recipe(**ablations())
    assert recipe.ablations is not None
    methods = with_variants(recipe.methods, recipe.ablations, recipe.ablations.variants)
    assert list(methods) == ["trees", "few", "stumps", "several", "line_too"]
    base: Any = recipe.methods["trees"].method
    few: Any = methods["few"].method
    assert few == base.model_copy(update={"n_trees": 1})
    stumps: Any = methods["stumps"].method
    assert (stumps.n_leaves, stumps.features["sums"].values, stumps.n_trees) == (2, ("cells.energy",), base.n_trees)
    several: Any = methods["several"].method
    assert (several.kind, several.of) == ("ensemble", base)
    assert methods["few"].published is None


def test_what_a_variant_starts_from_comes_along(make_recipe: Make) -> None:
    methods = study("x")["methods"] | {"first": network(), "base": network(start_from="first")}
    section = {"base": "base", "variants": {"long": {"label": "L", "changes": {"training.epochs": 3}}}}
    recipe = make_recipe(methods=methods, ablations=section)
    assert recipe.ablations is not None
    assert list(with_variants(recipe.methods, recipe.ablations, ["long"])) == ["first", "base", "long"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": "tres"}, "ablations.base 'tres' is not among the methods; nearest known: 'trees'"),
        (
            {"metric": "sigma_over_sqrt"},
            "ablations.metric: no ratio of this metric is paired; nearest known: 'sigma_over_",
        ),
        ({"variants": {"a": {"label": "A"}}}, "ablations.variants.a: it is the base itself"),
        (
            {"variants": {"a": {"label": "A", "changes": {"n_tree": 3}}}},
            "ablations.variants.a.changes: unknown key 'n_tree'; nearest known: 'n_trees'",
        ),
        (
            {"base": "layers", "variants": {"a": {"label": "A", "changes": {"valuse": 3}}}},
            "variants.a.changes: unknown key 'valuse'; nearest known: 'values'",
        ),
        (
            {"variants": {"a": {"label": "A", "changes": {"n_trees.x": 3}}}},
            "ablations.variants.a: changes: n_trees is a value, not a group of options",
        ),
        (
            {"variants": {"a": {"label": "A", "changes": {"kind": "tres"}}}},
            "unknown kind 'tres'; nearest known: 'trees'",
        ),
        ({"variants": {"line": VARIANTS["line"]}}, "ablations.variants.line has the name of a method of the study"),
        (
            {"variants": {"a": {"label": "A", "changes": {"n_trees": 3}, "method": LINE}}},
            "ablations.variants.a: changes are of the method of the base: leave out changes or method",
        ),
        (
            {"variants": {"a": {"label": "A", "ensemble": {"weights": "loss"}}}},
            "ablations.variants.a.ensemble: weights: loss counts members by 1 / loss, but trees has no loss",
        ),
        ({"variants": {}}, "ablations.variants: .* at least 1 item"),
    ],
)
def test_faults_are_told_with_their_place(make_recipe: Make, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make_recipe(**ablations(**changes))


def test_each_variant_is_compared_with_the_base(ablated: Ablations) -> None:
    rows = {row.variant: row for row in ablated.rows}
    assert [row.variant for row in ablated.rows] == ["trees", "few", "stumps", "several", "line_too"]
    assert (rows["trees"].change, rows["trees"].change_error) == (0, 0)
    for row in ablated.rows[1:]:
        assert row.change == pytest.approx(row.value / rows["trees"].value - 1, rel=1e-9)
        assert 0 < row.change_error < 2 * math.hypot(row.error, rows["trees"].error) / rows["trees"].value
    assert rows["few"].change > 3 * rows["few"].change_error, "one tree is too few"


def test_numbers_and_table_are_written(ablated: Ablations, folder: Path) -> None:
    written = json.loads((folder / "ablations.json").read_text())
    assert (written["base"], written["metric"]) == ("trees", "sigma_over_sqrt_e")
    assert [row["change"] for row in written["rows"]] == [row.change for row in ablated.rows]
    lines = ablated.table.splitlines()
    assert lines[0] == "# A tiny study: ablations of Trees"
    assert lines[2] == "| Variant | σ/√E [√GeV] | Change [%] |"
    assert lines[4].startswith("| Trees | 0.") and lines[4].endswith(" |  |")
    assert lines[5].startswith("| 1 tree few | ")
    assert lines[5].split("|")[3].startswith(" +")


def test_only_some_and_what_was_fitted_before_is_kept(
    ablated: Ablations, folder: Path, make_recipe: Make, no_figures: None
) -> None:
    said: list[str] = []
    found = ablate_study(
        make_recipe(**ablations(metric="resolution_sigma68")), folder, only=["stumps"], say=said.append
    )
    assert [row.variant for row in found.rows] == ["trees", "stumps"]
    assert not [line for line in said if "fitting" in line]
    assert "Resolution (68 % width) [%]" in found.table
    assert found.rows[1].change == pytest.approx(found.rows[1].value / found.rows[0].value - 1, rel=1e-9)
    assert found.rows[1].value != ablated.rows[2].value


def test_a_variant_of_the_calibration_alone_is_not_fitted(
    ablated: Ablations, folder: Path, make_recipe: Make, no_figures: None
) -> None:
    plain = {"label": "Uncorrected", "calibration": {"form": "none"}}
    said: list[str] = []
    found = ablate_study(make_recipe(**ablations(variants={"plain": plain})), folder, say=said.append)
    assert not [line for line in said if "fitting" in line]
    assert "Uncorrected: the same fit as Trees, calibrated on its own" in said
    run = found.run
    assert run.value("plain", "bias_raw") == pytest.approx(run.value("trees", "bias_raw"), rel=1e-9)
    assert run.value("plain", "bias") == pytest.approx(run.value("plain", "bias_raw"), rel=1e-9)
    assert run.value("plain", "bias") != pytest.approx(run.value("trees", "bias"), rel=1e-3)
    events = showers(20, seed=8)
    assert (run.method("plain").predict(events).median == run.method("trees").predict(events).median).all()


def test_a_base_that_takes_long_may_start_from_a_short_method(
    make_recipe: Make, tmp_path: Path, no_figures: None
) -> None:
    methods = study("x")["methods"] | {"first": network(), "base": network(start_from="first") | {"full": True}}
    section = {"base": "base", "variants": {"long": {"label": "L", "changes": {"training.epochs": 3}}}}
    found = ablate_study(make_recipe(methods=methods, ablations=section), tmp_path)
    assert [row.variant for row in found.rows] == ["base", "long"]


def test_studies_without_ablations_and_unknown_variants_are_refused(make_recipe: Make, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="the study tiny has no ablations: write a section ablations"):
        ablate_study(make_recipe(), tmp_path)
    with pytest.raises(RecipeError, match="no variant 'fwe' among the ablations of tiny; nearest known: 'few'"):
        ablate_study(make_recipe(**ablations()), tmp_path, only=["few", "fwe"])
    assert not list(tmp_path.iterdir())


def test_packaged_ablations_change_what_they_say() -> None:
    """They are validated with their recipe; here, that the packaged example has some."""
    with_some = [name for name in packaged_studies() if load_recipe(name).ablations is not None]
    assert "electrons" in with_some
