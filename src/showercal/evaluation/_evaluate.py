"""Every metric of every method, in bins and overall, with paired bootstrap errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showercal.errors import DataError, nearest
from showercal.evaluation._binning import Binning
from showercal.evaluation._bootstrap import Bootstrap
from showercal.evaluation._dependence import MIN_EVENTS, Dependence, dependence
from showercal.evaluation._measure import (
    SPREAD_METRIC,
    MethodArrays,
    Replicas,
    check_energies,
    measure,
    nothing,
    ratio,
)
from showercal.evaluation._measure_tracker import EVENT_METRICS, TRACKER_METRICS
from showercal.evaluation._metrics import RATIOS
from showercal.evaluation._resolution_fit import TERMS, fit_resolution
from showercal.evaluation._rows import Row
from showercal.evaluation._widths import check_widths, uniformity_p_value

FloatArray = NDArray[np.float64]

_MEANS_OF_BINS = (
    *("sigma_over_sqrt_e", "sigma_over_sqrt_e_raw", "sharpness", SPREAD_METRIC),
    *(*TRACKER_METRICS, *EVENT_METRICS),
)
_LARGEST_OF_BINS = {"max_rmse": "combined_over_e", "max_rmse_event": "combined_event_over_e"}
# of which the ratio to the reference is given in bins, too
_RATIOS_IN_BINS = ("sigma_over_sqrt_e", "sigma_over_sqrt_e_raw")
_INTERNAL = "iqr"  # becomes relative_iqr
_OVERALL_ONLY = "ence"  # it has bins of its own


def evaluate(
    energy_true: ArrayLike,
    predictions: Mapping[str, MethodArrays],
    reference: str,
    binning: Binning,
    *,
    tracker: ArrayLike | None = None,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> list[Row]:
    """Judge methods on the same events.

    Overall values (bin None) are those of all events inside the binning taken together, except for sigma_over_sqrt_e,
    the sharpness and the model_spread beside it and all that stands beside a tracker, which are unweighted means of the
    bins, as published; sigma_ratio is the ratio of these means, and ``max_rmse`` the largest of the bins. Methods with
    a width get the rows that judge it, the others do not; rows beside a tracker are there where there is one. A bin
    with too few events (see `Binning`) has rows with NaN and takes no part in mean and largest. Events outside the
    binning are counted in ``n_events_outside`` and not judged.

    Errors are standard deviations over resampled events, the same events for all methods, so that the ratios to the
    reference have the error of a paired comparison. They do not hold the error of a bias correction fitted elsewhere.

    Args:
        energy_true: True energies, above 0, shape (B,), [GeV].
        predictions: Energies before and after the bias correction, by method.
        reference: The method that ratios refer to.
        binning: Bins of the true energy.
        tracker: Relative resolution sigma/E of a tracker at the true energies, above 0, shape (B,); None for none.
        n_bootstrap: Number of resampled data sets.
        seed: Seed of the resampling.

    Returns:
        Rows, method by method; in each, metric by metric, the overall row first.

    Raises:
        DataError: If an energy is not finite, a truth or a resolution of the tracker is not above 0, shapes differ, or
            there is no such reference.

    References:
        J. Kieseler et al., Eur. Phys. J. C 82 (2022) 79, for what stands beside a tracker.

    Example:
        >>> truth = np.linspace(0.1, 10, 1000)
        >>> exact = MethodArrays(raw=0.9 * truth, corrected=truth)
        >>> rows = evaluate(truth, {"exact": exact}, "exact", Binning.uniform(0, 10, 5), n_bootstrap=10)
        >>> [round(r.value, 3) for r in rows if r.metric == "bias_raw" and r.bin is None]
        [-0.1]
    """
    truth = np.asarray(energy_true, dtype=np.float64)
    methods = _checked(truth, predictions, reference)
    resolution = None if tracker is None else _checked_resolution(np.asarray(tracker, dtype=np.float64), len(truth))
    bootstrap = Bootstrap(n_bootstrap, seed)
    groups = binning.groups(truth)

    def sample(at: NDArray[np.int64], stream: int, resolution: FloatArray | None) -> dict[str, Replicas]:
        some = {name: arrays.take(at) for name, arrays in methods.items()}
        there = None if resolution is None else resolution[at]
        if len(at) < binning.min_events:
            return nothing(some, bootstrap, there)
        return measure(truth[at], some, bootstrap, stream, there)

    bins = [sample(at, stream, resolution) for stream, at in enumerate(groups)]
    # beside a tracker, what is overall is of the bins
    whole = sample(np.concatenate(groups), len(groups), None)
    for name in methods:
        whole[name] |= _of_bins([one[name] for one in bins])
    _add_ratios(bins, whole, reference)
    samples = [*bins, whole]
    counts = [len(at) for at in groups]
    judged = np.sort(np.concatenate(groups))
    rows: list[Row] = []
    for name, arrays in methods.items():
        rows += _rows(name, binning, [s[name] for s in samples], counts, len(truth))
        rows += _dependences(name, binning, truth[judged], arrays.take(judged))
    return rows


def _checked(truth: FloatArray, predictions: Mapping[str, MethodArrays], reference: str) -> dict[str, MethodArrays]:
    if reference not in predictions:
        raise DataError(f"no predictions of the reference {reference!r}; {nearest(reference, predictions)}")
    check_energies("energy_true", truth, truth.size, above_zero=True)
    methods = {}
    for name, arrays in predictions.items():
        raw, corrected = (np.asarray(a, dtype=np.float64) for a in (arrays.raw, arrays.corrected))
        check_energies(f"the raw prediction of {name!r}", raw, len(truth))
        check_energies(f"the corrected prediction of {name!r}", corrected, len(truth))
        width, width_raw = (
            None if width is None else check_widths(name, width, len(truth))
            for width in (arrays.width, arrays.width_raw)
        )
        combined, spread = (
            None if array is None else np.asarray(array, dtype=np.float64) for array in (arrays.combined, arrays.spread)
        )
        if combined is not None:
            check_energies(f"the combined energy of {name!r}", combined, len(truth))
        if spread is not None:
            check_energies(f"the spread between the models of {name!r}", spread, len(truth))
        methods[name] = MethodArrays(raw, corrected, width, width_raw, combined, spread)
    return methods


def _checked_resolution(resolution: FloatArray, n_events: int) -> FloatArray:
    if resolution.shape != (n_events,):
        raise DataError(f"tracker must have one sigma/E per event, shape ({n_events},); got {resolution.shape}")
    wrong = ~(np.isfinite(resolution) & (resolution > 0))
    if np.any(wrong):
        at = int(np.argmax(wrong))
        raise DataError(
            f"sigma/E of the tracker must be finite and > 0; got {resolution[at]} at event {at} ({int(wrong.sum())} of "
            f"{n_events}); give its resolution at the true energies"
        )
    return resolution


def _of_bins(bins: list[Replicas]) -> Replicas:
    """What is overall an unweighted mean of the bins, or the largest of them, each of shape (1 + R,)."""
    found = {}
    for name, metric in _LARGEST_OF_BINS.items():
        if metric in bins[0]:
            found[name] = np.max(_with_value([one[metric] for one in bins]), axis=0)
    for metric in _MEANS_OF_BINS:
        if metric in bins[0]:
            found[metric] = np.mean(_with_value([one[metric] for one in bins]), axis=0)
    return found


def _with_value(values: list[FloatArray]) -> list[FloatArray]:
    """Those of the bins that have enough events; one without a value where none has."""
    return [v for v in values if np.isfinite(v[0])] or values[:1]


def _add_ratios(bins: list[dict[str, Replicas]], whole: dict[str, Replicas], reference: str) -> None:
    """Ratios to the reference, replica by replica."""
    for sample in (*bins, whole):
        base = dict(sample[reference])
        metrics = RATIOS if sample is whole else _RATIOS_IN_BINS
        for replicas in sample.values():
            replicas["relative_iqr"] = 1 - ratio(replicas[_INTERNAL], base[_INTERNAL])
            for metric in metrics:
                if metric in replicas and metric in base:
                    replicas[RATIOS[metric]] = ratio(replicas[metric], base[metric])


def _rows(name: str, binning: Binning, samples: list[Replicas], counts: list[int], n_total: int) -> Iterator[Row]:
    """Rows of one method; the last sample is the whole."""
    edges = binning.edges
    places: list[tuple[int | None, float, float]] = [(k, edges[k], edges[k + 1]) for k in range(len(binning))]
    overall = (None, edges[0], edges[-1])
    *bins, whole = samples
    for metric in (m for m in whole if m != _INTERNAL):
        value, error = _value_and_error(whole[metric])
        yield Row(name, metric, *overall, value, error)
        if metric == "pit_ks":
            yield Row(name, "pit_p", *overall, uniformity_p_value(value, sum(counts)))
        if metric == _OVERALL_ONLY or metric not in bins[0]:
            continue
        for place, sample in zip(places, bins, strict=True):
            yield Row(name, metric, *place, *_value_and_error(sample[metric]))
    for term, (value, error) in _terms(bins).items():
        yield Row(name, term, *overall, value, error)
    yield Row(name, "n_events", *overall, float(sum(counts)))
    for place, n in zip(places, counts, strict=True):
        yield Row(name, "n_events", *place, float(n))
    yield Row(name, "n_events_outside", *overall, float(n_total - sum(counts)))


def _dependences(name: str, binning: Binning, truth: FloatArray, arrays: MethodArrays) -> Iterator[Row]:
    """What (E_pred - E_true) / sqrt(E_true) tells about E_true, after the bias correction and before."""
    for suffix, energy in (("", arrays.corrected), ("_raw", arrays.raw)):
        enough = len(truth) >= MIN_EVENTS
        found = dependence((energy - truth) / np.sqrt(truth), truth) if enough else Dependence(*(4 * [float("nan")]))
        overall = (None, binning.edges[0], binning.edges[-1])
        yield Row(name, f"dependence_dcor{suffix}", *overall, found.dcor, found.dcor_error)
        yield Row(name, f"dependence_mi{suffix}", *overall, found.mi, found.mi_error)


def _value_and_error(replicas: FloatArray) -> tuple[float, float]:
    # of equal numbers the standard deviation is rounding
    error = 0.0 if np.ptp(replicas[1:]) == 0 else float(replicas[1:].std(ddof=1))
    return float(replicas[0]), error


def _terms(bins: list[Replicas]) -> dict[str, tuple[float, float]]:
    """a, b, c fitted to std(pred - true) / mean(true) of the bins; NaN with fewer than 4 bins or without a minimum."""
    energy = np.array([b["energy_mean"][0] for b in bins])
    points = [_value_and_error(b["sigma_over_sqrt_e"] / np.sqrt(b["energy_mean"])) for b in bins]
    resolution, error = np.array(points).T
    known = np.isfinite(resolution) & (resolution > 0) & (error > 0)
    if np.sum(known) >= 4:
        fit = fit_resolution(energy[known], resolution[known], error[known])
        if fit.is_valid:
            return {t: (float(v), float(e)) for t, v, e in zip(TERMS, fit.values, fit.errors, strict=True)}
    return dict.fromkeys(TERMS, (float("nan"), float("nan")))
