"""Log-normal distributions restricted to an interval, weighted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showercal.prediction._base import FloatArray, MonotoneMap, Prediction
from showercal.prediction._checks import (
    check_columns,
    check_events,
    check_finite,
    check_fraction,
    check_scale,
    check_tables,
    contiguous,
)
from showercal.prediction._mapped import MappedPrediction
from showercal.prediction._quadrature import expectation_by_quantiles, nodes_every
from showercal.prediction._search import highest_point, solve_cdf
from showercal.prediction._truncated_normal import TruncatedNormalPrediction
from showercal.prediction._weights import (
    around_components,
    check_weights,
    draw_components,
    log_of_sum,
    quantile_bracket,
    shares_of,
)

# the exponential of a curve that fills three decades needs closer nodes than the curve itself
_NODES: Final = nodes_every(0.25)


@dataclass(frozen=True, eq=False)
class TruncatedLogNormalPrediction(Prediction):
    """log(energy/GeV) is a weighted sum of K normals, each restricted to the same interval and renormalised there.

        p(E) = 1/E sum_k w_k N(log E; m_k, s_k) / [Phi((log high - m_k)/s_k) - Phi((log low - m_k)/s_k)]

    for low <= E <= high, 0 elsewhere. With K = 1 the posterior of a measurement with relative errors where the spectrum
    ends at both ends. Probabilities and moments are those of `TruncatedNormalPrediction` in log E, accurate as there
    for components many scales outside. Quantiles of more than one component are solved to 1e-14 of log E; the mode is
    the highest point within two scales of any component, good to 1e-7 of that component's scale. All the width is
    stochastic.

    Args:
        weight: At or above 0, with sum 1 per event (to 1e-5: the rounding of float32, which is divided out), shape
            (B, K), no unit.
        location: Locations in log(energy/GeV) before the restriction, also outside the interval, shape (B, K), no unit.
        scale: Scales in log(energy/GeV), shape (B, K), no unit, above 0.
        low: Lower end, shape (B,), [GeV], above 0.
        high: Upper end, above ``low``, shape (B,), [GeV].

    Raises:
        DataError: If the shapes differ, a value is not finite, a scale is not above 0, a weight is negative, the
            weights do not add up to 1, or an interval is empty or not above 0.

    Example:
        >>> one = np.ones((1, 1))
        >>> flat = TruncatedLogNormalPrediction(one, 0 * one, 1e3 * one, np.ones(1), np.full(1, 100.0))
        >>> flat.median.round(3)  # so wide that it is flat in log E: the geometric mean of the ends
        array([10.])
    """

    weight: FloatArray
    location: FloatArray
    scale: FloatArray
    low: FloatArray
    high: FloatArray
    has_width = True
    family = "truncated_log_normal"

    def __post_init__(self) -> None:
        check_tables(weight=self.weight, location=self.location, scale=self.scale)
        check_columns(location=self.location[:, 0], low=self.low, high=self.high)  # as many ends as rows
        check_scale(self.scale, unit="")
        check_finite(weight=self.weight, location=self.location, scale=self.scale, low=self.low, high=self.high)
        check_weights(self.weight)
        ends = np.column_stack([self.low, self.high])
        wrong = ~((self.low > 0) & (self.low < self.high))
        check_events(wrong, ends, "low must be > 0 GeV and below high", "give the range of the training energies")

    def __len__(self) -> int:
        return len(self.low)

    def __getitem__(self, where: slice | NDArray[Any]) -> TruncatedLogNormalPrediction:
        parts = (values[where] for values in (self.weight, self.location, self.scale, self.low, self.high))
        return TruncatedLogNormalPrediction(*parts)

    @property
    def _share(self) -> FloatArray:
        return shares_of(self.weight)

    def _curves(self, event: NDArray[Any], component: NDArray[Any]) -> TruncatedNormalPrediction:
        """Chosen components in log E, one after the other."""
        ends = np.log(self.low[event]), np.log(self.high[event])
        return TruncatedNormalPrediction(self.location[event, component], self.scale[event, component], *ends)

    def _all_curves(self, events: NDArray[Any] | None = None) -> TruncatedNormalPrediction:
        """All components of (some) events: the first event's, then the second's."""
        chosen = np.arange(len(self)) if events is None else events
        K = self.weight.shape[1]
        return self._curves(np.repeat(chosen, K), np.tile(np.arange(K), len(chosen)))

    def _of_components(self, values: FloatArray) -> FloatArray:
        """Values of `_all_curves` as a table (B, K)."""
        return values.reshape(-1, self.weight.shape[1])

    def _to_energy(self, log_energy: FloatArray) -> FloatArray:
        """Exponential that the last digit does not carry past the ends; shape (..., B)."""
        return np.clip(np.exp(log_energy), self.low, self.high)

    def _moments(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of every component, shape (B, K), [GeV]."""
        mode, step, weight = self._all_curves().smooth_nodes()
        # from the mode, so that a narrow component keeps the digits of its width
        excess = np.expm1(step)
        mean = (weight * excess).sum(axis=0)
        std = np.sqrt((weight * (excess - mean) ** 2).sum(axis=0))
        top = np.exp(mode)
        return self._of_components(top * (1 + mean)), self._of_components(top * std)

    @property
    def mean(self) -> FloatArray:
        result: FloatArray = (self._share * self._moments()[0]).sum(axis=1)
        return result

    @property
    def median(self) -> FloatArray:
        return self.quantile(0.5)

    @property
    def mode(self) -> FloatArray:
        # 1/E moves the top of a log-normal down by the square of its scale
        around = around_components(self.location - self.scale**2, self.scale)
        inside = np.clip(around, np.log(self.low), np.log(self.high))
        return self._to_energy(highest_point(self._log_prob_at, inside))

    @property
    def std_stochastic(self) -> FloatArray:
        mean, std = self._moments()
        share = self._share
        distance = mean - (share * mean).sum(axis=1, keepdims=True)
        result: FloatArray = np.sqrt((share * (std**2 + distance**2)).sum(axis=1))
        return result

    @property
    def std_model(self) -> FloatArray:
        return np.zeros(len(self))

    def quantile(self, q: ArrayLike) -> FloatArray:
        fraction = np.broadcast_to(check_fraction(q, len(self)), len(self))
        share, K = self._share, self.weight.shape[1]
        ends = self._of_components(self._all_curves().quantile(np.repeat(fraction, K)))

        def cdf_and_density(log_energy: FloatArray, events: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
            curves, at = self._all_curves(events), np.repeat(log_energy, K)
            cdf, density = self._of_components(curves.cdf(at)), self._of_components(np.exp(curves.log_prob(at)))
            return (share[events] * cdf).sum(axis=1), (share[events] * density).sum(axis=1)

        return self._to_energy(solve_cdf(cdf_and_density, fraction, *quantile_bracket(share, ends)))

    def cdf(self, energy: FloatArray) -> FloatArray:
        at = np.log(np.clip(energy, self.low, self.high))
        parts = self._of_components(self._all_curves().cdf(np.repeat(at, self.weight.shape[1])))
        result: FloatArray = (self._share * parts).sum(axis=1)
        return result

    def _log_prob_at(self, log_energy: FloatArray) -> FloatArray:
        """Log density per GeV, inside the interval."""
        density = self._all_curves().log_prob(np.repeat(log_energy, self.weight.shape[1]))
        return log_of_sum(self._share, self._of_components(density)) - log_energy

    def log_prob(self, energy: FloatArray) -> FloatArray:
        outside = (energy < self.low) | (energy > self.high)
        return np.where(outside, -np.inf, self._log_prob_at(np.log(np.clip(energy, self.low, self.high))))

    def expectation(self, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
        curves = self._all_curves()

        def of_components(log_energy: FloatArray) -> FloatArray:
            energy = self._to_energy(self._of_components(log_energy).T)
            return np.column_stack([function(one) for one in energy])

        values = expectation_by_quantiles(curves.quantile, of_components, _NODES)
        result: FloatArray = (self._share * values).sum(axis=1)
        return result

    def sample(self, n: int, seed: int) -> FloatArray:
        rng = np.random.default_rng(seed)
        component = draw_components(self._share, n, rng)
        event = np.broadcast_to(np.arange(len(self)), component.shape)
        draws = self._curves(event.ravel(), component.ravel()).quantile(rng.random(component.size))
        return self._to_energy(draws.reshape(component.shape))

    def transform(self, energy_map: MonotoneMap) -> Prediction:
        return MappedPrediction(self, energy_map)

    def arrays(self) -> dict[str, FloatArray]:
        tables = contiguous(weight=self.weight, location=self.location, scale=self.scale)
        return tables | contiguous(low=self.low, high=self.high)
