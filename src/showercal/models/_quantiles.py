"""Quantiles of the energy, as quantile regression gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from showercal.errors import NoWidthError
from showercal.models._distribution import EnergyDistribution, joined
from showercal.prediction import Prediction, QuantilePrediction


@dataclass(frozen=True, eq=False)
class QuantileEnergy(EnergyDistribution):
    """Energies at fixed levels; between them the cdf is a straight line, beyond them it falls off exponentially.

    Args:
        level: Fractions, rising, the same for all events, shape (B, Q).
        energy: Energies below which they lie, rising, shape (B, Q), [GeV].
    """

    level: Tensor
    energy: Tensor

    @property
    def mean(self) -> Tensor:
        """Mean of the distribution described above, shape (B,)."""
        step = self.level.diff(dim=1)
        inside = (step * (self.energy[:, 1:] + self.energy[:, :-1]) / 2).sum(1)
        low, high, width_low, width_high = self._tails()
        return inside + low * (self.energy[:, 0] - width_low) + high * (self.energy[:, -1] + width_high)

    def log_prob(self, energy: Tensor) -> Tensor:
        raise NoWidthError("quantiles are trained by the quantile loss: set loss: {kind: quantile}")

    def quantile(self, levels: Sequence[float]) -> Tensor:
        wanted = self.energy.new_tensor(levels)
        level, energy = self.level[0], self.energy
        left = (level[None, 1:-1] <= wanted[:, None]).sum(1)  # interval of each level, the outermost for the tails
        share = ((wanted - level[left]) / (level[left + 1] - level[left])).clamp(0, 1)
        inside = energy[:, left] + share * (energy[:, left + 1] - energy[:, left])
        low, high, width_low, width_high = self._tails()
        below = torch.log((wanted[None] / low[:, None]).clamp(max=1)) * width_low[:, None]
        above = -torch.log(((1 - wanted)[None] / high[:, None]).clamp(max=1)) * width_high[:, None]
        return inside + below + above

    def _tails(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Mass of both tails and their decay lengths, which continue the density of the outermost intervals."""
        low, high = self.level[:, 0], 1 - self.level[:, -1]
        step, gap = self.level.diff(dim=1), self.energy.diff(dim=1)
        return low, high, low * gap[:, 0] / step[:, 0], high * gap[:, -1] / step[:, -1]

    @staticmethod
    def to_prediction(batches: Sequence[EnergyDistribution]) -> Prediction:
        return QuantilePrediction(**joined(batches, "level", "energy"))
