"""Slopes of the spline correction beyond its outermost points, where there is no truth to fit."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from showercal.calibration._binned import BinnedPrediction
from showercal.calibration._maps import SplineMap

FloatArray = NDArray[np.float64]

# A tail slope from closure stays within this factor of the slope where the tail begins: a few wild events in the
# outermost bin must not turn the tail around.
_TAIL_FREEDOM: Final = 5.0


def with_tangents(points: FloatArray, energy: FloatArray) -> SplineMap:
    """The spline through the points, its tails continuing its end slopes."""
    steps = np.diff(energy) / np.diff(points)  # the cubic's slope is 0 at an end where it turns sharply: use the chord
    chords = SplineMap(tuple(points.tolist()), tuple(energy.tolist()), float(steps[0]), float(steps[-1]))
    inner = np.nextafter(points[[0, -1]], points[[-1, 0]])
    low, high = np.maximum(chords.derivative(inner), steps[[0, -1]] / _TAIL_FREEDOM)
    return SplineMap(chords.energy_pred, chords.energy, float(low), float(high))


def with_closure(spline: SplineMap, bins: BinnedPrediction, truth: FloatArray, pred: FloatArray) -> SplineMap:
    """The same spline with tails of which the mean correction in the two outermost bins is right."""
    first, last = spline.energy_pred[0], spline.energy_pred[-1]
    lowest = (truth >= bins.edges[0]) & (truth < bins.edges[1])
    highest = (truth >= bins.edges[-2]) & (truth <= bins.edges[-1])
    low = _tail_slope(spline, truth[lowest], pred[lowest], np.minimum(pred[lowest] - first, 0), spline.slope_low)
    high = _tail_slope(spline, truth[highest], pred[highest], np.maximum(pred[highest] - last, 0), spline.slope_high)
    return SplineMap(spline.energy_pred, spline.energy, low, high)


def _tail_slope(spline: SplineMap, truth: FloatArray, pred: FloatArray, beyond: FloatArray, tangent: float) -> float:
    """Slope s of a tail such that the mean of the corrected energies, which is linear in s, is the mean truth."""
    if not np.any(beyond):
        return tangent
    missing = float(np.mean(truth - spline(pred)))
    slope = tangent + missing / float(np.mean(beyond))
    return float(np.clip(slope, tangent / _TAIL_FREEDOM, tangent * _TAIL_FREEDOM))
