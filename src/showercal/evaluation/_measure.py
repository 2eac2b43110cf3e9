"""All metrics of one sample of events for several methods, on the events and on the same resamples of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from showercal.errors import DataError
from showercal.evaluation._bootstrap import Bootstrap, SortedResampler
from showercal.evaluation._statistics import effective_width, gaussian_core, iqr, median, sigma68

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


@dataclass(frozen=True, eq=False)
class MethodArrays:
    """What a method predicts for the events to be judged.

    Args:
        raw: Energies as the method gives them, shape (B,), [GeV].
        corrected: After the bias correction, shape (B,), [GeV]; the main ones. Without a correction: ``raw`` again.
    """

    raw: FloatArray
    corrected: FloatArray

    def take(self, at: IntArray) -> MethodArrays:
        """The same for some of the events."""
        return MethodArrays(self.raw[at], self.corrected[at])


def measure(
    truth: FloatArray, methods: Mapping[str, MethodArrays], bootstrap: Bootstrap, stream: int
) -> dict[str, Replicas]:
    """Metrics of every method on one sample and on its resamples, which are the same for all methods.

    Args:
        truth: True energies, shape (B,), [GeV].
        methods: Predictions for these events, by method.
        bootstrap: How to resample.
        stream: Number of the sample, so that samples are resampled independently.
    """
    columns = {name: _Columns(truth, arrays) for name, arrays in methods.items()}
    blocks: dict[str, list[Replicas]] = {name: [] for name in methods}
    for at in (np.arange(len(truth))[None], *bootstrap.resamples(len(truth), stream)):
        energy = truth[at].mean(axis=-1)
        for name, column in columns.items():
            blocks[name].append(column.metrics(at, energy))
    return {name: {key: np.concatenate([b[key] for b in parts]) for key in parts[0]} for name, parts in blocks.items()}


def nothing(methods: Mapping[str, MethodArrays], bootstrap: Bootstrap) -> dict[str, Replicas]:
    """What `measure` gives for a sample with too few events: NaN everywhere."""
    empty = np.full(1 + bootstrap.n_replicas, np.nan)
    return {name: dict.fromkeys(SAMPLE_METRICS, empty) for name in methods}


class _Columns:
    """One method's residuals and responses on one sample, ready to be resampled."""

    def __init__(self, truth: FloatArray, arrays: MethodArrays) -> None:
        self._response = SortedResampler(arrays.corrected / truth)
        self._corrected = _Moments((arrays.corrected - truth)[self._response.order])
        self._raw = _Moments((arrays.raw - truth)[self._response.order])

    def metrics(self, at: IntArray, energy: FloatArray) -> Replicas:
        """Metrics on resampled events.

        Args:
            at: Positions, shape (R, B).
            energy: Mean true energy of each replica, shape (R,), [GeV].
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
        return residuals | _responses(self._response.values(counts))


class _Moments:
    """Mean and standard deviation of resampled values from how often each was drawn: a matrix product."""

    def __init__(self, values: FloatArray) -> None:
        self._centre = values.mean()
        offset = values - self._centre  # small numbers: the difference of squares below keeps its digits
        self._powers = np.column_stack([offset, offset**2])

    def mean_and_std(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Both of shape (R,).

        Args:
            weights: How often each value was drawn, shape (R, B).
        """
        first, second = (weights @ self._powers / weights.shape[1]).T
        return self._centre + first, np.sqrt(np.maximum(second - first**2, 0))


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
