"""Faults of a network method are found before the training, and Ctrl-C is Ctrl-C."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import torch
from pydantic import ValidationError

from samples import method_of, toy_showers
from showercal import detector
from showercal.errors import DataError, RecipeError, TrainingError
from showercal.events import CELL
from showercal.features import Fields, neighbourhoods
from showercal.models import StraightLine, StraightLineConfig
from showercal.training import NetworkRegressor, build_method
from showercal.training._module import EnergyRegression

GRID = {"grid": {"kind": "voxels", "values": ["cells.tracks"]}}
DEEP_SETS = {
    "network": {"name": "deep_sets", "hits": "hits"},
    "features": {"hits": {"kind": "neighbourhoods", "values": ["cells.tracks"]}},
}


def regressor(**changes: Any) -> NetworkRegressor:
    config = {
        "kind": "network",
        "network": {"name": "fcn", "widths": [16]},
        "features": GRID,
        "training": {"epochs": 2, "batch_size": 50},
    }
    method = method_of({**config, **changes})
    assert isinstance(method, NetworkRegressor)
    return method


def boundary(sigma: str) -> dict[str, Any]:
    return {"loss": {"kind": "boundary", "low": 0, "high": 10, "sigma": {"kind": sigma}}}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"training": {"augmentation": {"input": "gird"}}}, "'gird' is not a voxels input; nearest known: 'grid'"),
        ({"loss": {"kind": "nll"}}, "needs a head with a density"),
        ({"loss": {"kind": "quantile"}}, "needs network.head.kind quantiles; got point"),
        ({"loss": {"kind": "boundary", "low": 3, "high": 1}}, "needs low < high; got 3 and 1 GeV"),
        (boundary("predicted"), "needs a head with a width"),
        (boundary("fitted"), "name it in start_from"),
        ({"network": {"name": "fcn", "head": {"kind": "gaussian_ansatz"}}}, "is trained by loss mutual_information"),
        ({"network": {"name": "fcn", "head": {"kind": "quantiles", "levels": [0.1, 0.9, 0.5]}}}, "rising levels"),
        ({"decorrelation": {"kind": "adversary"}, "training": {"patience": 3}}, "keeps the last epoch"),
        ({"features": {}}, "at least 1 item"),
        ({"features": {**GRID, "set": {"kind": "points", "values": ["cells.energy"]}}}, r"does not take.*'set'"),
        ({"network": {"name": "deep_sets", "hits": "gird"}}, "'gird' is not an input of kind points or neighbourhoods"),
        ({**DEEP_SETS, "network": {"name": "deep_sets", "hits": "hits", "start": "hits"}}, "not .* kind linear_energy"),
        (
            {"loss": {"kind": "boundary", "low": 0, "high": 10, "train_width": True}},
            "got head point and .* root_energy",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        regressor(**changes)


def test_neighbourhoods_of_each_event_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for the scales and for the batches of the training events, once for the validation events."""
    made: list[int] = []

    def counted(fields: Fields, *others: Any) -> torch.Tensor:
        made.append(len(fields[CELL]))
        return neighbourhoods(fields, *others)

    monkeypatch.setattr("showercal.features._extractor.neighbourhoods", counted)
    events = toy_showers(120)
    regressor(**DEEP_SETS).fit(events[:100], events[100:])
    assert sum(made) == len(ak.flatten(events.field(CELL)))


def test_augmentation_needs_square_cells() -> None:
    oblong = replace(detector("toy-sandwich"), cell_x=50.0).to_dict()
    events = replace(toy_showers(60), geometry=oblong)
    with pytest.raises(RecipeError, match=r"8 cells of 50.0 mm in x and 8 of 75.0 mm in y"):
        regressor(training={"augmentation": {"input": "grid"}}).fit(events, events)


def test_ctrl_c_is_passed_on_and_keeps_finished_epochs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    events = toy_showers(100)
    step = EnergyRegression.training_step

    def interrupted(self: EnergyRegression, batch: Any, batch_idx: int) -> torch.Tensor:
        if self.current_epoch == 1:
            raise KeyboardInterrupt
        return step(self, batch, batch_idx)

    monkeypatch.setattr(EnergyRegression, "training_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        regressor().fit(events, events, tmp_path)
    assert len(list(tmp_path.glob("training-*.ckpt"))) == 1
    monkeypatch.setattr(EnergyRegression, "training_step", step)
    resumed, whole = regressor().fit(events, events, tmp_path), regressor().fit(events, events)
    np.testing.assert_array_equal(resumed.predict(events).median, whole.predict(events).median)


@pytest.mark.parametrize("loss", [{"kind": "fractional_mse"}, {"kind": "fractional_huber", "low": 0, "high": 10}])
def test_a_loss_that_divides_by_energies_refuses_zero(loss: dict[str, Any]) -> None:
    events = toy_showers(60)
    energy = np.where(np.arange(60) == 41, 0.0, events.energy_true)
    dark = replace(events, array=ak.with_field(events.array, energy, "energy_true"))
    with pytest.raises(DataError, match=r"must be > 0 GeV; got 0 at event 41 of the validation events \(1 of 60\)"):
        regressor(loss=loss).fit(events, dark)


def test_a_diverging_training_says_what_to_do() -> None:
    events = toy_showers(100)
    with pytest.raises(TrainingError, match=r"loss became (nan|inf).*lower the learning rate"):
        regressor(training={"epochs": 20, "batch_size": 10, "learning_rate": 1e20, "optimizer": "sgd"}).fit(
            events, events
        )


def test_fit_leaves_no_global_state_behind() -> None:
    events = toy_showers(60)
    before = torch.are_deterministic_algorithms_enabled(), torch.random.get_rng_state()
    regressor().fit(events, events)
    assert torch.are_deterministic_algorithms_enabled() == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])


@pytest.mark.parametrize("kind", ["constant", "one_cycle", "cosine", "plateau"])
def test_schedules_move_the_learning_rate_as_they_say(kind: str) -> None:
    events = toy_showers(100)
    schedule: dict[str, Any] = {"kind": kind, **({"patience": 0} if kind == "plateau" else {})}
    training = {
        "epochs": 8,
        "batch_size": 50,
        "learning_rate": 0.3 if kind == "plateau" else 1e-3,
        "schedule": schedule,
    }
    rates = [row["learning_rate"] for row in regressor(training=training).fit(events, events).history_]
    if kind == "constant":
        assert rates == [1e-3] * 8
    elif kind == "plateau":
        steps = np.array(rates[1:]) / np.array(rates[:-1])
        assert np.isclose(steps, 1).sum() + np.isclose(steps, 0.3).sum() == 7
        assert np.isclose(steps, 0.3).any()
    else:
        # measured after the epoch: the last is nearly 0, the highest is the option
        assert rates[-1] < 1e-5
        assert max(rates) <= 1e-3
        rises = rates[1] > rates[0]
        assert rises == (kind == "one_cycle")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_learns_like_the_cpu() -> None:
    events = toy_showers(600)
    options = {"epochs": 15, "batch_size": 50}
    widths = []
    for device in ("cpu", "cuda"):
        method = regressor(training={**options, "device": device}).fit(events[:500], events[500:])
        widths.append(np.std(method.predict(events).median - events.energy_true))
    assert widths[1] == pytest.approx(widths[0], rel=0.2)


def test_starts_from_another_method() -> None:
    """With no step worth the name, the answers are those of the start, also under a head with more outputs."""
    events = toy_showers(300)
    first = regressor(training={"epochs": 10, "batch_size": 50}).fit(events, events)
    barely = {"epochs": 1, "batch_size": 300, "learning_rate": 1e-9}
    config = regressor(
        network={"name": "fcn", "widths": [16], "head": {"kind": "normal"}},
        loss=boundary("fitted")["loss"],
        start_from="first",
        training=barely,
    ).config
    second = NetworkRegressor(config, start=first, progress=False).fit(events, events)
    np.testing.assert_allclose(second.predict(events).mean, first.predict(events).mean, rtol=1e-4)
    assert second.predict(events).has_width


def test_start_is_refused_when_it_does_not_fit() -> None:
    events = toy_showers(100)
    first = regressor().fit(events, events)
    wider = regressor(network={"name": "fcn", "widths": [8]}, start_from="first").config
    with pytest.raises(RecipeError, match="'first', which was not given"):
        NetworkRegressor(wider, progress=False).fit(events, events)
    with pytest.raises(RecipeError, match="'first' sees other features or has other layers"):
        NetworkRegressor(wider, start=first, progress=False).fit(events, events)
    with pytest.raises(RecipeError, match="only a network can start from a network"):
        build_method(wider, StraightLine(StraightLineConfig()))


def test_fine_tuning_begins_as_the_method_that_is_trained_on() -> None:
    """With no step worth the name the answers are the same, although the new events have other scales."""
    first = regressor(training={"epochs": 5, "batch_size": 50}).fit(toy_showers(300), toy_showers(50, seed=2))
    few = toy_showers(300, seed=3)
    few = few[few.energy_true < 3]
    barely = regressor(training={"epochs": 1, "batch_size": 300, "learning_rate": 1e-9}).config
    tuned = NetworkRegressor(barely, start=first, fine_tune=True, progress=False).fit(few, few)
    events = toy_showers(50, seed=4)
    np.testing.assert_allclose(tuned.predict(events).mean, first.predict(events).mean, rtol=1e-4)
    assert tuned.extractor_.state() == first.extractor_.state()
    # trained on in earnest it learns the spectrum of the new events, and the first method stays as it was
    before = first.predict(events).mean
    longer = regressor(training={"epochs": 40, "batch_size": 20, "learning_rate": 0.01}).config
    tuned = NetworkRegressor(longer, start=first, fine_tune=True, progress=False).fit(few, few)
    wrong, right = ((m.predict(few).mean - few.energy_true).std() for m in (first, tuned))
    assert right < 0.9 * wrong
    np.testing.assert_array_equal(first.predict(events).mean, before)


def test_fine_tuning_of_something_else_is_refused() -> None:
    events = toy_showers(100)
    first = regressor().fit(events, events)
    wider = regressor(network={"name": "fcn", "widths": [8]}).config
    with pytest.raises(RecipeError, match="a fine-tuning needs the method to train on"):
        NetworkRegressor(wider, fine_tune=True, progress=False).fit(events, events)
    with pytest.raises(RecipeError, match="keeps features and network of the method that is trained on"):
        NetworkRegressor(wider, start=first, fine_tune=True, progress=False).fit(events, events)


def test_a_decorrelated_method_keeps_its_last_epoch() -> None:
    """Its loss on validation is that of the last row, although an earlier one was lower."""
    events = toy_showers(300)
    # in bf16, which some CPUs compute in, the loss of the training is that of coarser numbers
    options = {"epochs": 8, "batch_size": 50, "learning_rate": 0.1, "precision": "float32"}
    method = regressor(decorrelation={"kind": "distance_correlation"}, training=options)
    method.fit(events[:200], events[200:])
    losses = [row["validation_loss"] for row in method.history_]
    assert all(-1 <= row["dependence"] <= 1 for row in method.history_)
    error = method.predict(events[200:]).median - events[200:].energy_true
    assert np.mean(error**2) == pytest.approx(losses[-1], rel=1e-4)
    assert min(losses) < 0.99 * losses[-1]


def test_averaged_weights_are_the_mean_of_all_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a memory longer than the training, every step counts alike."""
    seen: list[torch.Tensor] = []
    end = EnergyRegression.on_train_batch_end

    def remember(self: EnergyRegression, outputs: Any, batch: Any, batch_idx: int) -> None:
        end(self, outputs, batch, batch_idx)
        seen.append(torch.cat([p.detach().flatten() for p in self.network.parameters()]).clone())

    monkeypatch.setattr(EnergyRegression, "on_train_batch_end", remember)
    events = toy_showers(200)
    method = regressor(training={"epochs": 1, "batch_size": 25, "averaging": 0.99}).fit(events, events)
    kept = torch.cat([p.detach().flatten() for p in method.network_.parameters()])
    assert len(seen) == 8
    torch.testing.assert_close(kept, torch.stack(seen).mean(0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("head", "loss"), [("point", "mae"), ("normal", "nll")])
def test_weights_multiply_what_each_event_adds(head: str, loss: str) -> None:
    """To the loss of training and of validation; the mean is over the events."""
    events = toy_showers(300)
    network = {"name": "fcn", "widths": [16], "head": {"kind": head}}
    weighting = {"centre": 6.0, "width": 0.5}
    options = {"epochs": 1, "batch_size": 200, "learning_rate": 1e-9, "precision": "float32"}
    method = regressor(network=network, loss={"kind": loss}, weighting=weighting, training=options)
    method.fit(events[:200], events[200:])
    prediction, truth = method.predict(events), events.energy_true
    each = abs(prediction.mean - truth) if loss == "mae" else -prediction.log_prob(truth)
    added = each / (1 + np.exp((truth - 6.0) / 0.5))
    assert method.history_[0]["train_loss"] == pytest.approx(added[:200].mean(), rel=1e-5)
    assert method.history_[0]["validation_loss"] == pytest.approx(added[200:].mean(), rel=1e-5)


def test_events_without_weight_teach_nothing() -> None:
    """Above the centre the truth is wrong, and the answers below are as good as without those events."""
    events = toy_showers(600)
    wrong = replace(
        events,
        array=ak.with_field(events.array, np.where(events.energy_true > 5, 50.0, events.energy_true), "energy_true"),
    )
    options = {"epochs": 30, "batch_size": 50, "learning_rate": 3e-3}
    low = events[events.energy_true < 4]
    errors = {}
    for name, changes in {"weighted": {"weighting": {"centre": 7.0, "width": 0.1}}, "plain": {}}.items():
        pred = regressor(training=options, **changes).fit(wrong, wrong).predict(low).mean
        errors[name] = np.mean(abs(pred - low.energy_true))
    assert errors["weighted"] < 0.6
    assert errors["plain"] > 2 * errors["weighted"]


@pytest.mark.parametrize("kind", ["truncated_normal", "truncated_log_normal"])
def test_energies_that_the_head_excludes_are_refused(kind: str) -> None:
    """Their likelihood is 0, which no training can change; energies at the ends are inside in single precision, too."""
    events = toy_showers(60)
    energy = events.energy_true.copy()
    head = {"kind": kind, "low": 0.1, "high": 10.0}
    method = regressor(network={"name": "fcn", "widths": [4], "head": head}, loss={"kind": "nll"})
    energy[:2] = np.float32(0.1), 10.0
    inside = replace(events, array=ak.with_field(events.array, energy, "energy_true"))
    method.fit(inside[:40], inside[40:])
    energy[[43, 50]] = 0.05, 11.0
    outside = replace(events, array=ak.with_field(events.array, energy, "energy_true"))
    message = (
        rf"loss nll of head {kind} needs energy_true from 0.1 to 10 GeV; got 0.05 at event 3 of the validation events "
        r"\(2 of 20\): set network.head.low and high"
    )
    with pytest.raises(DataError, match=message):
        method.fit(outside[:40], outside[40:])
