from pathlib import Path
from typing import get_args

import pytest
import yaml

from showercal.cli._run import ensemble_overrides, short_recipe
from showercal.errors import RecipeError
from showercal.models import HeadConfig
from showercal.studies import load_recipe, packaged_studies
from showercal.training import METHODS, NetworkMethodConfig


@pytest.mark.parametrize("name", packaged_studies())
def test_packaged_recipes_are_valid(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.title == packaged_studies()[name]
    assert recipe.reference in recipe.methods
    assert {entry.method.kind for entry in recipe.methods.values()} <= set(METHODS)


def test_the_electron_study_is_the_published_one() -> None:
    recipe = load_recipe("electrons")
    assert {name: entry.published for name, entry in recipe.methods.items() if entry.published} == {
        "line": 0.362,
        "fcn": 0.327,
        "convnet": 0.319,
    }
    assert (recipe.evaluation.low, recipe.evaluation.high, recipe.evaluation.n_bins) == (0, 10, 20)
    assert "trees" in recipe.methods


def test_a_recipe_survives_yaml(tmp_path: Path) -> None:
    recipe = load_recipe("electrons")
    path = tmp_path / "again.yaml"
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    assert load_recipe(str(path)) == recipe


def test_overrides() -> None:
    recipe = load_recipe(
        "electrons",
        [
            "methods.fcn.method.training.epochs=3",
            "methods.fcn.method.training.gradient_clip=1e-1",
            "data.events=some/folder",
            "calibration.form=spline",
            "evaluation.display_energies=[2, 4]",
        ],
    )
    training = recipe.methods["fcn"].method.training  # type: ignore[union-attr]
    assert (training.epochs, training.gradient_clip) == (3, 0.1)
    assert recipe.data.events == "some/folder"
    assert recipe.calibration.form == "spline"
    assert recipe.evaluation.display_energies == (2, 4)


def test_an_override_of_one_method_leaves_the_others() -> None:
    """The packaged recipe shares options by YAML anchors, and with them objects."""
    plain = load_recipe("electrons")
    changed = load_recipe(
        "electrons",
        [
            "methods.fcn.method.training.schedule.kind=cosine",
            "methods.fcn.method.training.augmentation.max_shift=0",
        ],
    )
    assert changed.methods["fcn"] != plain.methods["fcn"]
    assert changed.methods["convnet"] == plain.methods["convnet"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("evaluation.n_bin=5", r"unknown key 'evaluation.n_bin'; nearest known: 'n_bins'$"),
        ("methods.fcn.method.training.epoch=5", r"unknown key 'methods.fcn.method.training.epoch'; .* 'epochs'$"),
        ("xyzzy=3", "unknown key 'xyzzy'; known: 'ablations', 'calibration', 'data', 'description'"),
        ("methods.conv.method.training.epochs=5", "the recipe has no method 'conv'; nearest known: 'convnet'"),
        ("methods.fcn.method.network.name=fnc", "unknown methods.fcn.method.network.name 'fnc'; nearest known: 'fcn'"),
        ("methods.x={label: X, method: {values: [cells.tracks]}}", "methods.x.method.kind is missing"),
        ("methods.x={method: {kind: straight_line, values: cells.tracks}}", "methods.x.label is missing"),
        ("methods.fcn.method.training.epochs=0", r"methods.fcn.method.training.epochs: .* or equal to 1; got 0$"),
        ("methods.fcn.method.training.optimizer=adm", r"optimizer: Input should be 'adam', .*; got 'adm'$"),
        ("reference=lin", r"not valid: reference 'lin' is not among the methods; nearest known: 'line'$"),
        ("data.split.train=0.5", r"data.split: train, validation and test must sum to 1; they sum to 0.7$"),
        ("data.split.train=1.5", r"data.split.train: .* less than 1; got 1.5$"),
        ("data.limit=3", r"data.limit: .* or equal to 50; got 3$"),
        ("methods.fcn.method.loss.kind=msee", "unknown methods.fcn.method.loss.kind 'msee'; nearest known: 'mse'"),
        (
            "methods.fcn.method.start_from=convnet",
            "fcn starts from 'convnet', which is not among the methods before it",
        ),
        ("title.text=x", "--set title.text=x: title is a value, not a group of options"),
        ("evaluation.n_bins=[1,", r"--set evaluation.n_bins=\[1,: '\[1,' is not a valid YAML value"),
        ("evaluation", "--set needs path=value, e.g. .*; got 'evaluation'"),
    ],
)
def test_faults_are_told_with_place_and_nearest_name(override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as fault:
        load_recipe("electrons", [override])
    assert len(str(fault.value)) < 300  # not the whole recipe
    assert "\n" not in str(fault.value)


def test_unknown_studies_and_files(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"unknown study .elektrons.; nearest known: .electrons.; or give a .yaml"):
        load_recipe("elektrons")
    with pytest.raises(RecipeError, match=r"no recipe at .*none.yaml"):
        load_recipe(str(tmp_path / "none.yaml"))
    (tmp_path / "list.yaml").write_text("[1, 2]")
    with pytest.raises(RecipeError, match=r"must hold a mapping of keys .*; got list"):
        load_recipe(str(tmp_path / "list.yaml"))
    (tmp_path / "broken.yaml").write_text("a: [1,")
    with pytest.raises(RecipeError, match=r"broken.yaml is not valid YAML"):
        load_recipe(str(tmp_path / "broken.yaml"))


def test_the_recipe_behind_the_export_table_has_every_kind_of_method_and_head() -> None:
    recipe = load_recipe(str(Path(__file__).parents[2] / "docs" / "export_heads.yaml"))
    methods = [entry.method for entry in recipe.methods.values()]
    assert {method.kind for method in methods} == set(METHODS)
    networks = [method.network for method in methods if isinstance(method, NetworkMethodConfig)]
    kinds = {config.model_fields["kind"].default for config in get_args(get_args(HeadConfig)[0])}
    assert {network.head.kind for network in networks} == kinds
    assert {network.name for network in networks} == {"fcn", "convnet", "deep_sets"}


def test_a_short_run_leaves_out_what_takes_long() -> None:
    full = load_recipe("electrons", ["methods.convnet.full=true", "pretrain.methods=[fcn, convnet]"])
    short = full.without_long_methods()
    assert set(full.methods) - set(short.methods) == {"convnet"}
    assert short.pretrain is not None
    assert short.pretrain.methods == ("fcn",)
    assert short.ablations == full.ablations
    based = load_recipe("electrons", ["methods.deep_sets.full=true"]).without_long_methods()
    assert based.ablations is None  # their base is left out
    nothing = load_recipe("electrons")
    assert nothing.without_long_methods() is nothing


def test_a_short_run_of_what_takes_long_alone_is_refused() -> None:
    named = load_recipe("electrons", ["methods.convnet.full=true", "pretrain.methods=[convnet]"])
    with pytest.raises(RecipeError, match=r"pretrain.methods names only .* leave out \(convnet\): run with --full, or"):
        named.without_long_methods()


def test_the_command_says_what_it_leaves_out(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = load_recipe("muons", ensemble_overrides(2, ["cnn", "depth"]))
    short = short_recipe(recipe, ["cnn", "depth"])
    assert "depth_ensemble" in short.methods
    assert "left out without --full: cnn, cnn_ensemble, cnn_alone" in capsys.readouterr().out
    with pytest.raises(RecipeError, match="--ensemble-of cnn: only a full run fits that: add --full"):
        short_recipe(load_recipe("muons", ensemble_overrides(2, ["cnn"])), ["cnn"])
    short_recipe(load_recipe("electrons"), [])
    assert capsys.readouterr().out == "", "nothing is left out"


def test_a_short_run_needs_its_reference_and_what_methods_start_from() -> None:
    with pytest.raises(RecipeError, match=r"reference .line. has full: true and is left out .*: take layers"):
        load_recipe("electrons", ["methods.line.full=true"])
    with pytest.raises(RecipeError, match=r"methods.convnet starts from 'fcn', which short runs leave out"):
        load_recipe("electrons", ["methods.fcn.full=true", "methods.convnet.method.start_from=fcn"])


def test_the_muon_study_is_the_published_one() -> None:
    recipe = load_recipe("muons")
    published = recipe.methods["cnn"].method
    assert isinstance(published, NetworkMethodConfig)
    assert published.loss.kind == "fractional_huber"
    assert (published.training.batch_size, published.training.epochs, published.training.patience) == (256, 50, 10)
    assert published.weighting is not None
    assert (published.weighting.centre, published.weighting.width_above) == (5000, 600)
    assert set(recipe.methods) - set(recipe.without_long_methods().methods) == {"cnn", "cnn_alone"}
    assert recipe.ablations is not None
    assert recipe.ablations.base == "cnn"
