"""Means, medians and widths of one sample with their statistical errors, and the ratio of two samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_TRIM: Final = 0.1  # at each end of the truncated mean: the central 80 % stay


@dataclass(frozen=True)
class Estimate:
    """A number with its statistical error; NaN where there are too few events."""

    value: float
    error: float

    @property
    def relative_error(self) -> float:
        """Error over value, without a sign."""
        return abs(self.error / self.value) if self.value else math.nan

    def over(self, reference: Estimate) -> Estimate:
        """Ratio to an independent estimate.

        Example:
            >>> Estimate(1.0, 0.03).over(Estimate(2.0, 0.08))
            Estimate(value=0.5, error=0.025)
        """
        if not reference.value or not math.isfinite(reference.value):
            return Estimate(math.nan, math.nan)
        value = self.value / reference.value
        return Estimate(value, math.hypot(self.error, value * reference.error) / abs(reference.value))


_NOTHING: Final = Estimate(math.nan, math.nan)


def mean_estimate(values: FloatArray) -> Estimate:
    """Mean; its error is s / sqrt(n)."""
    n = len(values)
    return _NOTHING if n < 2 else Estimate(float(values.mean()), float(values.std(ddof=1)) / math.sqrt(n))


def stratified_mean(values: FloatArray, groups: list[NDArray[np.int64]]) -> Estimate:
    """Mean of events whose true energies are given, not drawn: only the spread within narrow groups counts as error.

    Args:
        values: Shape (B,).
        groups: Positions of the events of each group, e.g. from `Binning.groups`; events in none are left out.

    References:
        W. G. Cochran, Sampling Techniques, 3rd ed. (1977), equation 5.9.
    """
    kept = [group for group in groups if len(group)]
    n = sum(map(len, kept))
    if n < 2:
        return _NOTHING
    value = sum(float(values[group].sum()) for group in kept) / n
    variance = sum(len(group) * float(values[group].var(ddof=1)) for group in kept if len(group) > 1)
    return Estimate(value, math.sqrt(variance) / n)


def width_estimate(values: FloatArray) -> Estimate:
    """Standard deviation over mean; its error from the third and fourth moments of the sample, by error propagation.

    References:
        M. G. Kendall, A. Stuart, The Advanced Theory of Statistics, vol. 1 (1977), section 10.9.
    """
    n = len(values)
    mean, std = (float(values.mean()), float(values.std(ddof=1))) if n > 2 else (0.0, 0.0)
    if not (mean and std):
        return _NOTHING
    unit = (values - mean) / std
    skewness, kurtosis = float(np.mean(unit**3)), float(np.mean(unit**4))
    width = std / abs(mean)
    # relative variances of std and mean, minus twice their covariance
    square = (kurtosis - 1) / 4 + width**2 - width * skewness * math.copysign(1, mean)
    return Estimate(width, width * math.sqrt(max(square, 0) / n))


def median_estimate(values: FloatArray) -> Estimate:
    """Median; its error from the order statistics one binomial standard deviation away.

    References:
        H. A. David, H. N. Nagaraja, Order Statistics, 3rd ed. (2003), section 7.1.
    """
    n = len(values)
    if n < 2:
        return _NOTHING
    apart = 0.5 / math.sqrt(n)
    low, middle, high = np.quantile(values, [max(0.5 - apart, 0), 0.5, min(0.5 + apart, 1)])
    return Estimate(float(middle), float(high - low) / 2)


def truncated_mean_estimate(values: FloatArray) -> Estimate:
    """Mean of the central 80 %; its error from the variance with the ends drawn in (Winsorised).

    References:
        J. W. Tukey, D. H. McLaughlin, Sankhya A 25 (1963) 331.
    """
    n = len(values)
    n_cut = int(_TRIM * n)
    if n - 2 * n_cut < 2:
        return _NOTHING
    ordered = np.sort(values)
    inside = ordered[n_cut : n - n_cut]
    drawn_in = np.clip(ordered, inside[0], inside[-1])
    return Estimate(float(inside.mean()), float(drawn_in.std(ddof=1)) / ((1 - 2 * _TRIM) * math.sqrt(n)))


#: Estimates of one sample by the name of what they measure.
ESTIMATES: Final[Mapping[str, Callable[[FloatArray], Estimate]]] = MappingProxyType(
    {
        "mean": mean_estimate,
        "width": width_estimate,
        "median": median_estimate,
        "truncated_mean": truncated_mean_estimate,
    }
)
