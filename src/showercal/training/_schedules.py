"""Schedules of the learning rate that are functions of the step."""

from __future__ import annotations

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from showercal.training._config import CosineSchedule, OneCycleSchedule, TrainingConfig


def step_scheduler(config: TrainingConfig, optimizer: Optimizer, n_steps: int) -> LRScheduler | None:
    """The scheduler that is stepped with the optimiser; None for a learning rate that no step moves.

    Args:
        config: Options.
        optimizer: At the highest learning rate.
        n_steps: Of the whole training.
    """
    schedule = config.schedule
    if isinstance(schedule, OneCycleSchedule):
        return OneCycleLR(
            optimizer,
            config.learning_rate,
            total_steps=n_steps + 1,
            pct_start=schedule.warm_up,
            cycle_momentum=False,
        )
    if isinstance(schedule, CosineSchedule):
        return CosineAnnealingLR(optimizer, n_steps, eta_min=schedule.final * config.learning_rate)
    return None
