"""Schedules that follow the validation loss; each is a callback whose state the checkpoints of a training hold."""

from __future__ import annotations

import copy
import math
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from showercal.training._config import OneCycleStepSchedule, PlateauSchedule, TrainingConfig
from showercal.training._module import EnergyRegression


class Plateau(Callback):
    """See `PlateauSchedule`.

    Stepped here and not by Lightning, which would skip the step of the epoch after which a run was killed.
    """

    def __init__(self, schedule: PlateauSchedule) -> None:
        self.schedule = schedule
        self._state: dict[str, Any] | None = None

    def on_fit_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self.scheduler = ReduceLROnPlateau(
            trainer.optimizers[0], factor=self.schedule.factor, patience=self.schedule.patience
        )
        if self._state is not None:
            self.scheduler.load_state_dict(self._state)

    def on_validation_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        assert isinstance(module, EnergyRegression)
        self.scheduler.step(module.validation_loss)

    def state_dict(self) -> dict[str, Any]:
        return self.scheduler.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._state = state_dict


class OneCycleStep(Callback):
    """See `OneCycleStepSchedule`.

    Args:
        schedule: Options.
        learning_rate: The highest.

    Attributes:
        best_loss: Lowest validation loss so far.
        n_stale: Epochs since, counted after the cycle.
        best: The training after its best epoch (weights and buffers of the module, state of the optimiser), while the
            cycle runs.
    """

    def __init__(self, schedule: OneCycleStepSchedule, learning_rate: float) -> None:
        self.schedule, self.learning_rate = schedule, learning_rate
        self.best_loss, self.n_stale = math.inf, 0
        self.best: dict[str, Any] = {}

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        optimizer, epoch = trainer.optimizers[0], trainer.current_epoch
        if epoch == self.schedule.n_cycle:
            module.load_state_dict(self.best["module"])
            # with its learning rate and beta1
            optimizer.load_state_dict(self.best["optimizer"])
            self.best = {}
        elif epoch > self.schedule.n_cycle and self.n_stale >= self.schedule.patience:
            rate = optimizer.param_groups[0]["lr"] * self.schedule.factor
            _move(optimizer, rate, self.schedule.momentum[1])

    def on_train_batch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.current_epoch < self.schedule.n_cycle:
            rate, beta1 = self.at(trainer.current_epoch + batch_idx / trainer.num_training_batches)
            _move(trainer.optimizers[0], rate, beta1)

    def on_validation_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        assert isinstance(module, EnergyRegression)
        in_cycle = trainer.current_epoch < self.schedule.n_cycle
        if module.validation_loss < self.best_loss:
            self.best_loss, self.n_stale = module.validation_loss, 0
            if in_cycle:
                now = {"module": module.state_dict(), "optimizer": trainer.optimizers[0].state_dict()}
                self.best = copy.deepcopy(now)
        elif not in_cycle:
            self.n_stale += 1

    def at(self, epoch: float) -> tuple[float, float]:
        """Learning rate and beta1 some epochs, and parts of one, into the cycle."""
        schedule, top = self.schedule, self.learning_rate
        lowest, highest = schedule.momentum
        if epoch < schedule.warm_up_epochs:
            share = epoch / schedule.warm_up_epochs
            return _cosine(schedule.start * top, top, share), _cosine(highest, lowest, share)
        share = (epoch - schedule.warm_up_epochs) / schedule.fall_epochs
        return _cosine(top, schedule.final * top, share), _cosine(lowest, highest, share)

    def state_dict(self) -> dict[str, Any]:
        return {"best_loss": self.best_loss, "n_stale": self.n_stale, "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_loss, self.n_stale, self.best = (state_dict[key] for key in ("best_loss", "n_stale", "best"))


def loss_schedule(config: TrainingConfig) -> list[Callback]:
    """The callback of a schedule that follows the validation loss; empty for the others."""
    if isinstance(config.schedule, PlateauSchedule):
        return [Plateau(config.schedule)]
    if isinstance(config.schedule, OneCycleStepSchedule):
        return [OneCycleStep(config.schedule, config.learning_rate)]
    return []


def _cosine(first: float, last: float, share: float) -> float:
    """Half a cosine from the first to the last value."""
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


def _move(optimizer: Optimizer, learning_rate: float, beta1: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
        group["betas"] = (beta1, group["betas"][1])
