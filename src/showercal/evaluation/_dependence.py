"""How much an error still tells about the true energy: distance correlation and mutual information."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showercal.errors import DataError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_MOST_EVENTS: Final = 20_000  # of these the statistical error is small, and half a second is enough
_N_GROUPS: Final = 20  # of the jackknife
#: Fewest events of which `dependence` says something.
MIN_EVENTS: Final = 5 * _N_GROUPS
_ROUNDING: Final = 1e-10
_N_BINS: Final = 20
_PER_CELL: Final = 5  # fewest events per cell of the histogram, on average


@dataclass(frozen=True)
class Dependence:
    """Result of `dependence`; NaN where one of the two quantities is constant, or nearly so.

    Args:
        dcor: Unbiased squared distance correlation, at most 1; about 0, of either sign, for independence.
        dcor_error: Its standard error.
        mi: Mutual information, [nat]; about 0, of either sign, for independence.
        mi_error: Its standard error, [nat].
    """

    dcor: float
    dcor_error: float
    mi: float
    mi_error: float


def dependence(residual: ArrayLike, energy_true: ArrayLike) -> Dependence:
    """How much a residual, such as (E_pred - E_true) / sqrt(E_true), tells about the true energy.

    Errors are from a jackknife over 20 groups of events. A bootstrap would not do: two copies of an event are at
    distance 0 in both quantities, which looks like dependence.

    Args:
        residual: Shape (B,).
        energy_true: Shape (B,), [GeV].

    Returns:
        Of 20,000 evenly chosen events where there are more.

    Raises:
        DataError: If shapes differ, a value is not finite, or there are fewer than 100 events.

    Example:
        >>> energy = np.linspace(1, 9, 5000)
        >>> noise = np.random.default_rng(1).standard_normal(5000)
        >>> found = dependence(noise, energy)
        >>> bool(abs(found.dcor) < 0.002), bool(abs(found.mi) < 0.02), dependence(noise + energy, energy).dcor > 0.5
        (True, True, True)
    """
    x, y = (np.asarray(v, dtype=np.float64) for v in (residual, energy_true))
    if x.ndim != 1 or x.shape != y.shape or len(x) < MIN_EVENTS:
        raise DataError(
            f"residual and energy_true must have one shape (B,) with B >= {MIN_EVENTS}; got {x.shape}, {y.shape}"
        )
    wrong = ~(np.isfinite(x) & np.isfinite(y))
    if np.any(wrong):
        at = int(np.argmax(wrong))
        raise DataError(
            f"residual and energy_true must be finite; got {x[at]} and {y[at]} at event {at} ({int(wrong.sum())} of "
            f"{len(x)}); look for a diverged training"
        )
    if len(x) > _MOST_EVENTS:
        chosen = np.linspace(0, len(x) - 1, _MOST_EVENTS).astype(np.int64)
        x, y = x[chosen], y[chosen]
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return Dependence(*(4 * [float("nan")]))
    group = np.arange(len(x)) % _N_GROUPS
    kept = np.concatenate([np.ones((1, len(x))), group != np.arange(_N_GROUPS)[:, None]])
    return Dependence(*_jackknife(distance_correlation(x, y, kept)), *_jackknife(mutual_information(x, y, kept)))


def _jackknife(values: FloatArray) -> tuple[float, float]:
    """Value and error from the value on all events and on all but each of the groups."""
    left_out = values[1:]
    n = len(left_out)
    return float(values[0]), float(np.sqrt((n - 1) / n * np.sum((left_out - left_out.mean()) ** 2)))


def distance_correlation(x: FloatArray, y: FloatArray, weights: FloatArray) -> FloatArray:
    """Unbiased squared distance correlation of weighted events, in B log^2 B steps, shape (R,).

    Args:
        x, y: Shape (B,), neither of them constant.
        weights: 1 for the events to take and 0 for the others, shape (R, B).

    References:
        G. J. Szekely, M. L. Rizzo, Ann. Statist. 42 (2014) 2382, arXiv:1310.2926 (unbiased form);
        X. Huo, G. J. Szekely, Technometrics 58 (2016) 435, arXiv:1410.1503, for the sums without a matrix of distances.
    """
    x, y = (v - v.mean() for v in (x, y))  # differences of large sums below keep their digits
    n = weights.sum(axis=-1)
    rows_x, rows_y = _distances(x, weights), _distances(y, weights)
    square_x, square_y = (2 * (n * (weights @ v**2) - (weights @ v) ** 2) for v in (x, y))
    both = _unbiased(_product(x, y, weights), rows_x, rows_y, weights, n)
    own_x, own_y = _unbiased(square_x, rows_x, rows_x, weights, n), _unbiased(square_y, rows_y, rows_y, weights, n)
    # events that all lie at one value but for a few have no more than rounding errors left
    told = (own_x > _ROUNDING * n * (weights @ x**2)) & (own_y > _ROUNDING * n * (weights @ y**2))
    size = np.sqrt(np.where(told, own_x * own_y, 1.0))
    result: FloatArray = np.where(told, both / size, np.nan)
    return result


def _unbiased(product: FloatArray, a: FloatArray, b: FloatArray, weights: FloatArray, n: FloatArray) -> FloatArray:
    """Unbiased squared distance covariance but for the factor 1 / (n (n - 3)), shape (R,).

    Args:
        product: Sum over all pairs of the product of their distances in both quantities, shape (R,).
        a, b: Sum of the distances of each event to all others, shape (R, B).
        weights: Shape (R, B).
        n: Number of events, shape (R,).
    """
    mixed = np.sum(weights * a * b, axis=-1)
    total = np.sum(weights * a, axis=-1) * np.sum(weights * b, axis=-1)
    result: FloatArray = product - 2 * mixed / (n - 2) + total / ((n - 1) * (n - 2))
    return result


def _distances(x: FloatArray, weights: FloatArray) -> FloatArray:
    """Sum of |x_i - x_j| over j for each i, shape (R, B)."""
    order = np.argsort(x)
    w, ordered = weights[:, order], x[order]
    count, total = np.cumsum(w, axis=-1), np.cumsum(w * ordered, axis=-1)
    result = np.empty_like(weights)
    result[:, order] = ordered * (2 * count - count[:, -1:]) + total[:, -1:] - 2 * total
    return result


def _product(x: FloatArray, y: FloatArray, weights: FloatArray) -> FloatArray:
    """Sum over all pairs of |x_i - x_j| |y_i - y_j|, shape (R,).

    With events in the order of x, (x_j - x_i)(y_j - y_i) has the sign of y_j - y_i. The sum is therefore four times
    that over the pairs i < j with y_i < y_j, less twice that over all i < j, which has a closed form.
    """
    order = np.argsort(x)
    x, y, w = x[order], y[order], weights[:, order]
    ones, x_low, y_low, xy_low = _sums_below(np.stack([w, w * x, w * y, w * x * y]), y)
    rising = np.sum(w * (x * y * ones - x * y_low - y * x_low + xy_low), axis=-1)
    signed = w.sum(axis=-1) * (w @ (x * y)) - (w @ x) * (w @ y)
    result: FloatArray = 4 * rising - 2 * signed
    return result


def _sums_below(columns: FloatArray, y: FloatArray) -> FloatArray:
    """For each j the sum over i < j with y_i < y_j, by halves of ever larger blocks as in a merge sort.

    Args:
        columns: What to sum, shape (..., B).
        y: Shape (B,).

    Returns:
        Shape (..., B).
    """
    n = len(y)
    by_y = np.argsort(y, kind="stable")
    result = np.zeros_like(columns)
    for level in range((n - 1).bit_length()):
        # block after block, inside a block by rising y: the right half meets the smaller ones of the left half
        order = by_y[np.argsort(by_y >> (level + 1), kind="stable")]
        is_right = (order >> level) & 1 == 1
        left = np.where(is_right, 0.0, columns[..., order])
        running = np.cumsum(left, axis=-1)
        slot = np.flatnonzero(is_right)
        start = slot >> (level + 1) << (level + 1)
        before = running[..., start] - left[..., start]
        result[..., order[slot]] += running[..., slot] - before
    return result


def mutual_information(x: FloatArray, y: FloatArray, weights: FloatArray) -> FloatArray:
    """Mutual information of weighted events from a histogram in bins of equally many events, shape (R,), [nat].

    A histogram of finite statistics finds information where there is none; the correction of Miller and Madow takes
    off what is expected, (cells - rows - columns + 1) / (2 B) of those that hold events.

    Args:
        x, y: Shape (B,).
        weights: 1 for the events to take and 0 for the others, shape (R, B).

    References:
        G. A. Miller, "Note on the bias of information estimates", in Information Theory in Psychology (1955) 95;
        L. Paninski, Neural Comput. 15 (2003) 1191.
    """
    n_bins = max(2, min(_N_BINS, int(np.sqrt(len(x) / _PER_CELL))))
    cell = _equal_bins(x, n_bins) * n_bins + _equal_bins(y, n_bins)
    counts: FloatArray = np.stack([np.bincount(cell, w, n_bins**2) for w in weights]).astype(np.float64)
    counts = counts.reshape(-1, n_bins, n_bins)
    parts = (counts.sum(axis=2), counts.sum(axis=1), counts.reshape(len(counts), -1))
    rows, columns, cells = (_entropy(part) for part in parts)
    return rows + columns - cells


def _equal_bins(values: FloatArray, n_bins: int) -> IntArray:
    rank = np.empty(len(values), dtype=np.int64)
    rank[np.argsort(values, kind="stable")] = np.arange(len(values))
    return rank * n_bins // len(values)


def _entropy(counts: FloatArray) -> FloatArray:
    """Entropy of counts along the last axis with the correction of Miller and Madow, [nat]."""
    n = counts.sum(axis=-1)
    logs = np.log(counts, out=np.zeros_like(counts), where=counts > 0)
    result: FloatArray = np.log(n) - np.sum(counts * logs, axis=-1) / n + (np.sum(counts > 0, axis=-1) - 1) / (2 * n)
    return result
