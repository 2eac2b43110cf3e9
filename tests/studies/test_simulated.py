"""Studies that simulate their events: made once, found again, with all that comes after a run."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from showercal.errors import DataError, GeometryError, RecipeError
from showercal.simulation import ParticleGun, parse_spectrum
from showercal.studies import Recipe, evaluate_run, export_run, open_run, read_events, render_report, run_study
from showercal.studies._recipe import DataConfig
from showercal.studies._run import parts_of

from .conftest import Quick, study

Make = Callable[..., Recipe]
SIMULATED = {"detector": "toy-sandwich", "n_events": 1500, "backend": "quick"}
GUN = {"particle": "e-", "energy": "0.2:10", "position": [40, 30]}
pytestmark = pytest.mark.usefixtures("no_figures", "quick")


def recipe_of(make_recipe: Make, *, data: dict[str, Any] | None = None, **changes: Any) -> Recipe:
    """The study of the tests on events that it makes; options of the simulation can be changed."""
    split = study("")["data"]["split"]
    return make_recipe(data={"simulated": SIMULATED | changes, "gun": GUN, "split": split} | (data or {}))


def made(folder: Path) -> list[Path]:
    return sorted(folder.glob("events-*"))


def test_events_are_made_once(make_recipe: Make, tmp_path: Path) -> None:
    run = run_study(recipe_of(make_recipe), tmp_path / "run")
    assert Quick.n_made == 1500
    (folder,) = made(tmp_path / "run" / "simulated")
    provenance = run.info["provenance"]
    assert (provenance["file"], provenance["n_events"], provenance["backend"]) == (folder.name, 1500, "quick")
    assert provenance["gun"] == ParticleGun("e-", parse_spectrum("0.2:10"), 40.0, 30.0).to_dict()
    assert run.value("line", "bias")[0] == pytest.approx(0, abs=0.02)
    said: list[str] = []
    run_study(recipe_of(make_recipe), tmp_path / "run", say=said.append)
    assert said == [f"{tmp_path / 'run'} holds this run already: nothing to do"]
    assert Quick.n_made == 1500
    # other methods on the same events
    recipe = recipe_of(make_recipe).model_copy(update={"title": "Again"})
    run_study(recipe, tmp_path / "run")
    assert Quick.n_made == 1500
    run_study(recipe_of(make_recipe, seed=2), tmp_path / "run", say=said.append)
    assert Quick.n_made == 3000
    assert len(made(tmp_path / "run" / "simulated")) == 2
    assert f"which may be removed: {folder.name}" in said[1]
    run_study(recipe_of(make_recipe), tmp_path / "run")
    assert Quick.n_made == 3000, "a look at others cost nothing"


def test_what_was_interrupted_goes_on(make_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Quick.run

    def interrupted(self: Quick, task: Any, chunks: Any, **options: Any) -> Any:
        yield from run(self, task, chunks[:1], **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Quick, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_study(recipe_of(make_recipe), tmp_path)
    assert 0 < Quick.n_made < 1500
    run_study(recipe_of(make_recipe), tmp_path)
    assert Quick.n_made == 1500


def test_events_do_not_depend_on_the_machine(
    make_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for n_cores in (1, 64):
        monkeypatch.setattr("os.cpu_count", lambda n_cores=n_cores: n_cores)
        found.append(run_study(recipe_of(make_recipe, n_events=4000), tmp_path / str(n_cores)).info["events"])
    assert found[0] == found[1]


def test_a_folder_of_the_user_is_shared(make_recipe: Make, tmp_path: Path) -> None:
    shared = str(tmp_path / "shared")
    first = run_study(recipe_of(make_recipe, folder=shared), tmp_path / "first")
    second = run_study(recipe_of(make_recipe, folder=shared), tmp_path / "second")
    assert Quick.n_made == 1500
    assert first.info["events"] == second.info["events"]
    said: list[str] = []
    run_study(recipe_of(make_recipe, folder=shared, seed=2), tmp_path / "second", say=said.append)
    assert len(made(tmp_path / "shared")) == 2
    assert not any("may be removed" in text for text in said), "others may use them"
    assert not (tmp_path / "first" / "simulated").exists()


def test_given_events_come_first(make_recipe: Make, tmp_path: Path, events_folder: Path) -> None:
    run = run_study(recipe_of(make_recipe, data={"events": str(events_folder)}), tmp_path)
    assert Quick.n_made == 0
    assert run.info["provenance"]["file"] == events_folder.name
    assert len(parts_of(run).test) == 150


def test_what_comes_after_a_run(make_recipe: Make, tmp_path: Path) -> None:
    """Report, export and evaluation find the events, also where the version has changed; and miss them if gone."""
    run = run_study(recipe_of(make_recipe), tmp_path / "run")
    (folder,) = made(run.folder / "simulated")
    export_run(run, "line", tmp_path / "line.onnx")
    said: list[str] = []
    evaluate_run(run, DataConfig(events=str(folder)), say=said.append)
    assert any("flatters them" in text for text in said), "they are known as the run's own"
    Quick.versions = {"quick": "2"}
    try:
        render_report(open_run(run.folder))
    finally:
        Quick.versions = {"quick": "1"}
    assert Quick.n_made == 1500
    shutil.rmtree(folder)
    with pytest.raises(DataError, match=r"the events of .*run are gone from .*events-.*: run it again with the same"):
        parts_of(run)


def test_a_pretraining_beside_it(make_recipe: Make, tmp_path: Path) -> None:
    other = {"kind": "simulated", "backend": "quick", "n_events": 400, "seed": 7}
    recipe = recipe_of(make_recipe)

    def pretrained(**changes: Any) -> Recipe:
        pretrain = {"events": other | changes, "n_train": [0, "all"], "methods": ["line"]}
        return Recipe.model_validate(recipe.model_dump() | {"pretrain": pretrain})

    run = run_study(pretrained(), tmp_path / "run")
    assert {row.n_train for row in run.transfer} == {0, 600}
    assert Quick.n_made == 1900
    with pytest.raises(DataError, match=r"made by quick with seed 1, too, .* set another pretrain.events.seed"):
        run_study(pretrained(seed=1), tmp_path / "run")
    (own,) = made(tmp_path / "run" / "simulated")
    stored = Recipe.model_validate(
        recipe.model_dump() | {"pretrain": {"events": {"kind": "stored", "path": str(own)}, "n_train": ["all"]}}
    )
    with pytest.raises(DataError, match="holds events of the study itself, test events among them"):
        run_study(stored, tmp_path / "run")


def test_faults_are_found_at_once(make_recipe: Make, tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="pbwo4-block"):
        run_study(recipe_of(make_recipe, detector="pbwo-block"), tmp_path)
    with pytest.raises(RecipeError, match="unknown backend 'quik'; nearest known: 'quick'"):
        run_study(recipe_of(make_recipe, backend="quik"), tmp_path)
    with pytest.raises(RecipeError, match="unknown option 'showers' of backend quick"):
        run_study(recipe_of(make_recipe, showers="gflash"), tmp_path)
    with pytest.raises(RecipeError, match=r"simulated by the run of the study: run it, then name the folder of events"):
        read_events(recipe_of(make_recipe).data)
    assert Quick.n_made == 0
