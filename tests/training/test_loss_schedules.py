"""The published cycle with steps after it: values, the way back to the best epoch, and when it stops."""

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from samples import method_of, toy_showers
from showercal.training import NetworkMethodConfig, NetworkRegressor, TrainingConfig
from showercal.training._config import OneCycleStepSchedule
from showercal.training._loss_schedules import OneCycleStep
from showercal.training._module import EnergyRegression

CYCLE = {"kind": "one_cycle_step", "warm_up_epochs": 1, "fall_epochs": 3}
N_CYCLE = 4
STEPS = 4  # of an epoch


class Watch:
    """What every step was done with: epoch, learning rate, beta1, and the weights before it.

    The validation losses of the epochs are pretended.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, losses: list[float]) -> None:
        self.rows: list[tuple[int, float, float]] = []
        self.weights: list[torch.Tensor] = []
        step, loss = EnergyRegression.training_step, EnergyRegression._mean_loss

        def watched(module: EnergyRegression, batch: Any, batch_idx: int) -> torch.Tensor:
            group = module.trainer.optimizers[0].param_groups[0]
            self.rows.append((module.current_epoch, group["lr"], group["betas"][0]))
            self.weights.append(torch.cat([p.detach().flatten().clone() for p in module.network.parameters()]))
            return step(module, batch, batch_idx)

        def pretended(module: EnergyRegression, *batch: Any) -> torch.Tensor:
            return loss(module, *batch) if module.training else torch.tensor(losses[module.current_epoch])

        monkeypatch.setattr(EnergyRegression, "training_step", watched)
        monkeypatch.setattr(EnergyRegression, "_mean_loss", pretended)

    def of_epoch(self, epoch: int) -> np.ndarray[Any, Any]:
        """Learning rate and beta1 of each step."""
        return np.array([row[1:] for row in self.rows if row[0] == epoch])


def fit(schedule: dict[str, Any], **training: Any) -> NetworkRegressor:
    method = method_of(
        {
            "kind": "network",
            "network": {"name": "fcn", "widths": [8]},
            "features": {"grid": {"kind": "voxels", "values": ["cells.tracks"]}},
            "training": {"batch_size": 25, "learning_rate": 0.01, "schedule": schedule, **training},
        }
    )
    assert isinstance(method, NetworkRegressor)
    events = toy_showers(100)
    return method.fit(events, events)


def test_the_published_cycle() -> None:
    cycle = OneCycleStep(OneCycleStepSchedule(), 5e-3)
    known = {0: (5e-5, 0.95), 1: (2.525e-3, 0.9), 2: (5e-3, 0.85), 11: (2.75e-3, 0.9), 20: (5e-4, 0.95)}
    for epoch, expected in known.items():
        assert cycle.at(epoch) == pytest.approx(expected)
    rates = [cycle.at(epoch)[0] for epoch in np.linspace(2, 20, 100)]
    assert (np.diff(rates) < 0).all()


def test_goes_back_to_the_best_epoch_with_its_optimiser(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = [3.0, 1.0, 2.0, 2.5, 2.0, 0.5, 0.6]
    watch = Watch(monkeypatch, losses)
    fit(CYCLE, epochs=7)
    first = OneCycleStep(OneCycleStepSchedule(**CYCLE), 0.01)  # type: ignore[arg-type]
    for epoch in range(N_CYCLE):
        expected = [first.at(epoch + step / STEPS) for step in range(STEPS)]
        np.testing.assert_allclose(watch.of_epoch(epoch), expected, rtol=1e-12)
    # epoch 1 was the best: weights as they were before the first step of epoch 2
    torch.testing.assert_close(watch.weights[N_CYCLE * STEPS], watch.weights[2 * STEPS], rtol=0, atol=0)
    # and learning rate and beta1 of its last step, until something else happens
    for epoch in (4, 5, 6):
        np.testing.assert_allclose(watch.of_epoch(epoch), [watch.of_epoch(1)[-1]] * STEPS, rtol=1e-12)
    # the optimiser, too: after its moments of that epoch, the step differs from that of a fresh one
    moved = watch.weights[N_CYCLE * STEPS + 1] - watch.weights[N_CYCLE * STEPS]
    assert float(moved.abs().max()) < 0.9 * watch.of_epoch(4)[0, 0]


def test_steps_after_epochs_without_a_better_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = [3.0, 2.0, 1.0, 0.9, 1.0, 1.0, 1.0, 0.8, 0.9, 0.9, 0.9]
    watch = Watch(monkeypatch, losses)
    fit({**CYCLE, "patience": 2, "factor": 0.5}, epochs=11)
    start = watch.of_epoch(3)[-1, 0]
    shares = [watch.of_epoch(epoch)[0, 0] / start for epoch in range(N_CYCLE, 11)]
    np.testing.assert_allclose(shares, [1, 1, 0.5, 0.25, 0.25, 0.25, 0.125], rtol=1e-12)
    assert watch.of_epoch(6)[0, 1] == 0.95


@pytest.mark.parametrize(
    ("losses", "n_epochs"), [([1.0] * 12, 6), ([5.0, 1.0, *[2.0] * 10], 6), ([*range(12, 0, -1)], 12)]
)
def test_early_stopping_counts_after_the_cycle(
    monkeypatch: pytest.MonkeyPatch, losses: list[float], n_epochs: int
) -> None:
    Watch(monkeypatch, losses)
    assert len(fit(CYCLE, epochs=12, patience=2).history_) == n_epochs


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"optimizer": "sgd"}, "which sgd has not: set optimizer to adam"),
        ({"epochs": 3}, "a cycle of 4 epochs; got epochs 3"),
        ({"schedule": {**CYCLE, "momentum": [0.9, 0.8]}}, r"lowest and the highest beta1.*got \(0.9, 0.8\)"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        TrainingConfig(**{"schedule": CYCLE, **options})


def test_a_decorrelation_takes_no_schedule_that_goes_back() -> None:
    with pytest.raises(ValidationError, match="goes back to the best one: choose another"):
        NetworkMethodConfig(
            features={"grid": {"kind": "voxels", "values": ["cells.tracks"]}},  # type: ignore[dict-item]
            network={"name": "fcn"},  # type: ignore[arg-type]
            decorrelation={"kind": "adversary"},  # type: ignore[arg-type]
            training={"schedule": CYCLE},  # type: ignore[arg-type]
        )
