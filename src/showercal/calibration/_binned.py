"""The mean or median prediction in bins of the true energy, with its error: what a bias correction is fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from showercal.errors import DataError

FloatArray = NDArray[np.float64]
Statistic = Literal["mean", "median"]
Spacing = Literal["uniform", "log", "quantile"]


@dataclass(frozen=True, eq=False)
class BinnedPrediction:
    """A statistic of the prediction in K bins of the true energy.

    Args:
        edges: Bin edges in true energy, shape (K + 1,), [GeV].
        energy_true: Mean true energy of each bin, shape (K,), [GeV].
        energy_pred: Mean or median prediction at that energy, shape (K,), [GeV].
        error: Statistical error of ``energy_pred``, shape (K,), [GeV].
        n_events: Events in each bin, shape (K,).
    """

    edges: FloatArray
    energy_true: FloatArray
    energy_pred: FloatArray
    error: FloatArray
    n_events: NDArray[np.int64]


def bin_edges(energy_true: FloatArray, n_bins: int, spacing: Spacing, low: float, high: float) -> FloatArray:
    """Edges of bins in true energy, shape (n_bins + 1,), [GeV]."""
    if spacing == "log":
        return np.geomspace(low, high, n_bins + 1)
    if spacing == "quantile":
        inside = energy_true[(energy_true >= low) & (energy_true <= high)]
        return np.quantile(inside, np.linspace(0, 1, n_bins + 1))
    return np.linspace(low, high, n_bins + 1)


def binned_prediction(
    energy_true: FloatArray, energy_pred: FloatArray, edges: FloatArray, statistic: Statistic, min_events: int
) -> BinnedPrediction:
    """Mean or median prediction in bins of truth.

    Within a bin the prediction rises with the truth. Each event is therefore first moved to the mean truth of its bin
    along the straight line through the events of the bin, so that neither the statistic nor its error feels the width
    of the bin.

    Args:
        energy_true: True energies, shape (B,), [GeV].
        energy_pred: Predicted energies, shape (B,), [GeV].
        edges: Bin edges, increasing, shape (K + 1,), [GeV]; the last edge belongs to the last bin.
        statistic: "mean" or "median".
        min_events: Fewest events allowed in a bin.

    Raises:
        DataError: If a bin holds fewer than ``min_events``.
    """
    number = _bin_number(energy_true, edges)
    counts = np.bincount(number[number >= 0], minlength=len(edges) - 1).astype(np.int64)
    _check_counts(counts, edges, min_events)
    truth, value, error = np.empty((3, len(counts)))
    for k in range(len(counts)):
        inside = number == k
        truth[k] = energy_true[inside].mean()
        moved = _moved_to_mean(energy_true[inside], energy_pred[inside])
        value[k], error[k] = _mean(moved) if statistic == "mean" else _median(moved)
    # A toy without noise has error 0; a floor far below any real error keeps the weights finite.
    error = np.maximum(error, max(1e-9 * float(np.ptp(value)), 1e-300))
    return BinnedPrediction(edges, truth, value, error, counts)


def _bin_number(energy_true: FloatArray, edges: FloatArray) -> NDArray[np.int64]:
    number = np.searchsorted(edges, energy_true, side="right").astype(np.int64) - 1
    number[energy_true == edges[-1]] = len(edges) - 2
    number[number >= len(edges) - 1] = -1
    return number


def _check_counts(counts: NDArray[np.int64], edges: FloatArray, min_events: int) -> None:
    poor = counts < min_events
    if np.any(poor):
        k = int(np.argmax(poor))
        raise DataError(
            f"a bias correction needs >= {min_events} events in every bin of energy_true; got {counts[k]} in bin {k} "
            f"({edges[k]:g} to {edges[k + 1]:g} GeV; {int(poor.sum())} of {len(counts)} bins are short of events); use "
            "fewer bins, a narrower energy_range, spacing 'quantile', or more validation events"
        )


def _moved_to_mean(truth: FloatArray, pred: FloatArray) -> FloatArray:
    """Predictions moved to the mean truth along their least-squares line, shape (B,), [GeV]."""
    offset = truth - truth.mean()
    spread = float(offset @ offset)
    slope = float(offset @ pred) / spread if spread > 0 else 0.0
    moved: FloatArray = pred - slope * offset
    return moved


def _mean(values: FloatArray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def _median(values: FloatArray) -> tuple[float, float]:
    """Median and its error, from the ranks one binomial standard deviation away: no density has to be estimated."""
    away = 0.5 / np.sqrt(len(values))
    low, middle, high = np.quantile(values, [0.5 - away, 0.5, 0.5 + away])
    return float(middle), float((high - low) / 2)
