"""Options of the training loop."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ConstantSchedule(_Options):
    """The learning rate stays."""

    kind: Literal["constant"] = "constant"


class OneCycleSchedule(_Options):
    """Rises from lr/25 to lr over the first part of the training, then falls to almost nothing (cosine).

    Args:
        warm_up: Fraction of all steps that rise.

    References:
        L. Smith and N. Topin, arXiv:1708.07120.
    """

    kind: Literal["one_cycle"] = "one_cycle"
    warm_up: float = Field(default=0.3, gt=0, lt=1)


class CosineSchedule(_Options):
    """Falls from lr to ``final`` times lr along half a cosine over all steps."""

    kind: Literal["cosine"] = "cosine"
    final: float = Field(default=0.0, ge=0, lt=1)


class PlateauSchedule(_Options):
    """Multiplied by ``factor`` when the validation loss has not improved for ``patience`` epochs."""

    kind: Literal["plateau"] = "plateau"
    factor: float = Field(default=0.3, gt=0, lt=1)
    patience: int = Field(default=4, ge=0)


class OneCycleStepSchedule(_Options):
    """A cycle as published for the muon network; then back to the best epoch, and smaller steps from there.

    Over the first epochs the learning rate rises along half a cosine, then it falls along another, while beta1 of the
    optimiser goes down and up again. After this cycle the training goes back to its best epoch so far, with the weights
    and the optimiser of that epoch. From then on the learning rate is multiplied by ``factor`` at the beginning of
    every epoch before which the validation loss has not improved for ``patience`` epochs. ``training.patience`` counts
    only after the cycle.

    Args:
        warm_up_epochs: Of the rise.
        fall_epochs: Of the fall.
        start: Of the learning rate at the beginning, as a share of its highest.
        final: The same at the end of the cycle.
        momentum: Lowest and highest beta1.
        factor: Of a step after the cycle.
        patience: Epochs without a better validation loss before a step.

    References:
        J. Kieseler, G. Strong, F. Chiandotto, T. Dorigo, L. Layer, Eur. Phys. J. C 82 (2022) 79; L. Smith,
        arXiv:1803.09820.
    """

    kind: Literal["one_cycle_step"] = "one_cycle_step"
    warm_up_epochs: int = Field(default=2, ge=1)
    fall_epochs: int = Field(default=18, ge=1)
    start: float = Field(default=0.01, gt=0, le=1)
    final: float = Field(default=0.1, gt=0, le=1)
    momentum: tuple[float, float] = (0.85, 0.95)
    factor: float = Field(default=0.5, gt=0, lt=1)
    patience: int = Field(default=2, ge=1)

    @property
    def n_cycle(self) -> int:
        """Epochs of the cycle."""
        return self.warm_up_epochs + self.fall_epochs

    @field_validator("momentum")
    @classmethod
    def _in_order(cls, momentum: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= momentum[0] <= momentum[1] < 1:
            raise ValueError(f"momentum is the lowest and the highest beta1, from 0 to below 1; got {momentum}")
        return momentum


ScheduleConfig = Annotated[
    ConstantSchedule | OneCycleSchedule | CosineSchedule | PlateauSchedule | OneCycleStepSchedule,
    Field(discriminator="kind"),
]


class AugmentationConfig(_Options):
    """Symmetries of the square and shifts by whole cells, drawn anew for every batch (see `GridAugmentation`).

    Args:
        input: Name of the grid input.
        max_shift: In cells.
    """

    input: str
    max_shift: int = Field(default=1, ge=0)


class TrainingConfig(_Options):
    """Options of one training.

    Args:
        epochs: At most.
        batch_size: Events per step.
        optimizer: Name.
        learning_rate: Highest learning rate.
        weight_decay: Of the optimiser.
        schedule: Of the learning rate.
        gradient_clip: Largest norm of the gradient; None for no limit.
        patience: Epochs without a better validation loss before stopping; None never stops early.
        averaging: Average the weights over the steps, each past step counting this much less than the next (0.998: some
            500 steps), and judge and keep the average; None keeps the weights themselves.
        augmentation: None for none.
        precision: ``auto`` is bf16 autocast on CUDA and on CPUs that compute in it, float32 elsewhere.
        device: ``auto`` is CUDA when present.
        seed: Of initial weights, order of events and augmentation.
    """

    epochs: int = Field(default=50, ge=1)
    batch_size: int = Field(default=128, ge=1)
    optimizer: Literal["adam", "adamw", "nadam", "rmsprop", "sgd"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: ScheduleConfig = ConstantSchedule()
    gradient_clip: float | None = Field(default=None, gt=0)
    patience: int | None = Field(default=None, ge=1)
    averaging: float | None = Field(default=None, gt=0, lt=1)
    augmentation: AugmentationConfig | None = None
    precision: Literal["auto", "float32", "bf16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seed: int = 1

    @model_validator(mode="after")
    def _cycle_fits(self) -> Self:
        schedule = self.schedule
        if isinstance(schedule, OneCycleStepSchedule):
            if self.optimizer not in ("adam", "adamw", "nadam"):
                raise ValueError(
                    f"schedule one_cycle_step moves beta1, which {self.optimizer} has not: set optimizer to adam, "
                    "adamw or nadam"
                )
            if self.epochs < schedule.n_cycle:
                raise ValueError(
                    f"schedule one_cycle_step has a cycle of {schedule.n_cycle} epochs; got epochs {self.epochs}: give "
                    "more, or lower schedule.warm_up_epochs and schedule.fall_epochs"
                )
        return self
