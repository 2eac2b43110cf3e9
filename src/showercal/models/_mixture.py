"""A mixture of normal distributions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from showercal.models._distribution import EnergyDistribution, joined
from showercal.models._normal import normal_log_density, normal_pulls
from showercal.prediction import NormalMixturePrediction, Prediction

# Each round cuts what lies between the outermost components into so many parts and keeps one: 7e-9 of it is left, and
# with it the digits of float32. Parts make a graph of fewer operations than as many halvings.
_PARTS = 8
_ROUNDS = 9


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
        # the error function is taken in float32, the only one that ONNX Runtime has: a cdf is then good to some 1e-7,
        # as the weights of a network in float32 are
        pulls = self.scale[:, None] * normal_pulls(levels, self.scale)[:, None]
        ends = self.location[:, None] + pulls  # (B, Q, K)
        weight = self.log_weight.softmax(1)[:, None, None].float()
        sharpness = 1 / (math.sqrt(2) * self.scale)[:, None, None]
        # Phi = (1 + erf) / 2
        wanted = 2 * weight.new_tensor(levels)[:, None] - 1

        def is_below(energy: Tensor) -> Tensor:
            away = (energy[..., None] - self.location[:, None, None]) * sharpness
            return (weight * torch.erf(away.float())).sum(3) < wanted

        return mixture_quantiles(ends, is_below)

    @staticmethod
    def to_prediction(batches: Sequence[EnergyDistribution]) -> Prediction:
        return NormalMixturePrediction(**joined_components(batches))


def mixture_quantiles(ends: Tensor, is_below: Callable[[Tensor], Tensor]) -> Tensor:
    """Quantiles of a mixture, between the lowest and the highest quantile of a component.

    Args:
        ends: Quantiles of the components, shape (B, Q, K).
        is_below: Whether values (B, Q, P) lie below the quantile of the mixture.

    Returns:
        Shape (B, Q).
    """
    low = ends.amin(2)
    width = ends.amax(2) - low
    cuts = torch.arange(1, _PARTS, dtype=ends.dtype, device=ends.device) / _PARTS
    for _ in range(_ROUNDS):
        n_below = is_below(low[..., None] + width[..., None] * cuts).sum(2)
        width = width / _PARTS
        low = low + width * n_below
    return low + width / 2


def joined_components(batches: Sequence[EnergyDistribution]) -> dict[str, NDArray[np.float64]]:
    """Weights, locations and scales of distributions with ``log_weight``, those of all batches end to end."""
    arrays = joined(batches, "log_weight", "location", "scale")
    weight = torch.from_numpy(arrays.pop("log_weight")).softmax(1).numpy()
    return {"weight": weight, **arrays}
