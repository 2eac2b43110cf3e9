"""Heads: from the last numbers of a network to a distribution over energy, in GeV.

The scale of the target (mean and standard deviation of the training energies) sits here as buffers, so that a network
works on numbers of order 1 and the saved file is complete.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from showercal.models._distribution import EnergyDistribution, NormalEnergy, PointEnergy


class Head(nn.Module, ABC):
    """Turns raw outputs (B, n_outputs) into a distribution.

    Args:
        energy_mean, energy_std: Of the training energies, [GeV].
    """

    n_outputs: ClassVar[int]
    energy_mean: Tensor
    energy_std: Tensor

    def __init__(self, energy_mean: float, energy_std: float) -> None:
        super().__init__()
        self.register_buffer("energy_mean", torch.tensor(energy_mean))
        self.register_buffer("energy_std", torch.tensor(energy_std))

    @abstractmethod
    def forward(self, raw: Tensor) -> EnergyDistribution:
        """Raw outputs (B, n_outputs) -> distribution of B events."""


class PointHead(Head):
    """One number: the energy."""

    n_outputs = 1

    def forward(self, raw: Tensor) -> PointEnergy:
        return PointEnergy(self.energy_mean + self.energy_std * raw[:, 0].to(self.energy_mean.dtype))


class NormalHead(Head):
    """Two numbers: location and width of a normal distribution."""

    n_outputs = 2

    def forward(self, raw: Tensor) -> NormalEnergy:
        raw = raw.to(self.energy_mean.dtype)
        # softplus keeps the width positive and its gradient finite; the floor is far below any detector's resolution
        scale = self.energy_std * (functional.softplus(raw[:, 1]) + 1e-6)
        return NormalEnergy(self.energy_mean + self.energy_std * raw[:, 0], scale)


HEADS: Final[Mapping[str, type[Head]]] = {"point": PointHead, "normal": NormalHead}
