"""Options of the training loop."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


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


ScheduleConfig = Annotated[
    ConstantSchedule | OneCycleSchedule | CosineSchedule | PlateauSchedule, Field(discriminator="kind")
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
