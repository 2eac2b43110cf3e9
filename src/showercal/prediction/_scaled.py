"""A distribution made wider or narrower."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showercal.errors import DataError
from showercal.prediction._base import FloatArray, MonotoneMap, Prediction
from showercal.prediction._checks import no_width
from showercal.prediction._mapped import MappedPrediction


@dataclass(frozen=True, eq=False)
class ScaledPrediction(Prediction):
    """All distances to the median multiplied by one factor: energy -> median + factor * (energy - median).

    Exact for every property, because the map is a straight line in each event.

    Args:
        base: A prediction with a width.
        factor: Above 0, common to all events.

    Raises:
        NoWidthError: If ``base`` is a point estimate.
        DataError: If the factor is not above 0 and finite.

    Example:
        >>> from showercal.prediction import NormalPrediction
        >>> ScaledPrediction(NormalPrediction(np.array([5.0]), np.array([0.5])), 2.0).std
        array([1.])
    """

    base: Prediction
    factor: float
    has_width = True
    family = "scaled"

    def __post_init__(self) -> None:
        if not self.base.has_width:
            raise no_width("distribution to scale")
        if not 0 < self.factor < np.inf:
            raise DataError(f"the factor of a width must be > 0 and finite; got {self.factor}")

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, where: slice | NDArray[Any]) -> ScaledPrediction:
        return ScaledPrediction(self.base[where], self.factor)

    def _scaled(self, energy: FloatArray, factor: float) -> FloatArray:
        median = self.base.median
        scaled: FloatArray = median + factor * (energy - median)
        return scaled

    @property
    def mean(self) -> FloatArray:
        return self._scaled(self.base.mean, self.factor)

    @property
    def median(self) -> FloatArray:
        return self.base.median

    @property
    def mode(self) -> FloatArray:
        return self._scaled(self.base.mode, self.factor)

    @property
    def std_stochastic(self) -> FloatArray:
        return self.factor * self.base.std_stochastic

    @property
    def std_model(self) -> FloatArray:
        return self.factor * self.base.std_model

    def quantile(self, q: ArrayLike) -> FloatArray:
        return self._scaled(self.base.quantile(q), self.factor)

    def cdf(self, energy: FloatArray) -> FloatArray:
        return self.base.cdf(self._scaled(energy, 1 / self.factor))

    def log_prob(self, energy: FloatArray) -> FloatArray:
        density: FloatArray = self.base.log_prob(self._scaled(energy, 1 / self.factor)) - np.log(self.factor)
        return density

    def expectation(self, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
        median = self.base.median
        return self.base.expectation(lambda energy: function(median + self.factor * (energy - median)))

    def sample(self, n: int, seed: int) -> FloatArray:
        return self._scaled(self.base.sample(n, seed), self.factor)

    def transform(self, energy_map: MonotoneMap) -> Prediction:
        return MappedPrediction(self, energy_map)

    def arrays(self) -> dict[str, FloatArray]:
        raise NotImplementedError(
            "a scaled prediction has no arrays: store the prediction before the scaling (its base), and the factor "
            "beside it"
        )
