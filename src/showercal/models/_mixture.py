"""A mixture of normal distributions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from showercal.models._distribution import EnergyDistribution, joined
from showercal.models._normal import normal_log_density, normal_pulls
from showercal.prediction import NormalMixturePrediction, Prediction

# Halvings of the distance between the outermost components: 3e-8 of it is left, and with it the digits of float32.
_HALVINGS = 25


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
        """By halving the interval between the lowest and the highest quantile of a component.

        The error function is taken in float32, the only one that ONNX Runtime has: a cdf is then good to some 1e-7, as
        the weights of a network in float32 are.
        """
        pulls = self.scale[:, None] * normal_pulls(levels, self.scale)[:, None]
        ends = self.location[:, None] + pulls  # (B, Q, K)
        low, high = ends.amin(2), ends.amax(2)
        step, middle = (high - low) / 4, (high + low) / 2
        weight = self.log_weight.softmax(1)[:, None].float()
        sharpness = 1 / (math.sqrt(2) * self.scale)[:, None]
        # Phi = (1 + erf) / 2
        wanted = 2 * weight.new_tensor(levels) - 1
        for _ in range(_HALVINGS):
            away = (middle[:, :, None] - self.location[:, None]) * sharpness
            below = (weight * torch.erf(away.float())).sum(2) < wanted
            middle, step = middle + torch.where(below, step, -step), step / 2
        return middle

    @staticmethod
    def to_prediction(batches: Sequence[EnergyDistribution]) -> Prediction:
        arrays = joined(batches, "log_weight", "location", "scale")
        weight = torch.from_numpy(arrays.pop("log_weight")).softmax(1).numpy()
        return NormalMixturePrediction(weight, **arrays)
