"""Centres and widths of distributions, each a function of an array along its last axis.

A matrix of resampled events, one replica per row, is therefore evaluated at once. The functions that need sorted
values take ``is_sorted=True`` from a caller who has sorted already.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

FloatArray = NDArray[np.float64]

#: Content of +-1 sigma of a normal distribution.
CENTRAL: Final = float(special.erf(np.sqrt(0.5)))
_CORE: Final = 2.0  # half-width of the window of the Gaussian core, in sigma
_CORE_CONTENT: Final = float(special.erf(_CORE / np.sqrt(2)))
# Standard deviation of a unit normal truncated at +-2: its likelihood is largest where the data have this one.
_CORE_STD: Final = float(np.sqrt(1 - 2 * _CORE * np.exp(-(_CORE**2) / 2) / np.sqrt(2 * np.pi) / _CORE_CONTENT))


def quantile(values: ArrayLike, q: float, *, is_sorted: bool = False) -> FloatArray:
    """Quantile along the last axis, linear between neighbouring values as in `numpy.quantile`, shape (...)."""
    ordered = _sorted(values, is_sorted)
    position = q * (ordered.shape[-1] - 1)
    below = int(position)
    above = min(below + 1, ordered.shape[-1] - 1)
    result: FloatArray = ordered[..., below] + (position - below) * (ordered[..., above] - ordered[..., below])
    return result


def median(values: ArrayLike, *, is_sorted: bool = False) -> FloatArray:
    """Median along the last axis, shape (...)."""
    return quantile(values, 0.5, is_sorted=is_sorted)


def iqr(values: ArrayLike, *, is_sorted: bool = False) -> FloatArray:
    """Interquartile range Q3 - Q1 along the last axis, shape (...); 1.349 sigma for a normal distribution."""
    ordered = _sorted(values, is_sorted)
    return quantile(ordered, 0.75, is_sorted=True) - quantile(ordered, 0.25, is_sorted=True)


def sigma68(values: ArrayLike, *, is_sorted: bool = False) -> FloatArray:
    """Half the central interval that holds 68.27 % of the values, along the last axis, shape (...).

    Example:
        >>> sigma68(special.ndtri(np.linspace(0.0005, 0.9995, 1000))).round(3)
        np.float64(0.999)
    """
    ordered = _sorted(values, is_sorted)
    high = quantile(ordered, (1 + CENTRAL) / 2, is_sorted=True)
    return (high - quantile(ordered, (1 - CENTRAL) / 2, is_sorted=True)) / 2


def effective_width(values: ArrayLike, *, is_sorted: bool = False) -> FloatArray:
    """Half the shortest interval that holds 68.27 % of the values, along the last axis, shape (...).

    Between neighbouring values the interval ends on a linear interpolation, as quantiles do.
    """
    ordered = _sorted(values, is_sorted)
    n = ordered.shape[-1]
    span = CENTRAL * (n - 1)
    whole = int(span)
    ends = ordered[..., whole:]
    if span > whole:
        ends = ends[..., :-1] + (span - whole) * (ends[..., 1:] - ends[..., :-1])
    result: FloatArray = np.min(ends - ordered[..., : ends.shape[-1]], axis=-1) / 2
    return result


def gaussian_core(
    values: ArrayLike, *, is_sorted: bool = False, tolerance: float = 1e-4, max_steps: int = 60
) -> tuple[FloatArray, FloatArray]:
    """Mean and width of the normal core: a maximum likelihood fit in a window of +-2 sigma around its own mean.

    In a window symmetric about the mean, the likelihood of the truncated normal is largest where mean and standard
    deviation of the events inside are those of the truncated normal: m = mu and s = 0.8796 sigma. Taking mu = m and
    sigma = s / 0.8796, then the window anew, until nothing moves, is that fit; a normal distribution is given back
    without bias, and events beyond 2 sigma have no say.

    Args:
        values: Shape (..., n).
        is_sorted: Whether the last axis is sorted already.
        tolerance: Largest change in units of the width, at which to stop; the steps shrink by half or faster.
        max_steps: Most steps.

    Returns:
        Mean and width, each of shape (...). Where fewer than 3 events lie in the window, or the events within it do not
        determine a width, both are NaN.

    References:
        A. C. Cohen, Ann. Math. Statist. 21 (1950) 557, equations for doubly truncated samples.
    """
    ordered = _sorted(values, is_sorted)
    rows = ordered.reshape(-1, ordered.shape[-1])
    centre = median(rows, is_sorted=True)
    # sums of offsets from the median keep their digits
    offset = rows - centre[:, None]
    first, second = _running_sum(offset), _running_sum(offset**2)
    mean, width = np.zeros(len(rows)), sigma68(rows, is_sorted=True)
    for _ in range(max_steps):
        low, high = _counts_below(offset, np.stack([mean - _CORE * width, mean + _CORE * width]))
        inside_mean, inside_std = _window_moments(first, second, low, high)
        new_width = inside_std / _CORE_STD
        moved = np.maximum(abs(inside_mean - mean), abs(new_width - width))
        mean, width = inside_mean, new_width
        if not np.any(moved > tolerance * width):
            break
    shape = ordered.shape[:-1]
    width = np.where(width > 0, width, np.nan)
    return np.reshape(np.where(width > 0, centre + mean, np.nan), shape), np.reshape(width, shape)


def _window_moments(
    first: FloatArray, second: FloatArray, low: NDArray[np.int64], high: NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of the values from position low to high (excluded), from running sums, per row."""
    row = np.arange(len(first))
    n = np.where(high - low >= 3, high - low, np.nan)
    mean = (first[row, high] - first[row, low]) / n
    variance = (second[row, high] - second[row, low]) / n - mean**2
    return mean, np.sqrt(np.maximum(variance, 0))


def _running_sum(values: FloatArray) -> FloatArray:
    """Sum of the values before each position, from 0 to all of them, shape (rows, n + 1)."""
    result = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=result[:, 1:])
    return result


def _counts_below(ordered: FloatArray, limits: FloatArray) -> NDArray[np.int64]:
    """Values below each of several limits in every sorted row, by bisection in all rows together.

    Args:
        ordered: Shape (rows, n), sorted along the last axis.
        limits: Shape (limits, rows).

    Returns:
        Shape (limits, rows).
    """
    n = ordered.shape[1]
    start = np.arange(0, ordered.size, n)
    flat = ordered.ravel()
    count = np.zeros(limits.shape, dtype=np.int64)
    for power in reversed(range(n.bit_length())):
        more = count + (1 << power)
        last = np.minimum(more, n) - 1
        count = np.where((more <= n) & (flat[start + last] < limits), more, count)
    return count


def _sorted(values: ArrayLike, is_sorted: bool) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"a statistic needs at least one value along the last axis; got shape {array.shape}")
    return array if is_sorted else np.sort(array, axis=-1)
