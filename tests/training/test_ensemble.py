"""An ensemble: its folds, its weights, its members one by one or in processes, and what survives a kill."""

import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import psutil
import pytest
import torch
from pydantic import ValidationError

from samples import method_of, toy_showers
from showercal import Events
from showercal.errors import DataError, ExportError, RecipeError, TrainingError
from showercal.export import flat_fields
from showercal.prediction import PointPrediction
from showercal.training import Ensemble, EnsembleConfig, NetworkRegressor, build_method

HERE = Path(__file__).parents[1]
LINE = {"kind": "layer_line"}
NETWORK: dict[str, Any] = {
    "kind": "network",
    "network": {"name": "fcn", "widths": [8]},
    "features": {"sums": {"kind": "layer_sums", "values": ["cells.tracks"]}},
    "training": {"epochs": 3, "batch_size": 50},
}
NORMAL = {**NETWORK, "network": {**NETWORK["network"], "head": {"kind": "normal"}}, "loss": {"kind": "nll"}}


def ensemble(of: dict[str, Any] = NETWORK, **options: Any) -> Ensemble:
    method = method_of({"kind": "ensemble", "of": of, "n_models": 3, **options})
    assert isinstance(method, Ensemble)
    return method


@pytest.fixture(scope="module")
def events() -> Events:
    return toy_showers(300)


@pytest.fixture(scope="module")
def fitted(events: Events) -> Ensemble:
    return ensemble().fit(events[:200], events[200:])


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray[Any, Any]]:
    """The folds of the members that are fitted, in their order."""
    done: list[np.ndarray[Any, Any]] = []
    original: Callable[..., None] = sys.modules[Ensemble.__module__].fit_member

    def fit(member: Any, *arguments: Any, **options: Any) -> None:
        done.append(member.fold)
        original(member, *arguments, **options)

    monkeypatch.setattr(f"{Ensemble.__module__}.fit_member", fit)
    return done


def test_each_member_learns_from_all_but_its_fold(events: Events, fits: list[np.ndarray[Any, Any]]) -> None:
    train = events[:205]
    lines = ensemble(LINE, n_folds=4).fit(train, events[205:])
    assert [len(fold) for fold in fits] == [52, 51, 51]
    assert len(set(np.concatenate(fits))) == 154  # disjoint
    for fold, member in zip(fits, lines.members_, strict=True):
        alone = method_of(LINE).fit(train[np.setdiff1d(np.arange(205), fold)], train[fold])
        np.testing.assert_array_equal(member.predict(events).mean, alone.predict(events).mean)


def test_validation_events_are_seen_by_no_member(events: Events, fitted: Ensemble) -> None:
    other = ensemble().fit(events[:200], toy_showers(50, seed=9))
    np.testing.assert_array_equal(other.predict(events).mean, fitted.predict(events).mean)


def test_members_differ_and_seeds_decide(events: Events, fitted: Ensemble) -> None:
    seeds = {member.config.training.seed for member in fitted.members_ if isinstance(member, NetworkRegressor)}
    assert len(seeds) == 3
    spread = fitted.predict(events).std_model
    assert (spread > 0).all()
    for options in ({"seed": 2}, {"of": {**NETWORK, "training": {**NETWORK["training"], "seed": 2}}}):
        other = ensemble(**options).fit(events[:200], events[200:])
        assert not np.array_equal(other.predict(events).mean, fitted.predict(events).mean)


def test_squared_error_falls_by_the_spread(events: Events, fitted: Ensemble) -> None:
    """The mean squared error of the members is that of their mean and the square of their spread, event by event.

    A. Krogh and J. Vedelsby, NIPS 7 (1995) 231, equation 8.
    """
    prediction, truth = fitted.predict(events), events.energy_true
    assert isinstance(prediction, PointPrediction)
    of_members = np.mean([(member.predict(events).mean - truth) ** 2 for member in fitted.members_], axis=0)
    np.testing.assert_allclose(of_members, (prediction.mean - truth) ** 2 + prediction.std_model**2, rtol=1e-9)


def test_members_with_a_width_give_their_mixture(events: Events) -> None:
    normals = ensemble(NORMAL).fit(events[:200], events[200:])
    prediction = normals.predict(events)
    members = [member.predict(events) for member in normals.members_]
    np.testing.assert_allclose(prediction.std_stochastic**2, np.mean([m.std**2 for m in members], axis=0), rtol=1e-12)
    np.testing.assert_allclose(prediction.std_model, np.std([m.mean for m in members], axis=0), rtol=1e-9)


def test_weights_are_inverse_losses_of_the_kept_epochs(events: Events) -> None:
    weighted = ensemble(weights="loss").fit(events[:200], events[200:])
    losses = np.array([min(row["validation_loss"] for row in m.history_) for m in weighted.members_])  # type: ignore[attr-defined]
    assert np.ptp(losses) > 0
    np.testing.assert_allclose(weighted.weights_, (1 / losses) / (1 / losses).sum(), rtol=1e-12)
    mean = np.average([m.predict(events).mean for m in weighted.members_], axis=0, weights=1 / losses)
    np.testing.assert_allclose(weighted.predict(events).mean, mean, rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": NORMAL, "weights": "loss"}, "loss nll can be below 0: set weights: plain"),
        ({"of": LINE, "weights": "loss"}, "layer_line has no loss: set weights: plain"),
        ({"of": LINE, "n_folds": 2}, "n_folds must be at least n_models = 3; got 2"),
        ({"of": {"kind": "ensemble", "of": LINE}}, "does not match any of the expected tags"),
    ],
)
def test_impossible_ensembles_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EnsembleConfig.model_validate({"n_models": 3, **options})


def test_more_folds_than_events_are_refused(events: Events) -> None:
    with pytest.raises(DataError, match="9 training events cannot be cut into 10 folds"):
        ensemble().fit(events[:9], events[200:])


def test_mixtures_that_a_graph_cannot_hold_are_refused(events: Events) -> None:
    log_normal = {**NORMAL, "network": {**NORMAL["network"], "head": {"kind": "log_normal"}}}
    graph = ensemble(log_normal).fit(events[:200], events[200:]).graph()
    with pytest.raises(ExportError, match=r"ensemble of LogNormalEnergy cannot be exported.*head.kind point"):
        graph({name: torch.from_numpy(values) for name, values in flat_fields(events, graph.fields).items()})  # type: ignore[attr-defined]


def test_finished_members_are_not_fitted_again(
    events: Events, fitted: Ensemble, tmp_path: Path, fits: list[np.ndarray[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = sys.modules[Ensemble.__module__].fit_member  # type: ignore[attr-defined]

    def interrupted(member: Any, *arguments: Any, **options: Any) -> None:
        if len(fits) == 2:
            raise KeyboardInterrupt
        fit(member, *arguments, **options)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(f"{Ensemble.__module__}.fit_member", interrupted)
        ensemble().fit(events[:200], events[200:], tmp_path)
    assert len(fits) == 2
    resumed = ensemble().fit(events[:200], events[200:], tmp_path)
    assert len(fits) == 3
    np.testing.assert_array_equal(resumed.predict(events).mean, fitted.predict(events).mean)
    ensemble(workers=2).fit(events[:200], events[200:], tmp_path)
    assert len(fits) == 3, "how many workers there are decides nothing"


@pytest.mark.parametrize("change", ["options", "events"])
def test_members_of_something_else_are_not_taken(
    events: Events, tmp_path: Path, fits: list[np.ndarray[Any, Any]], change: str
) -> None:
    ensemble(LINE).fit(events[:200], events[200:], tmp_path)
    other = {"seed": 5} if change == "options" else {}
    train = events[:200] if change == "options" else events[1:201]
    ensemble(LINE, **other).fit(train, events[200:], tmp_path)
    assert len(fits) == 6
    assert len(list(tmp_path.iterdir())) == 1, "what is no longer wanted is removed"


def test_what_events_hold_is_told_apart_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are hashed at once, no more than these are copied; the last block counts like the first."""
    events, lines = toy_showers(5000), ensemble(LINE)
    tracemalloc.start()
    try:
        whole = lines._identity(events)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.8 * ak.to_packed(events.field("cells.tracks")).nbytes
    monkeypatch.setattr(f"{Ensemble.__module__}._HASHED_AT_A_TIME", 700)
    assert lines._identity(events[np.arange(5000)]) == lines._identity(events) != whole
    energy = events.energy_true
    energy[-1] += 1
    other = replace(events, array=ak.with_field(events.array, energy.astype(np.float32), "energy_true"))
    assert lines._identity(other) != lines._identity(events)


def test_members_that_are_trained_at_once_take_the_time_of_one(fitted: Ensemble) -> None:
    one_by_one = fitted.train_seconds
    assert one_by_one > 0
    for workers, at_once in ((2, 2), (3, 3), (8, 3)):
        several = ensemble(workers=workers)
        several.members_ = fitted.members_
        assert several.train_seconds == pytest.approx(one_by_one / at_once)


def second_stage(**options: Any) -> EnsembleConfig:
    """An ensemble whose members start from others and stay there: a step that small counts for nothing."""
    still = {"epochs": 1, "batch_size": 50, "learning_rate": 1e-12}
    of = {**NETWORK, "start_from": "first", "training": still}
    return EnsembleConfig.model_validate({"kind": "ensemble", "of": of, "n_models": 3, **options})


def test_members_start_from_members(events: Events, fitted: Ensemble) -> None:
    config = second_stage()
    assert config.start_from == "first"
    method = Ensemble(config, start=fitted, progress=False).fit(events[:200], events[200:])
    for member, first in zip(method.members_, fitted.members_, strict=True):
        np.testing.assert_allclose(member.predict(events).mean, first.predict(events).mean, atol=1e-4)


def test_only_an_ensemble_with_the_same_folds_is_a_start(events: Events, fitted: Ensemble) -> None:
    with pytest.raises(RecipeError, match=r"needs the same n_models, n_folds and seed.*got \(3, 10, 4\) and"):
        Ensemble(second_stage(seed=4), start=fitted).fit(events[:200], events[200:])
    with pytest.raises(RecipeError, match="only an ensemble can start an ensemble, member by member; got Layer"):
        build_method(second_stage(), method_of(LINE))
    with pytest.raises(RecipeError, match="only a network can start from a network; got network from Ensemble"):
        build_method(second_stage().of, fitted)


def test_processes_give_what_one_after_the_other_gives(
    events: Events, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("showercal.training._members._WRITTEN_AT_A_TIME", 70)
    first = ensemble(n_models=2).fit(events[:200], events[200:])
    one_by_one, parallel = (
        Ensemble(second_stage(n_models=2, workers=workers), start=first, progress=False).fit(
            events[:200], events[200:], tmp_path / str(workers)
        )
        for workers in (1, 2)
    )
    # sums come in another order when there are fewer threads
    np.testing.assert_allclose(parallel.predict(events).mean, one_by_one.predict(events).mean, rtol=1e-4)
    kept = {path.name for path in tmp_path.glob("2/members-*/*")}
    assert kept == {"0", "1"}, "what the processes shared is removed"


def test_the_fault_of_a_process_is_told_as_it_is(events: Events) -> None:
    wild = {**NETWORK, "training": {**NETWORK["training"], "learning_rate": 1e30}}
    with pytest.raises(TrainingError, match=r"the loss became .*: lower the learning rate"):
        ensemble(wild, n_models=2, workers=2).fit(events[:200], events[200:])


def fit_for_long(workspace: str) -> None:
    """Runs in another process."""
    events = toy_showers(300)
    long = {**NETWORK, "training": {**NETWORK["training"], "epochs": 100_000}}
    ensemble(long, n_models=2, workers=2).fit(events[:200], events[200:], Path(workspace))


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_processes_end_with_the_one_that_waits(tmp_path: Path, ending: signal.Signals) -> None:
    code = "from test_ensemble import fit_for_long; import sys; fit_for_long(sys.argv[1])"
    paths = [str(HERE), str(HERE / "training"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 120
        while len(list(tmp_path.rglob("training-*.ckpt"))) < 2 and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        children = [child for child in psutil.Process(process.pid).children() if is_member(child)]
        assert len(children) == 2
        process.send_signal(ending)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert ("KeyboardInterrupt" in said) == (ending == signal.SIGINT), said
    assert not psutil.wait_procs(children, timeout=10)[1]
    assert len(list(tmp_path.rglob("training-*.ckpt"))) == 2, "finished epochs are kept"


def is_member(process: psutil.Process) -> bool:
    """Whether it is a process of a member, not one that Python starts beside them."""
    return "spawn_main" in " ".join(process.cmdline())
