"""What a network's forward returns: a distribution over energy for each event of the batch, on tensors."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from showercal.errors import NoWidthError
from showercal.prediction import NormalPrediction, PointPrediction, Prediction


class EnergyDistribution(ABC):
    """One distribution per event; tensors of shape (B,), [GeV]."""

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """Expected energy, shape (B,)."""

    @abstractmethod
    def log_prob(self, energy: Tensor) -> Tensor:
        """Log density, shape (B,), per GeV.

        Raises:
            NoWidthError: For a point.
        """

    @staticmethod
    @abstractmethod
    def to_prediction(batches: Sequence[EnergyDistribution]) -> Prediction:
        """Join the distributions of several batches into a Prediction of NumPy arrays."""


@dataclass(frozen=True, eq=False)
class PointEnergy(EnergyDistribution):
    """An energy without a width.

    Args:
        energy: Shape (B,), [GeV].
    """

    energy: Tensor

    @property
    def mean(self) -> Tensor:
        return self.energy

    def log_prob(self, energy: Tensor) -> Tensor:
        raise NoWidthError("a point has no density: train it with loss mse, or give the network head: normal")

    @staticmethod
    def to_prediction(batches: Sequence[EnergyDistribution]) -> Prediction:
        return PointPrediction(torch.cat([batch.mean for batch in batches]).double().cpu().numpy())


@dataclass(frozen=True, eq=False)
class NormalEnergy(EnergyDistribution):
    """A normal distribution.

    Args:
        location: Shape (B,), [GeV].
        scale: Shape (B,), [GeV], above 0.
    """

    location: Tensor
    scale: Tensor

    @property
    def mean(self) -> Tensor:
        return self.location

    def log_prob(self, energy: Tensor) -> Tensor:
        return -0.5 * ((energy - self.location) / self.scale) ** 2 - self.scale.log() - 0.5 * math.log(2 * math.pi)

    @staticmethod
    def to_prediction(batches: Sequence[EnergyDistribution]) -> Prediction:
        parts = [batch for batch in batches if isinstance(batch, NormalEnergy)]
        return NormalPrediction(
            torch.cat([part.location for part in parts]).double().cpu().numpy(),
            torch.cat([part.scale for part in parts]).double().cpu().numpy(),
        )
