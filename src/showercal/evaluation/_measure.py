"""All metrics of one sample of events for several methods, on the events and on the same resamples of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from showercal.errors import DataError
from showercal.evaluation._bootstrap import Bootstrap, SortedResampler
from showercal.evaluation._measure_tracker import EVENT_METRICS, TRACKER_METRICS, TrackerColumns, TrackerScale
from showercal.evaluation._measure_width import RAW_WIDTH_METRICS, WIDTH_METRICS, WidthColumns
from showercal.evaluation._moments import Moments
from showercal.evaluation._statistics import effective_width, gaussian_core, iqr, median, sigma68
from showercal.evaluation._widths import WidthArrays

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Values of each metric, shape (1 + R,): on the events themselves, then on R resamples.
Replicas = dict[str, FloatArray]

SAMPLE_METRICS = (
    "energy_mean",
    "sigma_over_sqrt_e",
    "sigma_over_sqrt_e_raw",
    "bias",
    "bias_raw",
    "response_mean",
    "linearity",
    "resolution_std",
    "resolution_sigma68",
    "resolution_iqr",
    "resolution_gauss",
    "resolution_effective",
    "iqr",
)
#: Of methods that are several models.
SPREAD_METRIC: Final = "model_spread"


@dataclass(frozen=True, eq=False)
class MethodArrays:
    """What a method predicts for the events to be judged.

    Args:
        raw: Energies as the method gives them, shape (B,), [GeV].
        corrected: After the bias correction, shape (B,), [GeV]; the main ones. Without a correction: ``raw`` again.
        width: The predicted distributions after all corrections; None for a point estimator.
        width_raw: The same before the recalibration of the width; None where there was none.
        combined: Corrected energies combined with those of a tracker event by event, shape (B,), [GeV]; None for none.
        spread: Standard deviation between equally good models, shape (B,), [GeV]; None for a single model.
    """

    raw: FloatArray
    corrected: FloatArray
    width: WidthArrays | None = None
    width_raw: WidthArrays | None = None
    combined: FloatArray | None = None
    spread: FloatArray | None = None

    def take(self, at: IntArray) -> MethodArrays:
        """The same for some of the events."""
        width, width_raw = (None if width is None else width.take(at) for width in (self.width, self.width_raw))
        combined, spread = (None if array is None else array[at] for array in (self.combined, self.spread))
        return MethodArrays(self.raw[at], self.corrected[at], width, width_raw, combined, spread)

    @property
    def width_metrics(self) -> tuple[str, ...]:
        """Names of the metrics that the widths and the spread of models give."""
        raw = RAW_WIDTH_METRICS if self.width_raw is not None else {}
        spread = () if self.spread is None else (SPREAD_METRIC,)
        return (*(WIDTH_METRICS if self.width is not None else ()), *raw, *spread)

    @property
    def tracker_metrics(self) -> tuple[str, ...]:
        """Names of the metrics that a tracker gives."""
        return (*TRACKER_METRICS, *(EVENT_METRICS if self.combined is not None else ()))


def measure(
    truth: FloatArray,
    methods: Mapping[str, MethodArrays],
    bootstrap: Bootstrap,
    stream: int,
    tracker: FloatArray | None = None,
) -> dict[str, Replicas]:
    """Metrics of every method on one sample and on its resamples, which are the same for all methods.

    Args:
        truth: True energies, shape (B,), [GeV].
        methods: Predictions for these events, by method.
        bootstrap: How to resample.
        stream: Number of the sample, so that samples are resampled independently.
        tracker: Relative resolution of a tracker at the true energies, shape (B,); None for no metrics of one.
    """
    columns = {name: _Columns(truth, arrays, tracker is not None) for name, arrays in methods.items()}
    scale = None if tracker is None else TrackerScale(truth, tracker)
    blocks: dict[str, list[Replicas]] = {name: [] for name in methods}
    for at in (np.arange(len(truth))[None], *bootstrap.resamples(len(truth), stream)):
        energy = truth[at].mean(axis=-1)
        medians = None if scale is None else scale.medians(at)
        for name, column in columns.items():
            blocks[name].append(column.metrics(at, energy, medians))
    return {name: {key: np.concatenate([b[key] for b in parts]) for key in parts[0]} for name, parts in blocks.items()}


def nothing(
    methods: Mapping[str, MethodArrays], bootstrap: Bootstrap, tracker: FloatArray | None = None
) -> dict[str, Replicas]:
    """What `measure` gives for a sample with too few events: NaN everywhere."""
    empty = np.full(1 + bootstrap.n_replicas, np.nan)
    found = {}
    for name, arrays in methods.items():
        of_tracker = () if tracker is None else arrays.tracker_metrics
        found[name] = dict.fromkeys((*SAMPLE_METRICS, *arrays.width_metrics, *of_tracker), empty)
    return found


class _Columns:
    """One method's residuals and responses on one sample, ready to be resampled."""

    def __init__(self, truth: FloatArray, arrays: MethodArrays, has_tracker: bool) -> None:
        self._response = SortedResampler(arrays.corrected / truth)
        order = self._response.order
        corrected, raw = (arrays.corrected - truth)[order], (arrays.raw - truth)[order]
        self._corrected, self._raw = Moments(corrected), Moments(raw)
        combined = None if arrays.combined is None else (arrays.combined - truth)[order]
        self._tracker = TrackerColumns(corrected, raw, combined) if has_tracker else None
        self._width = None if arrays.width is None else WidthColumns(truth, arrays.width)
        self._width_raw = None if arrays.width_raw is None else WidthColumns(truth, arrays.width_raw)
        self._spread = None if arrays.spread is None else arrays.spread[order]

    def metrics(self, at: IntArray, energy: FloatArray, medians: tuple[FloatArray, FloatArray] | None) -> Replicas:
        """Metrics on resampled events.

        Args:
            at: Positions, shape (R, B).
            energy: Mean true energy of each replica, shape (R,), [GeV].
            medians: Of true energy and resolution of the tracker, each of shape (R,); None without a tracker.
        """
        counts = self._response.counts(at)
        weights = counts.astype(np.float64)
        mean, std = self._corrected.mean_and_std(weights)
        mean_raw, std_raw = self._raw.mean_and_std(weights)
        residuals = {
            "energy_mean": energy,
            "sigma_over_sqrt_e": std / np.sqrt(energy),
            "sigma_over_sqrt_e_raw": std_raw / np.sqrt(energy),
            "bias": mean / energy,
            "bias_raw": mean_raw / energy,
        }
        found = residuals | _responses(self._response.values(counts))
        if self._tracker is not None and medians is not None:
            found |= self._tracker.metrics(counts, *medians)
        if self._width is not None:
            found |= self._width.metrics(at, energy)
        if self._width_raw is not None:
            before = self._width_raw.metrics(at, energy)
            found |= {name: before[metric] for name, metric in RAW_WIDTH_METRICS.items()}
        if self._spread is not None:
            found[SPREAD_METRIC] = weights @ self._spread / (weights.shape[1] * np.sqrt(energy))
        return found


def _responses(response: FloatArray) -> Replicas:
    """Centre and widths of responses sorted along the last axis."""
    mean = response.mean(axis=-1)
    centre = median(response, is_sorted=True)
    quartiles = iqr(response, is_sorted=True)
    core_mean, core_width = gaussian_core(response, is_sorted=True)
    return {
        "response_mean": mean,
        "linearity": centre,
        "resolution_std": ratio(response.std(axis=-1), mean),
        "resolution_sigma68": ratio(sigma68(response, is_sorted=True), centre),
        "resolution_iqr": ratio(quartiles, 2 * centre),
        "resolution_gauss": ratio(core_width, core_mean),
        "resolution_effective": ratio(effective_width(response, is_sorted=True), centre),
        "iqr": quartiles,
    }


def ratio(value: FloatArray, reference: FloatArray) -> FloatArray:
    """value / reference, NaN where the reference is 0."""
    return np.divide(value, reference, out=np.full_like(value, np.nan), where=reference != 0)


def check_energies(name: str, energy: FloatArray, n_events: int, *, above_zero: bool = False) -> None:
    """Refuse energies that cannot be judged.

    Raises:
        DataError: If the shape is not (n_events,), or a value is not finite (not above 0, for truth).
    """
    if energy.shape != (n_events,):
        raise DataError(f"{name} must have one energy per event, shape ({n_events},); got {energy.shape}")
    wrong = ~np.isfinite(energy) | ((energy <= 0) if above_zero else False)
    if np.any(wrong):
        at = int(np.argmax(wrong))
        expected = "finite and > 0 GeV, or the response pred/true is undefined" if above_zero else "finite"
        hint = "drop such events" if above_zero else "look for a diverged training or NaN in the inputs"
        raise DataError(
            f"{name} must be {expected}; got {energy[at]} at event {at} ({int(wrong.sum())} of {n_events}); {hint}"
        )
