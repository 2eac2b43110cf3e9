"""Callbacks of the training loop: what it remembers, and how it survives a kill."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping
from torch import Tensor

from showercal.errors import TrainingError
from showercal.training._module import EnergyRegression


class Memory(Callback):
    """Keeps the history of all epochs and the weights of the best one.

    Args:
        keep_last: Keep those of the last epoch instead: under a penalty the lowest loss is that of the epoch which
            the penalty has changed least.

    Attributes:
        history: One row per epoch: losses, dependence, learning rate, seconds spent in training steps.
        best_weights: State of the network at the lowest validation loss, or at the last epoch.
    """

    def __init__(self, *, keep_last: bool = False) -> None:
        self.keep_last = keep_last
        self.history: list[dict[str, float]] = []
        self.best_loss = math.inf
        self.best_weights: dict[str, Tensor] = {}

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._start = time.perf_counter()

    def on_validation_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        if module.device.type == "cuda":
            torch.cuda.synchronize(module.device)
        self._seconds = time.perf_counter() - self._start

    def on_validation_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        assert isinstance(module, EnergyRegression)
        epoch, loss = trainer.current_epoch, module.validation_loss
        if not (math.isfinite(loss) and math.isfinite(module.train_loss)):
            raise TrainingError(
                f"the loss became {module.train_loss} (train), {loss} (validation) in epoch {epoch}: lower the "
                "learning rate (training.learning_rate) or clip the gradient (training.gradient_clip), then run again"
            )
        self.history.append(
            {
                "epoch": epoch,
                "train_loss": module.train_loss,
                "validation_loss": loss,
                "dependence": module.dependence,
                "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"]),
                "seconds": self._seconds,
            }
        )
        if loss < self.best_loss or self.keep_last:
            self.best_loss = loss
            self.best_weights = {k: v.detach().clone() for k, v in module.judged.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history, "best_loss": self.best_loss, "best_weights": self.best_weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history, self.best_loss = state_dict["history"], state_dict["best_loss"]
        self.best_weights = state_dict["best_weights"]


class EpochCheckpoint(Callback):
    """Saves the whole training after every epoch, whole or not at all.

    Args:
        path: Of the checkpoint.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        trainer.save_checkpoint(temporary)
        temporary.replace(self.path)


class Patience(EarlyStopping):
    """Lightning's early stopping on the validation loss, which also stays stopped when resumed after the last epoch.

    Args:
        patience: Epochs without a better loss before stopping.
        n_before: First epochs, which do not count; the lowest loss may be one of them.
    """

    def __init__(self, patience: int, n_before: int = 0) -> None:
        # checked when validation ends, so that the checkpoint written after it knows
        super().__init__("validation_loss", patience=patience, check_on_train_epoch_end=False)
        self.n_before = n_before

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self.wait_count >= self.patience:
            trainer.should_stop = True

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.current_epoch < self.n_before:
            self.wait_count = -1  # one more is none
        super().on_validation_end(trainer, pl_module)
