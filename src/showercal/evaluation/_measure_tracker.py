"""Metrics of a calorimeter beside a tracker on resampled events."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from showercal.evaluation._bootstrap import SortedResampler
from showercal.evaluation._statistics import median, sigma68

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Of every method where there is a tracker.
TRACKER_METRICS: Final = (
    "rmse_over_e",
    "rmse_over_e_raw",
    "tracker_over_e",
    "combined_over_e",
    "mean_improvement",
    "mean_improvement_raw",
)
#: Of methods whose energies were combined with those of a tracker, too.
EVENT_METRICS: Final = ("combined_event_over_e", "mean_improvement_event")


class TrackerScale:
    """True energy of one sample and the resolution of the tracker there, ready to be resampled; for all methods.

    Args:
        truth: True energies, shape (B,), [GeV].
        resolution: sigma/E of the tracker at each of them, shape (B,).
    """

    def __init__(self, truth: FloatArray, resolution: FloatArray) -> None:
        self._truth = SortedResampler(truth)
        self._resolution = SortedResampler(resolution[self._truth.order])

    def medians(self, at: IntArray) -> tuple[FloatArray, FloatArray]:
        """Median true energy, [GeV], and median sigma/E, which is that at the median energy; each of shape (R,).

        Args:
            at: Positions, shape (R, B).
        """
        counts = self._truth.counts(at)
        resolution = self._resolution.values(counts[:, self._resolution.order])
        return median(self._truth.values(counts), is_sorted=True), median(resolution, is_sorted=True)


class TrackerColumns:
    """Errors of one method on one sample, ready to be resampled.

    Args:
        error: Predicted minus true energy after the bias correction, shape (B,), [GeV].
        error_raw: Before it.
        error_event: Of the energies combined with those of the tracker; None where there are none.
    """

    def __init__(self, error: FloatArray, error_raw: FloatArray, error_event: FloatArray | None) -> None:
        errors = {"rmse_over_e": error, "rmse_over_e_raw": error_raw}
        if error_event is not None:
            errors["combined_event_over_e"] = error_event
        self._errors = {name: SortedResampler(values) for name, values in errors.items()}

    def metrics(self, counts: IntArray, energy: FloatArray, tracker: FloatArray) -> dict[str, FloatArray]:
        """Metrics on resampled events, each of shape (R,).

        Args:
            counts: How often each event was drawn, shape (R, B).
            energy: Median true energy of each replica, shape (R,), [GeV].
            tracker: sigma/E of the tracker there, shape (R,).
        """
        found = {"tracker_over_e": tracker}
        for name, errors in self._errors.items():
            found[name] = _rmse(errors.values(counts[:, errors.order])) / energy
        found["combined_over_e"] = _combined(found["rmse_over_e"], tracker)
        found["mean_improvement"] = tracker - found["combined_over_e"]
        found["mean_improvement_raw"] = tracker - _combined(found["rmse_over_e_raw"], tracker)
        if "combined_event_over_e" in found:
            found["mean_improvement_event"] = tracker - found["combined_event_over_e"]
        return found


def _rmse(error: FloatArray) -> FloatArray:
    """Half the central 68.27 % and the median in quadrature, of values sorted along the last axis."""
    return np.hypot(sigma68(error, is_sorted=True), median(error, is_sorted=True))


def _combined(calorimeter: FloatArray, tracker: FloatArray) -> FloatArray:
    """1 / sqrt(1/calorimeter^2 + 1/tracker^2); 0 for a calorimeter without any error."""
    result: FloatArray = calorimeter * tracker / np.hypot(calorimeter, tracker)
    return result
