"""A mixture of normal distributions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from showercal.models._distribution import EnergyDistribution, joined, solve_quantile
from showercal.models._normal import normal_log_density
from showercal.prediction import NormalMixturePrediction, Prediction

# The bracket of every quantile between 1e-12 and 1 - 1e-12, in widths from the outermost component.
_BRACKET = 7.1


@dataclass(frozen=True, eq=False)
class NormalMixtureEnergy(EnergyDistribution):
    """K normal distributions, weighted.

    Args:
        log_weight: Logarithms of the weights, normalised, shape (B, K).
        location: Shape (B, K), [GeV].
        scale: Shape (B, K), [GeV], above 0.

    References:
        C. M. Bishop, Mixture density networks, Aston University NCRG/94/004 (1994).
    """

    log_weight: Tensor
    location: Tensor
    scale: Tensor

    @property
    def mean(self) -> Tensor:
        return (self.log_weight.exp() * self.location).sum(1)

    def log_prob(self, energy: Tensor) -> Tensor:
        return torch.logsumexp(self.log_weight + normal_log_density(energy[:, None], self.location, self.scale), 1)

    def quantile(self, levels: Sequence[float]) -> Tensor:
        weight = self.log_weight.exp()[:, None]

        def cdf(energy: Tensor) -> Tensor:
            pull = (energy[:, :, None] - self.location[:, None]) / self.scale[:, None]
            return (weight * (0.5 + 0.5 * torch.erf(pull / math.sqrt(2)))).sum(2)

        low = (self.location - _BRACKET * self.scale).amin(1)
        return solve_quantile(cdf, levels, low, (self.location + _BRACKET * self.scale).amax(1))

    @staticmethod
    def to_prediction(batches: Sequence[EnergyDistribution]) -> Prediction:
        arrays = joined(batches, "log_weight", "location", "scale")
        weight = torch.from_numpy(arrays.pop("log_weight")).softmax(1).numpy()
        return NormalMixturePrediction(weight, **arrays)
