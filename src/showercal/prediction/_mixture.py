"""A mixture of normal distributions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from showercal.prediction._base import FloatArray, MonotoneMap, Prediction
from showercal.prediction._checks import check_finite, check_fraction, check_scale, check_tables, contiguous
from showercal.prediction._mapped import MappedPrediction
from showercal.prediction._normal import NormalPrediction
from showercal.prediction._search import highest_point, solve_cdf
from showercal.prediction._weights import (
    around_components,
    check_weights,
    draw_components,
    log_of_sum,
    quantile_bracket,
    shares_of,
)


@dataclass(frozen=True, eq=False)
class NormalMixturePrediction(Prediction):
    """A weighted sum of K normal distributions per event.

    Quantiles are solved to about 1e-14 of the largest component quantile; the mode is the highest point within two
    scales of any component, good to 1e-7 of that component's scale. All the width is stochastic.

    Args:
        weight: At or above 0, with sum 1 per event (to 1e-5: the rounding of float32, which is divided out), shape
            (B, K), no unit.
        location: Shape (B, K), [GeV].
        scale: Shape (B, K), [GeV], above 0.

    Raises:
        DataError: If the shapes differ, a value is not finite, a scale is not above 0, a weight is negative or the
            weights do not add up to 1.

    References:
        C. M. Bishop, Mixture Density Networks, Aston University NCRG/94/004 (1994).

    Example:
        >>> two = NormalMixturePrediction(np.array([[0.5, 0.5]]), np.array([[-3.0, 3.0]]), np.ones((1, 2)))
        >>> two.std.round(4)  # sqrt(1 + 3^2)
        array([3.1623])
    """

    weight: FloatArray
    location: FloatArray
    scale: FloatArray
    has_width = True
    family = "normal_mixture"

    def __post_init__(self) -> None:
        check_tables(weight=self.weight, location=self.location, scale=self.scale)
        check_scale(self.scale)
        check_finite(weight=self.weight, location=self.location, scale=self.scale)
        check_weights(self.weight)

    def __len__(self) -> int:
        return len(self.location)

    def __getitem__(self, where: slice | NDArray[Any]) -> NormalMixturePrediction:
        return NormalMixturePrediction(self.weight[where], self.location[where], self.scale[where])

    @property
    def _share(self) -> FloatArray:
        return shares_of(self.weight)

    @property
    def mean(self) -> FloatArray:
        result: FloatArray = (self._share * self.location).sum(axis=1)
        return result

    @property
    def median(self) -> FloatArray:
        return self.quantile(0.5)

    @property
    def mode(self) -> FloatArray:
        return highest_point(self.log_prob, around_components(self.location, self.scale))

    @property
    def std_stochastic(self) -> FloatArray:
        distance = self.location - self.mean[:, None]
        result: FloatArray = np.sqrt((self._share * (self.scale**2 + distance**2)).sum(axis=1))
        return result

    @property
    def std_model(self) -> FloatArray:
        return np.zeros(len(self))

    def quantile(self, q: ArrayLike) -> FloatArray:
        fraction = np.broadcast_to(check_fraction(q, len(self)), len(self))
        share = self._share
        ends = self.location + self.scale * special.ndtri(fraction)[:, None]

        def cdf_and_density(energy: FloatArray, events: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
            pull = (energy[:, None] - self.location[events]) / self.scale[events]
            density = share[events] * np.exp(-0.5 * pull**2) / self.scale[events]
            return (share[events] * special.ndtr(pull)).sum(axis=1), density.sum(axis=1) / np.sqrt(2 * np.pi)

        return solve_cdf(cdf_and_density, fraction, *quantile_bracket(share, ends))

    def cdf(self, energy: FloatArray) -> FloatArray:
        pull = (np.asarray(energy)[:, None] - self.location) / self.scale
        result: FloatArray = (self._share * special.ndtr(pull)).sum(axis=1)
        return result

    def log_prob(self, energy: FloatArray) -> FloatArray:
        pull = (np.asarray(energy)[:, None] - self.location) / self.scale
        terms = -0.5 * pull**2 - np.log(self.scale) - 0.5 * np.log(2 * np.pi)
        return log_of_sum(self._share, terms)

    def expectation(self, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
        parts = (NormalPrediction(self.location[:, k], self.scale[:, k]) for k in range(self.location.shape[1]))
        values = np.column_stack([part.expectation(function) for part in parts])
        result: FloatArray = (self._share * values).sum(axis=1)
        return result

    def sample(self, n: int, seed: int) -> FloatArray:
        rng = np.random.default_rng(seed)
        component = draw_components(self._share, n, rng)
        event = np.arange(len(self))
        draws = rng.standard_normal((n, len(self)))
        result: FloatArray = self.location[event, component] + self.scale[event, component] * draws
        return result

    def transform(self, energy_map: MonotoneMap) -> Prediction:
        return MappedPrediction(self, energy_map)

    def arrays(self) -> dict[str, FloatArray]:
        return contiguous(weight=self.weight, location=self.location, scale=self.scale)
