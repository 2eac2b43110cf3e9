"""What a network's forward returns: a distribution over energy for each event of the batch, on tensors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from showercal.errors import NoWidthError
from showercal.prediction import PointPrediction, Prediction


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

    @abstractmethod
    def quantile(self, levels: Sequence[float]) -> Tensor:
        """Energies below which the fractions (Q,) lie, shape (B, Q); plain operations, so that a graph can hold them.

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
        raise NoWidthError("a point has no density: train it with loss mse, or give the network head: {kind: normal}")

    def quantile(self, levels: Sequence[float]) -> Tensor:
        raise NoWidthError("a point has no quantiles: give the network a head with a width, e.g. head: {kind: normal}")

    @staticmethod
    def to_prediction(batches: Sequence[EnergyDistribution]) -> Prediction:
        return PointPrediction(**joined(batches, "energy"))


def joined(batches: Sequence[EnergyDistribution], *names: str) -> dict[str, NDArray[np.float64]]:
    """Tensors of distributions of one kind, those of all batches end to end, by name."""
    return {name: torch.cat([getattr(b, name) for b in batches]).double().cpu().numpy() for name in names}
