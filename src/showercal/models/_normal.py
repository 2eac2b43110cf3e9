"""Distributions made from one normal curve: normal, truncated to an interval, and log-normal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy import special
from torch import Tensor

from showercal.models._distribution import EnergyDistribution, joined
from showercal.prediction import LogNormalPrediction, NormalPrediction, Prediction, TruncatedNormalPrediction

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
# Chebyshev fit to log(erfc(z)) + z^2 - log(t), t = 1 / (1 + z / 2), z >= 0, highest power first; relative error of erfc
# below 1.2e-7: Press et al., Numerical Recipes in C (1992), section 6.2, function erfcc.
_ERFC = (0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368)
_ERFC_0 = -1.26551223
_NEWTON_STEPS = 3


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
        return normal_log_density(energy, self.location, self.scale)

    def quantile(self, levels: Sequence[float]) -> Tensor:
        return self.location[:, None] + self.scale[:, None] * normal_pulls(levels, self.scale)

    @staticmethod
    def to_prediction(batches: Sequence[EnergyDistribution]) -> Prediction:
        return NormalPrediction(**joined(batches, "location", "scale"))


@dataclass(frozen=True, eq=False)
class TruncatedNormalEnergy(EnergyDistribution):
    """A normal distribution of which only [low, high] is possible: the posterior for a flat prior on that interval.

    Its density stays finite, with finite gradients, however far the location lies outside.

    Args:
        location: Of the whole normal curve, shape (B,), [GeV].
        scale: Of the whole normal curve, shape (B,), [GeV], above 0.
        low, high: Ends of the interval, shape (B,), [GeV].
    """

    location: Tensor
    scale: Tensor
    low: Tensor
    high: Tensor

    @property
    def mean(self) -> Tensor:
        low, high = self._ends()
        mass = log_normal_mass(low, high)
        # densities at both ends over the mass between them, each an exponential of a difference of logarithms
        pull = (-0.5 * low**2 - _HALF_LOG_2PI - mass).exp() - (-0.5 * high**2 - _HALF_LOG_2PI - mass).exp()
        return torch.clamp(self.location + self.scale * pull, self.low, self.high)

    def log_prob(self, energy: Tensor) -> Tensor:
        density = normal_log_density(energy, self.location, self.scale) - log_normal_mass(*self._ends())
        return torch.where((energy >= self.low) & (energy <= self.high), density, -math.inf)

    def quantile(self, levels: Sequence[float]) -> Tensor:
        mirrored, log_first, log_last = self._left_tail()
        upper = log_first.new_tensor(levels)
        share = torch.where(mirrored[:, None], 1 - upper, upper)
        # the cdf of the wanted point is a part 1 - share of the first one's and share of the last one's
        beyond = (log_first - log_last).exp()[:, None]
        pull = _ndtri_exp(log_last[:, None] + torch.log(share + (1 - share) * beyond))
        inside = self.location[:, None] + self.scale[:, None] * torch.where(mirrored[:, None], -pull, pull)
        return torch.maximum(torch.minimum(inside, self.high[:, None]), self.low[:, None])

    def cdf(self, energy: Tensor) -> Tensor:
        """Probability of an energy below ``energy`` inside the interval, (B, P) -> (B, P); as `quantile` for graphs."""
        mirrored, log_first, log_last = (value[:, None] for value in self._left_tail())
        pull = (energy - self.location[:, None]) / self.scale[:, None]
        here = (_log_ndtr(torch.where(mirrored, -pull, pull)) - log_last).exp()
        beyond = (log_first - log_last).exp()
        share = (here - beyond) / (1 - beyond)
        return torch.where(mirrored, 1 - share, share)

    def _left_tail(self) -> tuple[Tensor, Tensor, Tensor]:
        """Which intervals are seen mirrored, so as to lie in the left tail; log(Phi) at their first and last end there.

        In the left tail logarithms of the cdf keep their digits. From operations that a graph can hold.
        """
        low, high = self._ends()
        mirrored = low + high > 0
        first, last = torch.where(mirrored, -high, low), torch.where(mirrored, -low, high)
        return mirrored, _log_ndtr(first), _log_ndtr(last)

    def _ends(self) -> tuple[Tensor, Tensor]:
        return (self.low - self.location) / self.scale, (self.high - self.location) / self.scale

    @staticmethod
    def to_prediction(batches: Sequence[EnergyDistribution]) -> Prediction:
        return TruncatedNormalPrediction(**joined(batches, "location", "scale", "low", "high"))


@dataclass(frozen=True, eq=False)
class LogNormalEnergy(EnergyDistribution):
    """The logarithm of the energy in GeV is normal.

    Args:
        location: Mean of the logarithm, shape (B,).
        scale: Standard deviation of the logarithm, shape (B,), above 0.
    """

    location: Tensor
    scale: Tensor

    @property
    def mean(self) -> Tensor:
        return (self.location + 0.5 * self.scale**2).exp()

    def log_prob(self, energy: Tensor) -> Tensor:
        log_energy = energy.log()
        return normal_log_density(log_energy, self.location, self.scale) - log_energy

    def quantile(self, levels: Sequence[float]) -> Tensor:
        return (self.location[:, None] + self.scale[:, None] * normal_pulls(levels, self.scale)).exp()

    @staticmethod
    def to_prediction(batches: Sequence[EnergyDistribution]) -> Prediction:
        return LogNormalPrediction(**joined(batches, "location", "scale"))


def normal_pulls(levels: Sequence[float], like: Tensor) -> Tensor:
    """Quantiles of the unit normal, shape (Q,), as constants: their function has no counterpart in a graph."""
    return like.new_tensor([float(special.ndtri(level)) for level in levels])


def normal_log_density(energy: Tensor, location: Tensor, scale: Tensor) -> Tensor:
    """Log of the normal density, per unit of energy; any shape."""
    return -0.5 * ((energy - location) / scale) ** 2 - scale.log() - _HALF_LOG_2PI


def log_normal_mass(low: Tensor, high: Tensor) -> Tensor:
    """log(Phi(high) - Phi(low)): what a unit normal holds between two points, any shape, low < high.

    The error functions of the published loss are subtracted from each other and vanish for points some 5 widths out
    (float32); logarithms of the tail on the side of the nearer end keep all digits and a gradient. An interval narrower
    than 1e-6 widths is lost in rounding.

    Example:
        >>> round(float(log_normal_mass(torch.tensor(50.0), torch.tensor(70.0))), 2)
        -1254.83
    """
    mirrored = low + high > 0
    # as if the interval lay to the left: the further end first, the nearer last
    first, last = torch.where(mirrored, -high, low), torch.where(mirrored, -low, high)
    log_last = _log_ndtr_with_slope(last)
    mass: Tensor = log_last + torch.log(-torch.expm1(_log_ndtr_with_slope(first) - log_last))
    return mass


def _log_ndtr_with_slope(x: Tensor) -> Tensor:
    """log(Phi(x)) whose gradient keeps its digits: that of torch is wrong by 5 % at x = -1000 in float32."""
    here = x.detach()
    slope: Tensor = math.sqrt(2 / math.pi) / torch.special.erfcx(-here / math.sqrt(2))
    value: Tensor = torch.special.log_ndtr(here)
    result: Tensor = value + (x - here) * slope
    return result


def _log_ndtr(x: Tensor) -> Tensor:
    """log(Phi(x)) to 1e-7 from operations that a graph can hold; `torch.special.log_ndtr` has no counterpart there."""
    z = x.abs() / math.sqrt(2)
    t = 1 / (1 + 0.5 * z)
    series = torch.full_like(t, _ERFC[0])
    for coefficient in _ERFC[1:]:
        series = series * t + coefficient
    log_tail = t.log() - z**2 + _ERFC_0 + t * series - math.log(2)
    return torch.where(x > 0, torch.log1p(-log_tail.exp()), log_tail)


def _ndtri_exp(log_level: Tensor) -> Tensor:
    """The x with log(Phi(x)) as given, from operations that a graph can hold; good to 1e-6.

    Newton steps in the logarithm of the tail, which is almost a parabola, from a start that is good to 4.5e-4 widths
    (to 1e-3 of itself beyond 30 widths).

    References:
        M. Abramowitz and I. A. Stegun, Handbook of Mathematical Functions (1964), equation 26.2.23.
    """
    is_upper = log_level > -math.log(2)
    log_tail = torch.where(is_upper, torch.log1p(-log_level.exp()), log_level)
    t = (-2 * log_tail).sqrt()
    numerator = (0.010328 * t + 0.802853) * t + 2.515517
    x = numerator / (((0.001308 * t + 0.189269) * t + 1.432788) * t + 1) - t
    for _ in range(_NEWTON_STEPS):
        log_here = _log_ndtr(x)
        x = x - (log_here - log_tail) * (log_here + 0.5 * x**2 + _HALF_LOG_2PI).exp()
    return torch.where(is_upper, -x, x)
