"""Metrics of the predicted distributions of one method on resampled events."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from showercal.evaluation._bootstrap import SortedResampler
from showercal.evaluation._moments import Moments
from showercal.evaluation._reliability import Ence
from showercal.evaluation._statistics import sigma68
from showercal.evaluation._widths import COVERAGES, WidthArrays, crps, is_covered

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

WIDTH_METRICS: Final = (
    "nll",
    "crps",
    "sharpness",
    "pull_mean",
    "pull_width",
    "pull_sigma68",
    *COVERAGES,
    "pit_ks",
    "ence",
)
#: What is also given before the recalibration of the width, and of what.
RAW_WIDTH_METRICS: Final = MappingProxyType(
    {f"{metric}_raw": metric for metric in ("nll", "pull_width", "coverage_68", "coverage_95")}
)


class WidthColumns:
    """One method's pulls, scores and hits on one sample, ready to be resampled.

    Args:
        truth: True energies, shape (B,), [GeV].
        width: Of the same events.
    """

    def __init__(self, truth: FloatArray, width: WidthArrays) -> None:
        pull = width.pulls(truth)
        self._pull = SortedResampler(pull)
        order = self._pull.order
        self._moments = Moments(pull[order])
        # a truth that the prediction excludes has no finite score
        nll = -width.log_density if np.all(np.isfinite(width.log_density)) else np.full(len(truth), np.nan)
        columns = {"nll": nll, "crps": crps(truth, width.levels, width.quantiles), "sharpness": width.sigma68}
        columns |= {name: is_covered(width.pit, level).astype(np.float64) for name, level in COVERAGES.items()}
        self._names = tuple(columns)
        self._means = np.column_stack(list(columns.values()))[order]
        self._pit_order = np.argsort(width.pit[order], kind="stable")
        self._pit = np.sort(width.pit)
        self._ence = Ence((width.median - truth)[order], width.std[order])

    def metrics(self, at: IntArray, energy: FloatArray) -> dict[str, FloatArray]:
        """Metrics on resampled events, each of shape (R,).

        Args:
            at: Positions, shape (R, B).
            energy: Mean true energy of each replica, shape (R,), [GeV].
        """
        counts = self._pull.counts(at)
        weights = counts.astype(np.float64)
        mean, std = self._moments.mean_and_std(weights)
        found = dict(zip(self._names, (weights @ self._means / weights.shape[1]).T, strict=True))
        found["sharpness"] = found["sharpness"] / np.sqrt(energy)
        return found | {
            "pull_mean": mean,
            "pull_width": std,
            "pull_sigma68": sigma68(self._pull.values(counts), is_sorted=True),
            "pit_ks": self._distance(weights),
            "ence": self._ence(weights),
        }

    def _distance(self, weights: FloatArray) -> FloatArray:
        """Largest distance between the cumulative distribution of the PIT and that of uniform values, shape (R,)."""
        drawn = weights[:, self._pit_order] / weights.shape[1]
        above = np.cumsum(drawn, axis=1)
        result: FloatArray = np.maximum(np.max(above - self._pit, axis=1), np.max(self._pit - (above - drawn), axis=1))
        return result
