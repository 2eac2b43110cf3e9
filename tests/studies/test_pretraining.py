"""Training on other events first: what is fitted to what, what is repeated, what is refused, what the results say.

The other events have 33 tracks per GeV and those of the study 30.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from showercal import detector
from showercal.cli._app import app
from showercal.cli._run import pretrain_overrides
from showercal.errors import DataError, RecipeError, SimulationError
from showercal.export import open_model
from showercal.simulation import SEEN, BackendKind, ParticleGun, parse_spectrum
from showercal.studies import Recipe, Run, export_run, load_recipe, open_run, render_report, run_study
from showercal.studies._fits import fits_of, options_of
from showercal.studies._recipe import parse_recipe
from showercal.training import NetworkRegressor

from .conftest import Quick, network, showers, study

Make = Callable[..., Recipe]
N_TRAIN = 600  # of the study
TRAINING = {"epochs": 10, "batch_size": 50, "learning_rate": 0.01, "schedule": {"kind": "one_cycle"}}
pytestmark = pytest.mark.usefixtures("no_figures")


def options_on(others: Path) -> dict[str, Any]:
    """The pretraining of a recipe."""
    return {
        "events": {"kind": "stored", "path": str(others)},
        "n_train": [0, 100, "all"],
        "least_steps": 40,
        "fine_tune": {"learning_rate": 0.3, "least_steps": 40},
    }


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("others") / "quick"
    showers(2000, seed=5, tracks_per_gev=33).save(folder)
    return folder


@pytest.fixture
def pretrained(make_recipe: Make, events_folder: Path, others: Path) -> Make:
    """Makes recipes with a line and a network; options of the pretraining can be changed."""

    def make(more: Mapping[str, Any] | None = None, /, **changes: Any) -> Recipe:
        known = {"line": study(events_folder)["methods"]["line"], "net": network(training=TRAINING)}
        return make_recipe(methods=known | dict(more or {}), pretrain=options_on(others) | changes)

    return make


@pytest.fixture(scope="session")
def done(events_folder: Path, others: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished study with a pretraining and its whole report; not to be changed."""
    content = study(events_folder)
    content["methods"] = {"line": content["methods"]["line"], "net": network(training=TRAINING)}
    content["pretrain"] = options_on(others)
    return run_study(parse_recipe(content, where="tiny"), tmp_path_factory.mktemp("pretrained") / "tiny")


def numbers(run: Run, metric: str) -> dict[tuple[str, int, bool], tuple[float, float]]:
    """Value and error by method, number of events, and whether it was pretrained."""
    return {(r.method, r.n_train, r.pretrained): (r.value, r.error) for r in run.transfer if r.metric == metric}


def test_every_fit_is_reported(done: Run) -> None:
    sigmas = numbers(done, "sigma_over_sqrt_e")
    assert set(sigmas) == {
        *(("line", n, n == 0) for n in (0, 100, N_TRAIN)),  # a line cannot be trained on
        *(("net", n, True) for n in (0, 100, N_TRAIN)),
        *(("net", n, False) for n in (100, N_TRAIN)),
    }
    for method in ("line", "net"):  # alone on all events it is the method that the study compares
        assert sigmas[method, N_TRAIN, False] == pytest.approx(done.value(method, "sigma_over_sqrt_e"), rel=1e-9)
    assert numbers(done, "sigma_ratio")["net", N_TRAIN, False] == pytest.approx(done.value("net", "sigma_ratio"))
    assert numbers(done, "gain_kept")["net", N_TRAIN, False] == (1, 0)
    rows = json.loads((done.folder / "results.json").read_text())["transfer"]
    assert set(rows[0]) == {"method", "n_train", "pretrained", "metric", "value", "error"}
    assert {row.method for row in done.rows} == {"line", "net"}, "the rows of the study are as without a pretraining"


def test_what_is_learned_from_what(done: Run) -> None:
    """On 33 tracks per GeV a scale is learned that is 10 % off, and events of the study mend it."""
    bias = numbers(done, "bias_raw")
    for method in ("line", "net"):
        assert bias[method, 0, True][0] == pytest.approx(30 / 33 - 1, abs=0.02)
        for n in (100, N_TRAIN):
            assert abs(bias[method, n, method == "net"][0]) < 0.03
    notes = {f.name: json.loads((f / "done.json").read_text()) for f in (done.folder / "methods").iterdir()}
    assert {name: note["n_train"] for name, note in notes.items()} == {
        "line": N_TRAIN,
        "line@pretrained-0": 1800,
        "line@alone-100": 100,
        "net": N_TRAIN,
        "net@pretrained-0": 1800,
        "net@pretrained-100": 100,
        "net@pretrained-all": N_TRAIN,
        "net@alone-100": 100,
    }
    low, high = notes["net@pretrained-100"]["energy_range"]
    assert (low, high) == tuple(notes["net@pretrained-0"]["energy_range"]), "it has seen those of the pretraining, too"


def test_scales_are_those_of_the_pretraining(done: Run) -> None:
    first, tuned, alone = (done.method(f"net@{name}") for name in ("pretrained-0", "pretrained-100", "alone-100"))
    assert isinstance(first, NetworkRegressor)
    assert isinstance(tuned, NetworkRegressor)
    assert isinstance(alone, NetworkRegressor)
    assert tuned.extractor_.state() == first.extractor_.state() != alone.extractor_.state()
    events = showers(20, seed=4)
    assert not np.allclose(tuned.predict(events).median, first.predict(events).median, rtol=1e-3)


def test_few_events_are_part_of_more(pretrained: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And few events are stopped on few: 750 validation events go with all 600, the same share with fewer."""
    seen: dict[tuple[int, int], set[float]] = {}
    fit = NetworkRegressor.fit

    def watched(self: NetworkRegressor, train: Any, validation: Any, workspace: Any = None) -> NetworkRegressor:
        if not self.fine_tune:
            seen[len(train), len(validation)] = set(train.scalar("impact_x"))
        return fit(self, train, validation, workspace)

    monkeypatch.setattr(NetworkRegressor, "fit", watched)
    run_study(pretrained(n_train=[60, 200, "all"]), tmp_path)
    assert set(seen) == {(60, 100), (200, 250), (N_TRAIN, 750), (1800, 200)}
    assert seen[60, 100] < seen[200, 250] < seen[N_TRAIN, 750]


def test_nothing_is_done_twice(pretrained: Make, tmp_path: Path) -> None:
    run_study(pretrained(), tmp_path)
    said: list[str] = []
    run_study(pretrained(), tmp_path, say=said.append)
    assert said == [f"{tmp_path} holds this run already: nothing to do"]

    def fitted(recipe: Recipe) -> set[str]:
        said.clear()
        run_study(recipe, tmp_path, say=said.append)
        return {text.removesuffix(": fitting") for text in said if text.endswith(": fitting")}

    assert fitted(pretrained(n_train=[0, 100, 200, "all"])) == {
        "Line, alone, 200 events",
        "Network, pretrained, 200 events",
        "Network, alone, 200 events",
    }
    assert fitted(pretrained(fine_tune={"learning_rate": 0.2, "least_steps": 10})) == {
        "Network, pretrained, 100 events",
        "Network, pretrained, all events",
    }
    # another pretraining leaves alone what had none
    assert fitted(pretrained(epochs=3)) == {
        "Line, on the pretraining events",
        "Network, on the pretraining events",
        "Network, pretrained, 100 events",
        "Network, pretrained, all events",
    }
    plain = pretrained().model_copy(update={"pretrain": None})
    assert fitted(plain) == set()
    assert open_run(tmp_path).transfer == []
    assert "transfer" not in json.loads((tmp_path / "results.json").read_text())


def test_an_interrupted_pretraining_goes_on(
    pretrained: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: Run
) -> None:
    import showercal.studies._fits as module

    build = module.build_method

    def interrupted(config: Any, start: Any, *, fine_tune: bool) -> Any:
        if fine_tune:
            raise KeyboardInterrupt
        return build(config, start, fine_tune=fine_tune)

    with monkeypatch.context() as patch:
        patch.setattr(module, "build_method", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_study(pretrained(), tmp_path)
    said: list[str] = []
    run = run_study(pretrained(), tmp_path, say=said.append)
    assert "Network, on the pretraining events: done before" in said
    assert "Network, pretrained, 100 events: fitting" in said
    assert not [text for text in said if text.startswith("Pretraining on")], "its events are not read again"
    assert run.transfer == done.transfer


def test_a_report_can_be_written_again(done: Run, tmp_path: Path) -> None:
    import shutil

    copy = open_run(shutil.copytree(done.folder, tmp_path / "copy"))
    render_report(copy)
    assert copy.transfer == done.transfer
    text = (copy.folder / "results.md").read_text()
    assert "## Pretrained on the events of quick" in text
    assert "| Network | 100 |" in text
    assert "Network: without any event of the study it keeps" in text


def test_a_pretrained_method_can_be_exported(done: Run, tmp_path: Path) -> None:
    exported = export_run(done, "net@pretrained-100", tmp_path / "net.onnx", n_events=50)
    assert exported.info.label == "Network, pretrained, 100 events"
    events = showers(20, seed=3)
    expected = done.predict("net@pretrained-100", events).median
    np.testing.assert_allclose(open_model(exported.path).predict(events).energy, expected, rtol=1e-5)


def test_a_fit_that_cannot_be_corrected_is_left_out(
    pretrained: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import showercal.studies._transfer as module

    calibrate = module.calibrate

    def failing(folder: Path, recipe: Recipe, fit: Any, *arguments: Any) -> Any:
        if fit.name == "net@alone-100":
            raise DataError("Network cannot be corrected")
        return calibrate(folder, recipe, fit, *arguments)

    monkeypatch.setattr(module, "calibrate", failing)
    said: list[str] = []
    run = run_study(pretrained(), tmp_path, say=said.append)
    assert said[-1] == "left out of the transfer: Network cannot be corrected"
    assert set(numbers(run, "sigma_ratio")) == {
        *(("line", n, n == 0) for n in (0, 100, N_TRAIN)),
        *(("net", n, True) for n in (0, 100, N_TRAIN)),
        ("net", N_TRAIN, False),
    }


def test_which_methods_take_part(pretrained: Make) -> None:
    """The reference, those named, and what they start from; each after what it starts from."""
    stages = {"second": network(start_from="net"), "third": network(), "trees": network()}
    names = list(fits_of(pretrained(stages, methods=["second"], n_train=[100, "all"])))
    assert names == [
        *("line", "net", "second", "third", "trees"),
        "line@alone-100",
        *("net@pretrained-0", "net@pretrained-100", "net@alone-100", "net@pretrained-all"),
        *("second@pretrained-0", "second@pretrained-100", "second@alone-100", "second@pretrained-all"),
    ]
    fits = fits_of(pretrained(stages, n_train=[100]))
    assert fits["second@pretrained-0"].start == "net@pretrained-0"
    assert fits["second@pretrained-100"].start == "second@pretrained-0"
    assert fits["second@alone-100"].start == "net@alone-100"


def test_two_stages_are_pretrained(pretrained: Make, tmp_path: Path) -> None:
    recipe = pretrained({"second": network(start_from="net", training=TRAINING)}, n_train=[0, 100], methods=["second"])
    run = run_study(recipe, tmp_path)
    assert numbers(run, "bias_raw")["second", 0, True][0] == pytest.approx(30 / 33 - 1, abs=0.02)
    assert abs(numbers(run, "bias_raw")["second", 100, True][0]) < 0.05


def test_options_of_the_trainings(pretrained: Make) -> None:
    tuning = {"learning_rate": 0.5, "epochs": 3, "least_steps": 10, "schedule": {"kind": "constant"}}
    recipe = pretrained(epochs=7, least_steps=100, fine_tune=tuning)

    def training(name: str, n_events: int) -> Any:
        return options_of(recipe, fits_of(recipe)[name], n_events).training  # type: ignore[union-attr]

    own = recipe.methods["net"].method.training  # type: ignore[union-attr]
    assert training("net", N_TRAIN) == own
    assert training("net@pretrained-0", 1800) == own.model_copy(update={"epochs": 7})
    # 100 steps of 50 events are 50 passes through 100
    assert training("net@alone-100", 100) == own.model_copy(update={"epochs": 50})
    tuned = training("net@pretrained-100", 100)
    assert (tuned.epochs, tuned.learning_rate, tuned.schedule.kind) == (5, 0.005, "constant")
    assert training("net@pretrained-all", 6000).epochs == 3


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("pretrain.n_train=[0, 10, 5]", r"pretrain.n_train: must be a list of rising numbers .*; got \[0, 10, 5\]$"),
        ("pretrain.n_train=[all, 5]", r"pretrain.n_train: must be a list of rising numbers of events"),
        ("pretrain.n_train=1000", r"pretrain.n_train: must be a list of rising numbers .*; got 1000$"),
        ("pretrain.n_train=[0.5]", r"pretrain.n_train: must be a list of rising numbers"),
        ("pretrain.n_train=[-5]", r"pretrain.n_train: must be a list of rising numbers"),
        ("pretrain.events.kind=simulate", "unknown pretrain.events.kind 'simulate'; nearest known: 'simulated'"),
        ("pretrain.events={kind: stored}", "pretrain.events.path is missing"),
        ("pretrain.fine_tune.epoch=3", "unknown key 'pretrain.fine_tune.epoch'; nearest known: 'epochs'"),
        (
            "pretrain.methods=[conv]",
            "pretrain.methods names 'conv', .* not among the methods; nearest known: 'convnet'",
        ),
        ("data.gun={particle: electron, energy: '0:10'}", "data.gun: unknown particle 'electron'"),
        ("data.gun={particle: e-, energy: 1:10}", r"data.gun.energy: put it in quotes: energy: .0:10.; got 70$"),
        ("data.gun={particle: e-, energy: 0-10}", "data.gun: an energy spectrum is written"),
    ],
)
def test_faults_of_the_recipe(override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("electrons", [override])


def test_patience_has_no_meaning_under_a_penalty() -> None:
    with pytest.raises(RecipeError, match=r"methods.adversary has a decorrelation and keeps its last epoch"):
        load_recipe("electrons-pivot", ["pretrain.fine_tune.patience=3"])


@pytest.mark.parametrize(
    ("training", "pretrain", "message"),
    [
        (
            {"epochs": 20, "schedule": {"kind": "one_cycle_step"}},
            {"epochs": 5},
            r"pretrain.epochs does not go with methods.net: .*a cycle of 20 epochs; got epochs 5: give more",
        ),
        (
            {"optimizer": "sgd"},
            {"fine_tune": {"epochs": 30, "schedule": {"kind": "one_cycle_step"}}},
            r"pretrain.fine_tune does not go with methods.net: .* moves beta1, which sgd has not",
        ),
        (
            {},
            {"fine_tune": {"epochs": 3, "least_steps": 0, "schedule": {"kind": "one_cycle_step"}}},
            r"pretrain.fine_tune does not go with methods.net: .*a cycle of 20 epochs; got epochs 3",
        ),
    ],
)
def test_options_that_do_not_go_together_are_found_before_any_fit(
    pretrained: Make, tmp_path: Path, training: dict[str, Any], pretrain: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        run_study(pretrained({"net": network(training=TRAINING | training)}, **pretrain), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_faults_of_the_events_are_found_before_any_fit(
    pretrained: Make, tmp_path: Path, events_folder: Path, others: Path
) -> None:
    out = tmp_path / "run"
    with pytest.raises(
        DataError, match=r"asks for 601 of the 600 training events of the study: .*n_train=\[0, 60, all\]"
    ):
        run_study(pretrained(n_train=[601]), out)
    with pytest.raises(DataError, match=r"showers holds events of the study itself, test events among them"):
        run_study(pretrained(events={"kind": "stored", "path": str(events_folder)}), out)
    with pytest.raises(DataError, match=r"no file at .*none"):
        run_study(pretrained(events={"kind": "stored", "path": str(tmp_path / "none")}), out)
    assert not out.exists()
    events = showers(100, seed=5)
    smaller = replace(detector("toy-sandwich"), cell_x=50.0)
    replace(events, geometry=smaller.to_dict()).save(tmp_path / "narrow")
    with pytest.raises(DataError, match=r"the pretraining events come from 'toy-sandwich' \(geometry .* same detector"):
        run_study(pretrained(events={"kind": "stored", "path": str(tmp_path / "narrow")}), out)
    cells = events.array.cells
    units = {k: v for k, v in events.units.items() if k != "cells.tracks"}
    array = ak.with_field(events.array, cells[["id", "energy"]], "cells")
    replace(events, array=array, units=units).save(tmp_path / "bare")
    with pytest.raises(DataError, match=r"the pretraining events: methods.line: .*'cells.tracks'"):
        run_study(pretrained(events={"kind": "stored", "path": str(tmp_path / "bare")}), out)
    assert not list(out.glob("methods/*"))


@pytest.mark.usefixtures("quick")
def test_events_are_simulated_once(pretrained: Make, tmp_path: Path, make_recipe: Make, events_folder: Path) -> None:
    events = {"kind": "simulated", "backend": "quick", "n_events": 1500}
    gun = {"particle": "e-", "energy": "0.2:10"}
    recipe = pretrained(events=events)
    data = recipe.data.model_dump() | {"gun": gun}

    def with_gun(**changes: Any) -> Recipe:
        return Recipe.model_validate(pretrained(**changes).model_dump() | {"data": data})

    said: list[str] = []
    run = run_study(with_gun(events=events), tmp_path, say=said.append)
    assert "Pretraining on 1,500 events by the simulator quick" in said
    assert Quick.n_made == 1500
    assert numbers(run, "bias_raw")["line", 0, True][0] == pytest.approx(30 / 33 - 1, abs=0.02)
    (folder,) = (tmp_path / "pretraining").iterdir()
    plan = json.loads((folder / "simulation.json").read_text())
    assert plan["gun"] == ParticleGun("e-", parse_spectrum("0.2:10"), 75.0, 75.0).to_dict(), "as wide as the detector's"
    run_study(with_gun(events=events, epochs=3), tmp_path)
    assert Quick.n_made == 1500
    run_study(with_gun(events=events | {"seed": 3}), tmp_path)
    assert Quick.n_made == 3000
    run_study(with_gun(events=events), tmp_path)
    assert Quick.n_made == 3000, "a look at others cost nothing"


@pytest.mark.usefixtures("quick")
def test_the_gun_is_that_of_the_events(pretrained: Make, tmp_path: Path, events_folder: Path) -> None:
    events = {"kind": "simulated", "backend": "quick", "n_events": 100, "seed": 3, "cut": 0.2}
    recipe = pretrained(events=events)
    with pytest.raises(RecipeError, match=r"nothing says what was shot in the study, .*: set data.gun, e.g. --set"):
        run_study(recipe, tmp_path / "run")
    gun = ParticleGun("gamma", parse_spectrum("1:9"), 5.0, 6.0)
    settings = {"physics_list": "EM", "cut": 0.5, "birks": 0.126, "time_cut": None, "count_tracks": True}
    made = {"gun": gun.to_dict(), "backend": "quick", "seed": 4, "settings": settings}
    replace(showers(), provenance=made).save(tmp_path / "study")

    def told(**changes: Any) -> Recipe:
        data = recipe.data.model_dump() | {"events": str(tmp_path / "study"), **changes}
        return Recipe.model_validate(recipe.model_dump() | {"data": data})

    run_study(told(gun={"particle": "e-", "energy": "5"}), tmp_path / "run")
    (folder,) = (tmp_path / "run" / "pretraining").iterdir()
    plan = json.loads((folder / "simulation.json").read_text())
    assert plan["gun"] == gun.to_dict()
    assert plan["settings"] == {"cut": 0.2, "birks": 0.126, "count_tracks": True}  # all times are the default
    # the same events once more would be learning from the test events
    replace(showers(), provenance=made | {"seed": 3}).save(tmp_path / "study", overwrite=True)
    with pytest.raises(DataError, match=r"made by quick with seed 3, too, .* set another pretrain.events.seed"):
        run_study(told(), tmp_path / "other")
    replace(showers(), geometry=None).save(tmp_path / "study", overwrite=True)
    with pytest.raises(DataError, match=r"carry no geometry, so none like them can be simulated"):
        run_study(told(), tmp_path / "other")
    with pytest.raises(RecipeError, match="unknown backend 'quik'; nearest known: 'quick'"):
        run_study(pretrained(events=events | {"backend": "quik"}), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_missing_simulator_is_found_at_once(
    pretrained: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Missing(Quick):
        def check(self) -> None:
            raise SimulationError("not installed")

    monkeypatch.setattr("showercal.simulation._backends.BACKENDS", {"missing": BackendKind(Missing, SEEN)})
    recipe = pretrained(events={"kind": "simulated", "backend": "missing", "n_events": 100})
    data = recipe.data.model_dump() | {"gun": {"particle": "e-", "energy": "5"}}
    with pytest.raises(SimulationError, match="not installed"):
        run_study(Recipe.model_validate(recipe.model_dump() | {"data": data}), tmp_path)
    assert not list(tmp_path.glob("methods/*"))


def test_the_command_prints_what_the_pretraining_was_worth(
    pretrained: Make, tmp_path: Path, others: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = pretrained(n_train=[0, "all"]).model_dump(mode="json")
    del content["pretrain"], content["methods"]["net"]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    arguments = ["run", str(tmp_path / "mine.yaml"), "--out", str(tmp_path / "run"), "--pretrain", str(others)]
    arguments += ["--pretrain-events", "500", "--set", "pretrain.n_train=[0, 100, all]"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    heading = result.output.index("## Pretrained on the events of quick")
    assert result.output.index("# A tiny study") < heading < result.output.index("| Line | 100 |")
    assert "in bins" not in result.output
    run = open_run(tmp_path / "run")
    assert json.loads((run.folder / "methods" / "line@pretrained-0" / "done.json").read_text())["n_train"] == 450
    monkeypatch.setattr("showercal.simulation.BACKENDS", {"quick": BackendKind(Quick, SEEN)})
    chosen = pretrain_overrides("quick", 700)
    assert chosen == ['pretrain.events={"kind": "simulated", "backend": "quick", "n_events": 700}']
    assert pretrain_overrides(None, None) == []
