"""Reliability of predicted widths: predicted against observed in bins of the predicted width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_N_BINS: Final = 10
_PER_BIN: Final = 10  # fewest events of a bin of the predicted width


@dataclass(frozen=True, eq=False)
class Reliability:
    """Widths in bins of equally many events, in the order of the predicted width; all of shape (K,).

    Args:
        predicted: Root mean square of the predicted widths, [GeV].
        observed: Root mean square of predicted minus true energy, [GeV].
        error: Standard error of ``observed``, [GeV].
    """

    predicted: FloatArray
    observed: FloatArray
    error: FloatArray


def reliability(energy_true: ArrayLike, energy_pred: ArrayLike, std: ArrayLike, n_bins: int = _N_BINS) -> Reliability:
    """Compare predicted widths with the errors that were made.

    Args:
        energy_true: Shape (B,), [GeV].
        energy_pred: Shape (B,), [GeV].
        std: Predicted standard deviation, shape (B,), [GeV].
        n_bins: Most bins; fewer where a bin would hold fewer than 10 events.

    References:
        D. Levi et al., Sensors 22 (2022) 5540, arXiv:1905.11659.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> width = rng.uniform(1, 2, 50_000)
        >>> found = reliability(np.zeros(50_000), 2 * width * rng.standard_normal(50_000), width)
        >>> bool(np.all(abs(found.observed / found.predicted - 2) < 4.5 * found.error / found.predicted))
        True
    """
    squares = (np.asarray(energy_pred, dtype=np.float64) - np.asarray(energy_true, dtype=np.float64)) ** 2
    variances = np.asarray(std, dtype=np.float64) ** 2
    bins = width_bins(variances, n_bins)
    predicted = np.sqrt([variances[at].mean() for at in bins])
    mean = np.array([squares[at].mean() for at in bins])
    spread = np.array([squares[at].std(ddof=1) / np.sqrt(len(at)) for at in bins])
    return Reliability(predicted, np.sqrt(mean), spread / (2 * np.sqrt(mean)))


def width_bins(widths: FloatArray, n_bins: int = _N_BINS) -> list[IntArray]:
    """Positions of the events of each bin of the predicted width, narrow ones first."""
    return np.array_split(np.argsort(widths, kind="stable"), max(1, min(n_bins, len(widths) // _PER_BIN)))


class Ence:
    """Expected normalised calibration error of resampled events: mean over bins of |1 - observed / predicted|.

    Args:
        residual: Predicted minus true energy, shape (B,), [GeV].
        std: Predicted standard deviation, shape (B,), [GeV].

    References:
        D. Levi et al., Sensors 22 (2022) 5540, arXiv:1905.11659 (ENCE).
    """

    def __init__(self, residual: FloatArray, std: FloatArray) -> None:
        bins = width_bins(std**2)
        self._sums = np.zeros((2, len(residual), len(bins)))
        for k, at in enumerate(bins):
            self._sums[0, at, k] = std[at] ** 2
            self._sums[1, at, k] = residual[at] ** 2

    def __call__(self, weights: FloatArray) -> FloatArray:
        """Shape (R,).

        Args:
            weights: How often each event was drawn, shape (R, B).
        """
        predicted, observed = np.sqrt(weights @ self._sums)
        # the number of events of a bin cancels; a bin of which none was drawn says nothing
        relative = np.divide(observed, predicted, out=np.ones_like(observed), where=predicted > 0)
        result: FloatArray = np.mean(np.abs(1 - relative), axis=-1)
        return result
