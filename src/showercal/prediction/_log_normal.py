"""A log-normal distribution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from showercal.prediction._base import FloatArray, MonotoneMap, Prediction
from showercal.prediction._checks import check_columns, check_finite, check_fraction, check_scale, contiguous
from showercal.prediction._mapped import MappedPrediction
from showercal.prediction._quadrature import expectation_by_quantiles


@dataclass(frozen=True, eq=False)
class LogNormalPrediction(Prediction):
    """The logarithm of energy/GeV is normal: relative errors, and no energy at or below 0.

    mean = exp(location + scale^2/2), median = exp(location), mode = exp(location - scale^2), std = mean *
    sqrt(exp(scale^2) - 1).

    Args:
        location: Mean of log(energy/GeV), shape (B,), no unit.
        scale: Standard deviation of log(energy/GeV), shape (B,), no unit, above 0.

    Raises:
        DataError: If the shapes differ, a value is not finite or a scale is not above 0.

    Example:
        >>> prediction = LogNormalPrediction(np.log([100.0]), np.array([0.1]))
        >>> (prediction.median.round(6), (prediction.std / prediction.mean).round(4))
        (array([100.]), array([0.1003]))
    """

    location: FloatArray
    scale: FloatArray
    has_width = True
    family = "log_normal"

    def __post_init__(self) -> None:
        check_columns(location=self.location, scale=self.scale)
        check_scale(self.scale, unit="")
        check_finite(location=self.location, scale=self.scale)

    def __len__(self) -> int:
        return len(self.location)

    def __getitem__(self, where: slice | NDArray[Any]) -> LogNormalPrediction:
        return LogNormalPrediction(self.location[where], self.scale[where])

    @property
    def mean(self) -> FloatArray:
        return np.exp(self.location + 0.5 * self.scale**2)

    @property
    def median(self) -> FloatArray:
        return np.exp(self.location)

    @property
    def mode(self) -> FloatArray:
        return np.exp(self.location - self.scale**2)

    @property
    def std_stochastic(self) -> FloatArray:
        return self.mean * np.sqrt(np.expm1(self.scale**2))

    @property
    def std_model(self) -> FloatArray:
        return np.zeros_like(self.scale)

    def quantile(self, q: ArrayLike) -> FloatArray:
        result: FloatArray = np.exp(self.location + self.scale * special.ndtri(check_fraction(q, len(self))))
        return result

    def _pull(self, energy: FloatArray) -> FloatArray:
        """Distance of the logarithm in scales; -inf at 0 and below."""
        with np.errstate(divide="ignore"):
            result: FloatArray = (np.log(np.maximum(energy, 0)) - self.location) / self.scale
        return result

    def cdf(self, energy: FloatArray) -> FloatArray:
        probability: FloatArray = special.ndtr(self._pull(energy))
        return probability

    def log_prob(self, energy: FloatArray) -> FloatArray:
        constant = np.log(self.scale) + 0.5 * np.log(2 * np.pi)
        # at 0 and below the pull alone says -inf; the logarithm of the Jacobian must not turn that into NaN
        jacobian = np.log(np.where(energy > 0, energy, 1))
        density: FloatArray = -0.5 * self._pull(energy) ** 2 - constant - jacobian
        return density

    def expectation(self, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
        return expectation_by_quantiles(self.quantile, function)

    def sample(self, n: int, seed: int) -> FloatArray:
        draws = np.random.default_rng(seed).standard_normal((n, len(self)))
        result: FloatArray = np.exp(self.location + self.scale * draws)
        return result

    def transform(self, energy_map: MonotoneMap) -> Prediction:
        return MappedPrediction(self, energy_map)

    def arrays(self) -> dict[str, FloatArray]:
        return contiguous(location=self.location, scale=self.scale)
