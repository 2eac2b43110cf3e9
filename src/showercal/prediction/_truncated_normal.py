"""A normal distribution restricted to an interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from showercal.prediction._base import FloatArray, MonotoneMap, Prediction
from showercal.prediction._checks import (
    check_columns,
    check_events,
    check_finite,
    check_fraction,
    check_scale,
    contiguous,
)
from showercal.prediction._mapped import MappedPrediction
from showercal.prediction._quadrature import expectation_by_quantiles

# nodes for mean and width; the integrands have no zero there, so 40 nodes give all digits of float64
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)
# where the density has fallen by exp(-40) from its maximum the rest of the interval does not count
_REACH: Final = 80.0


@dataclass(frozen=True, eq=False)
class TruncatedNormalPrediction(Prediction):
    """A normal distribution restricted to [low, high], renormalised there.

    Everything stays accurate for locations many scales outside the interval, where the normal density underflows:
    probabilities are differences of log Phi taken in the tail where they are small (good to 1e-12 at 50 scales), and
    the two moments are integrals of positive terms over the part of the interval that counts (1e-12 relative; the
    textbook formulae lose most digits there). A scale 1e4 times the interval costs four digits of the probabilities.

    Args:
        location: Location of the normal before the restriction, also outside the interval, shape (B,), [GeV].
        scale: Its scale, shape (B,), [GeV], above 0.
        low: Lower end, shape (B,), [GeV].
        high: Upper end, above ``low``, shape (B,), [GeV].

    Raises:
        DataError: If the shapes differ, a value is not finite, a scale is not above 0 or an interval is empty.

    Example:
        >>> at_edge = TruncatedNormalPrediction(np.zeros(1), np.ones(1), np.zeros(1), np.full(1, 20.0))
        >>> at_edge.mean.round(6)  # half of a normal: sqrt(2 / pi)
        array([0.797885])
    """

    location: FloatArray
    scale: FloatArray
    low: FloatArray
    high: FloatArray
    has_width = True
    family = "truncated_normal"

    def __post_init__(self) -> None:
        check_columns(location=self.location, scale=self.scale, low=self.low, high=self.high)
        check_scale(self.scale)
        check_finite(location=self.location, scale=self.scale, low=self.low, high=self.high)
        ends = np.column_stack([self.low, self.high])
        check_events(~(self.low < self.high), ends, "low must be below high", "give the range of the training energies")

    def __len__(self) -> int:
        return len(self.location)

    def __getitem__(self, where: slice | NDArray[Any]) -> TruncatedNormalPrediction:
        parts = (column[where] for column in (self.location, self.scale, self.low, self.high))
        return TruncatedNormalPrediction(*parts)

    def _pulls(self, energy: FloatArray) -> FloatArray:
        return (energy - self.location) / self.scale

    def smooth_nodes(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Gauss-Legendre nodes over the part of the interval that counts, for integrals of smooth functions.

        Returns:
            The mode, shape (B,), [GeV]; the nodes' distances from there, shape (N, B), [GeV]; the probabilities that
            they stand for, with sum 1, shape (N, B).
        """
        mode = self.mode
        tilt = self._pulls(mode)  # the density is exp(-tilt * u - u^2 / 2) of that at the mode
        reach = _REACH / (abs(tilt) + np.sqrt(tilt**2 + _REACH))
        start = -np.minimum((mode - self.low) / self.scale, reach)
        end = np.minimum((self.high - mode) / self.scale, reach)
        u = (start + end) / 2 + np.multiply.outer(_NODES, (end - start) / 2)
        density = _WEIGHTS[:, None] * np.exp(-tilt * u - 0.5 * u**2)
        weight: FloatArray = density / density.sum(axis=0)
        return mode, self.scale * u, weight

    @property
    def mean(self) -> FloatArray:
        mode, step, weight = self.smooth_nodes()
        mean: FloatArray = mode + (weight * step).sum(axis=0)
        return mean

    @property
    def median(self) -> FloatArray:
        return self.quantile(0.5)

    @property
    def mode(self) -> FloatArray:
        return np.clip(self.location, self.low, self.high)

    @property
    def std_stochastic(self) -> FloatArray:
        _, step, weight = self.smooth_nodes()
        std: FloatArray = np.sqrt((weight * (step - (weight * step).sum(axis=0)) ** 2).sum(axis=0))
        return std

    @property
    def std_model(self) -> FloatArray:
        return np.zeros_like(self.scale)

    def quantile(self, q: ArrayLike) -> FloatArray:
        return self._quantile(check_fraction(q, len(self)))

    def _quantile(self, fraction: FloatArray) -> FloatArray:
        """Quantiles at fractions of any shape that fits (B,)."""
        below, above = self._pulls(self.low), self._pulls(self.high)
        # log Phi of the wanted pull lies between those of the ends, by its fraction; mirrored where the interval lies
        # in the upper tail, so that small numbers are added
        upper = below + above > 0
        with np.errstate(divide="ignore"):
            low_part = np.log1p(-fraction) + special.log_ndtr(np.where(upper, -below, below))
            high_part = np.log(fraction) + special.log_ndtr(np.where(upper, -above, above))
        pull = special.ndtri_exp(np.logaddexp(low_part, high_part))
        inside = np.clip(self.location + self.scale * np.where(upper, -pull, pull), self.low, self.high)
        return np.where(fraction == 0, self.low, np.where(fraction == 1, self.high, inside))

    def _log_total(self) -> FloatArray:
        return _log_mass(self._pulls(self.low), self._pulls(self.high))

    def cdf(self, energy: FloatArray) -> FloatArray:
        inside = self._pulls(np.clip(energy, self.low, self.high))
        return np.exp(_log_mass(self._pulls(self.low), inside) - self._log_total())

    def log_prob(self, energy: FloatArray) -> FloatArray:
        constant = np.log(self.scale) + 0.5 * np.log(2 * np.pi) + self._log_total()
        outside = (energy < self.low) | (energy > self.high)
        return np.where(outside, -np.inf, -0.5 * self._pulls(energy) ** 2 - constant)

    def expectation(self, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
        return expectation_by_quantiles(self.quantile, function)

    def sample(self, n: int, seed: int) -> FloatArray:
        return self._quantile(np.random.default_rng(seed).random((n, len(self))))

    def transform(self, energy_map: MonotoneMap) -> Prediction:
        return MappedPrediction(self, energy_map)

    def arrays(self) -> dict[str, FloatArray]:
        return contiguous(location=self.location, scale=self.scale, low=self.low, high=self.high)


def _log_mass(start: FloatArray, end: FloatArray) -> FloatArray:
    """log(Phi(end) - Phi(start)), start <= end, in the tail where both are small."""
    upper = start + end > 0
    lower = special.log_ndtr(np.where(upper, -end, start))
    higher = special.log_ndtr(np.where(upper, -start, end))
    with np.errstate(divide="ignore"):
        result: FloatArray = higher + np.log(-np.expm1(np.minimum(lower - higher, 0)))
    return result
