"""A distribution given by some of its quantiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showercal.errors import DataError
from showercal.prediction._base import FloatArray, MonotoneMap, Prediction
from showercal.prediction._checks import check_events, check_finite, check_fraction, check_tables, contiguous
from showercal.prediction._mapped import MappedPrediction

# nodes of expected values: within an interval of constant density, and in an exponential tail
_INSIDE, _INSIDE_WEIGHTS = np.polynomial.legendre.leggauss(4)
_TAIL, _TAIL_WEIGHTS = np.polynomial.laguerre.laggauss(12)


@dataclass(frozen=True, eq=False)
class QuantilePrediction(Prediction):
    """What quantile regression gives: Q energies per event and the fraction expected below each.

    Between the quantiles the density is constant (the cdf is a straight line from level to level). Below the first and
    above the last it falls exponentially, starts at the density of the outermost interval, and holds the probability
    that is left: level_1 below, with decay length tau = level_1 / density_1, and 1 - level_Q above. All properties
    are those of this one distribution; its mode is the middle of the densest interval. All the width is stochastic.

    Args:
        level: Between 0 and 1, increasing: shape (Q,) for levels common to all events, or (B, Q); kept as (B, Q).
        energy: Quantiles, increasing, shape (B, Q), Q >= 2, [GeV].

    Raises:
        DataError: If shapes do not fit, or levels or energies do not increase.

    References:
        R. Koenker and G. Bassett, Econometrica 46 (1978) 33.

    Example:
        >>> prediction = QuantilePrediction(np.array([0.25, 0.75]), np.array([[4.0, 6.0]]))
        >>> (prediction.median, prediction.cdf(np.array([4.5])))
        (array([5.]), array([0.375]))
    """

    level: FloatArray
    energy: FloatArray
    has_width = True
    family = "quantiles"

    def __post_init__(self) -> None:
        if np.ndim(self.level) == 1 and np.ndim(self.energy) == 2 and len(self.level) == self.energy.shape[1]:
            object.__setattr__(self, "level", np.broadcast_to(self.level, self.energy.shape))
        check_tables(level=self.level, energy=self.energy)
        if self.energy.shape[1] < 2:
            raise DataError(f"a prediction by quantiles needs two or more of them; got {self.energy.shape[1]}")
        check_finite(level=self.level, energy=self.energy)
        inside = (self.level > 0) & (self.level < 1)
        wrong = ~inside.all(axis=1) | (np.diff(self.level) <= 0).any(axis=1)
        check_events(wrong, self.level, "levels must increase between 0 and 1, both excluded", "sort them")
        advice = "build them in the network as a running sum of positive steps"
        check_events(np.diff(self.energy) <= 0, self.energy, "quantiles must increase with their level", advice)

    def __len__(self) -> int:
        return len(self.energy)

    def __getitem__(self, where: slice | NDArray[Any]) -> QuantilePrediction:
        return QuantilePrediction(self.level[where], self.energy[where])

    @property
    def _density(self) -> FloatArray:
        """Of the intervals, shape (B, Q - 1), per GeV."""
        density: FloatArray = np.diff(self.level) / np.diff(self.energy)
        return density

    def _tails(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Probability and decay length below the first quantile, then above the last."""
        below, above = self.level[:, 0], 1 - self.level[:, -1]
        return below, below / self._density[:, 0], above, above / self._density[:, -1]

    def _interval_of(self, values: FloatArray, edges: FloatArray) -> NDArray[np.intp]:
        """Index of the interval that holds a value, the outermost for those outside; values and result (..., B)."""
        index = np.zeros(np.shape(values), dtype=np.intp)
        for edge in edges[:, 1:-1].T:
            index += edge <= values
        return index

    @property
    def mean(self) -> FloatArray:
        below, decay_low, above, decay_high = self._tails()
        middle = (self.energy[:, 1:] + self.energy[:, :-1]) / 2
        inside: FloatArray = (np.diff(self.level) * middle).sum(axis=1)
        return below * (self.energy[:, 0] - decay_low) + inside + above * (self.energy[:, -1] + decay_high)

    @property
    def median(self) -> FloatArray:
        return self.quantile(0.5)

    @property
    def mode(self) -> FloatArray:
        event, densest = np.arange(len(self)), np.argmax(self._density, axis=1)
        result: FloatArray = (self.energy[event, densest] + self.energy[event, densest + 1]) / 2
        return result

    @property
    def std_stochastic(self) -> FloatArray:
        below, decay_low, above, decay_high = self._tails()
        distance = self.energy - self.mean[:, None]
        middle, width = (distance[:, 1:] + distance[:, :-1]) / 2, np.diff(self.energy)
        variance: FloatArray = (np.diff(self.level) * (middle**2 + width**2 / 12)).sum(axis=1)
        variance += below * ((distance[:, 0] - decay_low) ** 2 + decay_low**2)
        variance += above * ((distance[:, -1] + decay_high) ** 2 + decay_high**2)
        return np.sqrt(variance)

    @property
    def std_model(self) -> FloatArray:
        return np.zeros(len(self))

    def quantile(self, q: ArrayLike) -> FloatArray:
        return self._quantile(np.broadcast_to(check_fraction(q, len(self)), len(self)))

    def _quantile(self, fraction: FloatArray) -> FloatArray:
        """Quantiles at fractions of shape (..., B)."""
        below, decay_low, above, decay_high = self._tails()
        event, index = np.arange(len(self)), self._interval_of(fraction, self.level)
        inside = self.energy[event, index] + (fraction - self.level[event, index]) / self._density[event, index]
        with np.errstate(divide="ignore"):
            low = self.energy[:, 0] + decay_low * np.log(fraction / below)
            high = self.energy[:, -1] - decay_high * np.log((1 - fraction) / above)
        return np.where(fraction < below, low, np.where(fraction > self.level[:, -1], high, inside))

    def cdf(self, energy: FloatArray) -> FloatArray:
        below, decay_low, above, decay_high = self._tails()
        event, index = np.arange(len(self)), self._interval_of(energy, self.energy)
        inside = self.level[event, index] + (energy - self.energy[event, index]) * self._density[event, index]
        low = below * np.exp(np.minimum(energy - self.energy[:, 0], 0) / decay_low)
        high = 1 - above * np.exp(-np.maximum(energy - self.energy[:, -1], 0) / decay_high)
        return np.where(energy < self.energy[:, 0], low, np.where(energy > self.energy[:, -1], high, inside))

    def log_prob(self, energy: FloatArray) -> FloatArray:
        _, decay_low, _, decay_high = self._tails()
        density = self._density[np.arange(len(self)), self._interval_of(energy, self.energy)]
        low = np.minimum(energy - self.energy[:, 0], 0) / decay_low
        high = np.maximum(energy - self.energy[:, -1], 0) / decay_high
        result: FloatArray = np.log(density) + low - high
        return result

    def expectation(self, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
        below, decay_low, above, decay_high = self._tails()
        result = np.zeros(len(self))
        for node, weight in zip(_TAIL, _TAIL_WEIGHTS, strict=True):
            result += weight * below * function(self.energy[:, 0] - decay_low * node)
            result += weight * above * function(self.energy[:, -1] + decay_high * node)
        for k in range(self.energy.shape[1] - 1):
            start, end = self.energy[:, k], self.energy[:, k + 1]
            probability = self.level[:, k + 1] - self.level[:, k]
            for node, weight in zip(_INSIDE, _INSIDE_WEIGHTS, strict=True):
                result += weight / 2 * probability * function((start + end) / 2 + (end - start) / 2 * node)
        return result

    def sample(self, n: int, seed: int) -> FloatArray:
        return self._quantile(np.random.default_rng(seed).random((n, len(self))))

    def transform(self, energy_map: MonotoneMap) -> Prediction:
        return MappedPrediction(self, energy_map)

    def arrays(self) -> dict[str, FloatArray]:
        return contiguous(level=self.level, energy=self.energy)
