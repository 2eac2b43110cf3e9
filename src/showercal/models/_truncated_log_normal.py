"""Log-normal distributions truncated to an interval, weighted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from showercal.models._distribution import EnergyDistribution, joined
from showercal.models._mixture import joined_components, mixture_quantiles
from showercal.models._normal import TruncatedNormalEnergy, log_normal_mass, normal_log_density
from showercal.prediction import Prediction, TruncatedLogNormalPrediction


@dataclass(frozen=True, eq=False)
class TruncatedLogNormalEnergy(EnergyDistribution):
    """K normal curves in log(energy/GeV), of which only [low, high] is possible, each normalised there, weighted.

    With one curve the posterior for relative errors and a spectrum that ends at both ends. Its density stays finite,
    with finite gradients, however far a location lies outside.

    Args:
        log_weight: Logarithms of the weights, normalised, shape (B, K).
        location: Of the whole curves, in log(energy/GeV), shape (B, K).
        scale: Of the whole curves, in log(energy/GeV), shape (B, K), above 0.
        low, high: Ends of the interval, shape (B,), [GeV], above 0.
    """

    log_weight: Tensor
    location: Tensor
    scale: Tensor
    low: Tensor
    high: Tensor

    @property
    def mean(self) -> Tensor:
        """Expected energy, shape (B,): exp(m + s^2 / 2) times the share of the curve moved by s^2 that is inside.

        In float64: far outside, logarithms that are large cancel.
        """
        location, scale = self.location.double(), self.scale.double()
        low, high = ((end.double().log()[:, None] - location) / scale for end in (self.low, self.high))
        shift = log_normal_mass(low - scale, high - scale) - log_normal_mass(low, high)
        of_curves = (location + 0.5 * scale**2 + shift).exp()
        inside = torch.clamp(of_curves, self.low.double()[:, None], self.high.double()[:, None])
        return (self.log_weight.double().exp() * inside).sum(1).to(self.location.dtype)

    def log_prob(self, energy: Tensor) -> Tensor:
        # outside, any energy inside will do: the gradient of what is not chosen must be finite, too
        log_energy = torch.clamp(energy, self.low, self.high).log()
        low, high = ((end.log()[:, None] - self.location) / self.scale for end in (self.low, self.high))
        curves = normal_log_density(log_energy[:, None], self.location, self.scale) - log_normal_mass(low, high)
        density = torch.logsumexp(self.log_weight + curves, 1) - log_energy
        return torch.where((energy >= self.low) & (energy <= self.high), density, -math.inf)

    def quantile(self, levels: Sequence[float]) -> Tensor:
        K = self.location.shape[1]
        ends = (end.log()[:, None].expand(-1, K).flatten() for end in (self.low, self.high))
        curves = TruncatedNormalEnergy(self.location.flatten(), self.scale.flatten(), *ends)
        of_curves = curves.quantile(levels).view(-1, K, len(levels))
        if K == 1:
            return of_curves[:, 0].exp()
        weight, wanted = self.log_weight.softmax(1)[:, :, None], self.scale.new_tensor(levels)[:, None]

        def is_below(log_energy: Tensor) -> Tensor:
            points = log_energy.flatten(1)[:, None].expand(-1, K, -1)  # (B, K, Q * P)
            cdf = (weight * curves.cdf(points.flatten(0, 1)).view_as(points)).sum(1)
            return cdf.view_as(log_energy) < wanted

        return mixture_quantiles(of_curves.transpose(1, 2), is_below).exp()

    @staticmethod
    def to_prediction(batches: Sequence[EnergyDistribution]) -> Prediction:
        return TruncatedLogNormalPrediction(**joined_components(batches), **joined(batches, "low", "high"))
