"""Two predictions compared by one number: the ratio of their mean sigma / sqrt(E)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showercal.errors import DataError
from showercal.evaluation._binning import Binning
from showercal.evaluation._bootstrap import Bootstrap
from showercal.evaluation._measure import check_energies

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Ratio of the mean sigma / sqrt(E) of a to that of b.

    Args:
        ratio: Below 1 when a is better.
        error: From the paired bootstrap: fluctuations that both share cancel.
        sigma_a: Mean over bins of std(a - true) / sqrt(mean true), [sqrt(GeV)].
        sigma_b: The same for b.
        n_bins: Bins with enough events, over which the means were taken.
    """

    ratio: float
    error: float
    sigma_a: float
    sigma_b: float
    n_bins: int


def compare(
    energy_true: ArrayLike,
    pred_a: ArrayLike,
    pred_b: ArrayLike,
    binning: Binning,
    *,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> Comparison:
    """Compare two predictions of the same events.

    Compare after the bias correction of both: shrinkage makes a raw prediction look better than it is.

    Args:
        energy_true: True energies, above 0, shape (B,), [GeV].
        pred_a: Energies of one method, shape (B,), [GeV].
        pred_b: Energies of the other.
        binning: Bins of the true energy; the mean is over bins.
        n_bootstrap: Number of resampled data sets.
        seed: Seed of the resampling.

    Raises:
        DataError: If an energy is not finite, a truth is not above 0, shapes differ, or no bin has enough events.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> truth, noise = rng.uniform(1, 9, 5000), rng.standard_normal(5000)
        >>> result = compare(truth, truth + 0.1 * noise, truth + 0.2 * noise, Binning.uniform(1, 9, 8))
        >>> round(result.ratio, 9), result.error < 1e-9
        (0.5, True)
    """
    predictions = {"pred_a": pred_a, "pred_b": pred_b}
    both = mean_widths(energy_true, predictions, binning, n_bootstrap=n_bootstrap, seed=seed)
    ratios = both[0] / both[1]
    n_bins = len(_judged_bins(np.asarray(energy_true, dtype=np.float64), binning))
    return Comparison(float(ratios[0]), float(ratios[1:].std(ddof=1)), float(both[0, 0]), float(both[1, 0]), n_bins)


def mean_widths(
    energy_true: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    binning: Binning,
    *,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> FloatArray:
    """Mean over bins of sigma / sqrt(E) of several predictions, on the events and on the same resamples for all.

    Ratios of rows, replica by replica, have the error of a paired comparison.

    Args:
        energy_true: True energies, above 0, shape (B,), [GeV].
        predictions: K predictions of the same events by name, each of shape (B,), [GeV].
        binning: Bins of the true energy; the mean is over bins.
        n_bootstrap: Number of resampled data sets, R.
        seed: Seed of the resampling.

    Returns:
        Shape (K, 1 + R), [sqrt(GeV)]: on the events themselves, then on the resamples.

    Raises:
        DataError: If an energy is not finite, a truth is not above 0, shapes differ, or no bin has enough events.
    """
    truth = np.asarray(energy_true, dtype=np.float64)
    check_energies("energy_true", truth, truth.size, above_zero=True)
    energies = {name: np.asarray(values, dtype=np.float64) for name, values in predictions.items()}
    for name, values in energies.items():
        check_energies(name, values, len(truth))
    bootstrap = Bootstrap(n_bootstrap, seed)
    bins = _judged_bins(truth, binning)
    if not bins:
        raise DataError(
            f"no bin of {binning.label} from {binning.edges[0]:g} to {binning.edges[-1]:g} {binning.unit} has "
            f"{binning.min_events} events; got {len(truth)} events in all: use other or fewer bins"
        )
    widths = [_widths(truth[at], [e[at] for e in energies.values()], bootstrap, k) for k, at in bins]
    mean: FloatArray = np.mean(widths, axis=0)
    return mean


def _judged_bins(truth: FloatArray, binning: Binning) -> list[tuple[int, NDArray[np.int64]]]:
    """Number and events of each bin with enough of them."""
    return [(k, at) for k, at in enumerate(binning.groups(truth)) if len(at) >= binning.min_events]


def _widths(truth: FloatArray, predictions: Sequence[FloatArray], bootstrap: Bootstrap, stream: int) -> FloatArray:
    """std(pred - true) / sqrt(mean true) of all on the events and on the same resamples, shape (K, 1 + R)."""
    blocks = []
    for at in (np.arange(len(truth))[None], *bootstrap.resamples(len(truth), stream)):
        scale = np.sqrt(truth[at].mean(axis=-1))
        blocks.append(np.stack([(pred - truth)[at].std(axis=-1) / scale for pred in predictions]))
    return np.concatenate(blocks, axis=1)
