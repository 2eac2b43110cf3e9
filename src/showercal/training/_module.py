"""The Lightning module: one step of training for every network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from showercal.features import GridAugmentation
from showercal.losses import Loss, Weighting, distance_correlation
from showercal.models import EnergyDistribution
from showercal.training._batches import Batch, generator
from showercal.training._config import TrainingConfig
from showercal.training._decorrelation import Decorrelation, relative_error
from showercal.training._schedules import step_scheduler

_OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}
# one pass over all parameters instead of one per tensor and operation
_FUSED = frozenset({"adam", "adamw", "sgd"})
# Validation events on which the dependence is measured after every epoch: known to some 1e-3, 32 MB of distances.
_N_DEPENDENCE = 2048


class EnergyRegression(lightning.LightningModule):
    """Trains a network that returns a distribution over energy.

    Args:
        network: Its forward takes features and returns an `EnergyDistribution`.
        loss: Of each event; its mean over the batch is made small.
        config: Options.
        decorrelation: Penalty beside the loss; None for none.
        weighting: Of what each event adds to the loss, in training and validation; None weighs all alike.

    Attributes:
        train_loss, validation_loss: Means over the events of the last epoch, weighted, without the penalty.
        dependence: Squared distance correlation of (E_pred - E_true) / sqrt(E_true) and E_true on validation events.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        config: TrainingConfig,
        decorrelation: Decorrelation | None = None,
        weighting: Weighting | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.averaged = None if config.averaging is None else _average_of(network, config.averaging)
        self.config = config
        self.loss = loss
        self.decorrelation = decorrelation
        self.weighting = weighting
        self.augmentation = None if config.augmentation is None else GridAugmentation(config.augmentation.max_shift)
        self.train_loss = self.validation_loss = self.dependence = math.nan
        self._sums = {"train": (0.0, 0), "validation": (0.0, 0)}
        self._judged: list[tuple[Tensor, Tensor]] = []

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        features = batch.features
        if self.augmentation is not None:
            assert self.config.augmentation is not None
            name = self.config.augmentation.input
            draws = generator("augmentation", self.config.seed, self.current_epoch, batch_idx, device=self.device)
            features = {**features, name: self.augmentation(features[name], draws)}
        distribution = self.network(features)
        loss = self._mean_loss(distribution, batch.energy_true)
        self._add("train", loss, len(batch))
        if self.decorrelation is not None:
            error = relative_error(distribution.mean, batch.energy_true)
            loss = loss + self.decorrelation(error, batch.energy_true)
        return loss

    @property
    def judged(self) -> nn.Module:
        """The network that is judged and kept: the averaged one, where there is one."""
        return self.network if self.averaged is None else self.averaged.module

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        if self.averaged is not None:
            self.averaged.update_parameters(self.network)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        distribution = self.judged(batch.features)
        self._add("validation", self._mean_loss(distribution, batch.energy_true), len(batch))
        if sum(len(truth) for _, truth in self._judged) < _N_DEPENDENCE:
            self._judged.append((distribution.mean, batch.energy_true))

    def on_train_epoch_start(self) -> None:
        self._sums["train"] = (0.0, 0)
        # networks with random layers draw from the global generator: make it a function of the epoch, too
        torch.manual_seed(generator("network", self.config.seed, self.current_epoch).initial_seed())

    def on_validation_epoch_start(self) -> None:
        self._sums["validation"] = (0.0, 0)
        self._judged = []

    def on_validation_epoch_end(self) -> None:
        self.train_loss, self.validation_loss = (float(total) / n for total, n in self._sums.values())
        pred, truth = (torch.cat(parts)[:_N_DEPENDENCE] for parts in zip(*self._judged, strict=True))
        self.dependence = float(distance_correlation(relative_error(pred, truth), truth))
        self.log("validation_loss", self.validation_loss, prog_bar=True, logger=False)
        self.log("train_loss", self.train_loss, prog_bar=True, logger=False)

    def configure_optimizers(self) -> Any:
        config = self.config
        kwargs: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
        # Lightning clips no gradients of a fused optimiser under autocast
        if config.optimizer in _FUSED and config.gradient_clip is None:
            kwargs["fused"] = True
        parameters = list(self.network.parameters())
        if self.decorrelation is not None:
            parameters += self.decorrelation.trained_with_network()
        optimizer = _OPTIMIZERS[config.optimizer](parameters, **kwargs)
        scheduler = step_scheduler(config, optimizer, int(self.trainer.estimated_stepping_batches))
        if scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.decorrelation is not None:
            checkpoint["decorrelation"] = self.decorrelation.state_of_training()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.decorrelation is not None:
            self.decorrelation.load_state_of_training(checkpoint["decorrelation"])

    def _mean_loss(self, distribution: EnergyDistribution, energy_true: Tensor) -> Tensor:
        each = self.loss(distribution, energy_true)
        if self.weighting is not None:
            each = each * self.weighting(energy_true)
        return each.mean()

    def _add(self, part: str, loss: Tensor, n: int) -> None:
        total, count = self._sums[part]
        # stays a tensor: reading it here would make a GPU wait at every step
        self._sums[part] = (total + loss.detach().double() * n, count + n)  # type: ignore[assignment]


def _average_of(network: nn.Module, decay: float) -> AveragedModel:
    """The running average of a network's weights; buffers are those of the last step."""

    def update(average: Sequence[Tensor], current: Sequence[Tensor], n_averaged: Tensor | int) -> None:
        # until 1 / (1 - decay) steps are done, all of them count alike: the first ones do not linger
        n = int(n_averaged)
        torch._foreach_lerp_(list(average), list(current), 1 - min(decay, n / (n + 1)))

    return AveragedModel(network, multi_avg_fn=update)
