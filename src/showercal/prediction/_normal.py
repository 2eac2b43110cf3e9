"""A normal distribution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from showercal.prediction._base import FloatArray, MonotoneMap, Prediction
from showercal.prediction._checks import check_columns, check_fraction, check_scale, contiguous
from showercal.prediction._mapped import MappedPrediction
from showercal.prediction._quadrature import expectation_by_quantiles


@dataclass(frozen=True, eq=False)
class NormalPrediction(Prediction):
    """A normal distribution per event.

    Args:
        location: Shape (B,), [GeV].
        scale: Shape (B,), [GeV], above 0.

    Raises:
        DataError: If the shapes differ or a scale is not above 0.

    Example:
        >>> prediction = NormalPrediction(np.array([5.0]), np.array([1.0]))
        >>> prediction.quantile(0.5)
        array([5.])
        >>> prediction.sigma68.round(12)
        array([1.])
    """

    location: FloatArray
    scale: FloatArray
    has_width = True
    family = "normal"

    def __post_init__(self) -> None:
        check_columns(location=self.location, scale=self.scale)
        check_scale(self.scale)

    def __len__(self) -> int:
        return len(self.location)

    def __getitem__(self, where: slice | NDArray[Any]) -> NormalPrediction:
        return NormalPrediction(self.location[where], self.scale[where])

    @property
    def mean(self) -> FloatArray:
        return self.location

    @property
    def median(self) -> FloatArray:
        return self.location

    @property
    def mode(self) -> FloatArray:
        return self.location

    @property
    def std_stochastic(self) -> FloatArray:
        return self.scale

    @property
    def std_model(self) -> FloatArray:
        return np.zeros_like(self.scale)

    def quantile(self, q: ArrayLike) -> FloatArray:
        result: FloatArray = self.location + self.scale * special.ndtri(check_fraction(q, len(self)))
        return result

    def cdf(self, energy: FloatArray) -> FloatArray:
        probability: FloatArray = special.ndtr((energy - self.location) / self.scale)
        return probability

    def log_prob(self, energy: FloatArray) -> FloatArray:
        pull = (energy - self.location) / self.scale
        density: FloatArray = -0.5 * pull**2 - np.log(self.scale) - 0.5 * np.log(2 * np.pi)
        return density

    def expectation(self, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
        return expectation_by_quantiles(self.quantile, function)

    def sample(self, n: int, seed: int) -> FloatArray:
        draws = np.random.default_rng(seed).standard_normal((n, len(self)))
        result: FloatArray = self.location + self.scale * draws
        return result

    def transform(self, energy_map: MonotoneMap) -> Prediction:
        return MappedPrediction(self, energy_map)

    def arrays(self) -> dict[str, FloatArray]:
        return contiguous(location=self.location, scale=self.scale)
