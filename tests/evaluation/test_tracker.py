"""A calorimeter beside a tracker: known answers, paired errors, sparse bins, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from showercal.errors import DataError
from showercal.evaluation import Binning, MethodArrays, Row, evaluate
from showercal.evaluation._measure_tracker import EVENT_METRICS, TRACKER_METRICS

FloatArray = NDArray[np.float64]
BINS = Binning.uniform(0, 4, 4)
OVERALL_ONLY = {"max_rmse", "max_rmse_event"}
RATIOS = {f"{m}_ratio" for m in ("mean_improvement", "mean_improvement_event", "mean_improvement_raw", *OVERALL_ONLY)}
BESIDE_A_TRACKER = {*TRACKER_METRICS, *EVENT_METRICS, *OVERALL_ONLY, *RATIOS}


def tracker_at(truth: FloatArray) -> FloatArray:
    """20 % at 1 TeV, with energies in TeV."""
    return 0.2 * truth


def toy(n: int = 20_000, seed: int = 1) -> tuple[FloatArray, dict[str, MethodArrays]]:
    """Two calorimeters at fixed energies, "wide" of 30 % and "narrow" of half the errors; raw predictions 10 % too low.

    Energies are those of the tests of the muon study: 0.5, 1.5, 2.5 and 3.5. "wide" is combined with the tracker too.
    """
    rng = np.random.default_rng(seed)
    truth = 0.5 + rng.integers(0, 4, n)
    noise = 0.3 * truth * rng.standard_normal(n)
    measured = truth * (1 + tracker_at(truth) * rng.standard_normal(n))
    share = 0.3**2 / (0.3**2 + tracker_at(truth) ** 2)
    combined = truth + (1 - share) * noise + share * (measured - truth)
    arrays = {"wide": truth + noise, "narrow": truth + noise / 2}
    both = {"wide": combined, "narrow": None}
    return truth, {name: MethodArrays(0.9 * p, p, combined=both[name]) for name, p in arrays.items()}


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    truth, methods = toy()
    return evaluate(truth, methods, "wide", BINS, tracker=tracker_at(truth), n_bootstrap=100, seed=2)


def one(rows: list[Row], method: str, metric: str, number: int | None = None) -> Row:
    (found,) = [r for r in rows if (r.method, r.metric, r.bin) == (method, metric, number)]
    return found


def known(calorimeter: float, number: int) -> float:
    """Resolution of the combination in a bin."""
    tracker = 0.2 * (number + 0.5)
    return 1 / math.sqrt(1 / calorimeter**2 + 1 / tracker**2)


def test_resolutions_of_calorimeter_tracker_and_both(rows: list[Row]) -> None:
    for number in range(4):
        for method, width in (("wide", 0.3), ("narrow", 0.15)):
            tracker = one(rows, method, "tracker_over_e", number)
            assert (tracker.value, tracker.error) == (pytest.approx(0.2 * (number + 0.5), rel=1e-12), 0)
            alone, both = (one(rows, method, metric, number) for metric in ("rmse_over_e", "combined_over_e"))
            assert alone.value == pytest.approx(width, abs=4.5 * alone.error)
            # a 68 % width of 5,000 normal values is known to 1.2 %
            assert alone.error == pytest.approx(0.012 * width, rel=0.35)
            assert both.value == pytest.approx(known(width, number), abs=4.5 * both.error)
        event = one(rows, "wide", "combined_event_over_e", number)
        assert event.value == pytest.approx(known(0.3, number), abs=4.5 * event.error)


def test_a_bias_adds_in_quadrature(rows: list[Row]) -> None:
    """Raw predictions are 0.9 of the corrected ones: a width of 0.27 and a bias of 0.1."""
    raw = one(rows, "wide", "rmse_over_e_raw", 2)
    assert raw.value == pytest.approx(math.hypot(0.27, 0.1), abs=4.5 * raw.error)


def test_rmse_is_that_of_the_published_formula() -> None:
    truth, methods = toy(3_000)
    at = truth == 1.5
    pred = methods["wide"].raw[at]
    low, middle, high = np.quantile(pred, [special.ndtr(-1), 0.5, special.ndtr(1)])
    expected = math.hypot((high - low) / 2, middle - 1.5) / 1.5
    found = evaluate(truth, methods, "wide", BINS, tracker=tracker_at(truth), n_bootstrap=5)
    assert one(found, "wide", "rmse_over_e_raw", 1).value == pytest.approx(expected, rel=1e-12)


def test_mean_improvement_and_largest_rmse(rows: list[Row]) -> None:
    for method, width in (("wide", 0.3), ("narrow", 0.15)):
        gains = [0.2 * (k + 0.5) - known(width, k) for k in range(4)]
        improvement, largest = (one(rows, method, metric) for metric in ("mean_improvement", "max_rmse"))
        assert improvement.value == pytest.approx(np.mean(gains), abs=4.5 * improvement.error)
        assert largest.value == pytest.approx(known(width, 3), abs=4.5 * largest.error)
        assert 0 < improvement.error < 0.01 * improvement.value
        in_bins = [one(rows, method, "mean_improvement", k).value for k in range(4)]
        assert improvement.value == pytest.approx(np.mean(in_bins), rel=1e-12)
        combined = [one(rows, method, "combined_over_e", k).value for k in range(4)]
        assert largest.value == max(combined)
        assert one(rows, method, "combined_over_e").value == pytest.approx(np.mean(combined), rel=1e-12)
    event = one(rows, "wide", "mean_improvement_event")
    assert event.value == pytest.approx(one(rows, "wide", "mean_improvement").value, abs=4.5 * event.error)
    assert one(rows, "narrow", "mean_improvement_raw").value < one(rows, "narrow", "mean_improvement").value


def test_ratios_to_the_reference_are_paired(rows: list[Row]) -> None:
    own, base = (one(rows, method, "mean_improvement") for method in ("narrow", "wide"))
    ratio = one(rows, "narrow", "mean_improvement_ratio")
    assert ratio.value == pytest.approx(own.value / base.value, rel=1e-12)
    # errors of "narrow" are half of those of "wide", event by event: most of the fluctuations cancel
    assert ratio.error < 0.7 * ratio.value * math.hypot(own.error / own.value, base.error / base.value)
    assert (one(rows, "wide", "max_rmse_ratio").value, one(rows, "wide", "max_rmse_ratio").error) == (1, 0)


def test_errors_are_the_scatter_of_toys() -> None:
    metrics = ("mean_improvement", "max_rmse", "mean_improvement_event", "combined_over_e")
    values: dict[str, list[float]] = {metric: [] for metric in metrics}
    errors: dict[str, list[float]] = {metric: [] for metric in metrics}
    for seed in range(60):
        truth, methods = toy(1_500, seed=seed + 100)
        found = evaluate(truth, methods, "wide", BINS, tracker=tracker_at(truth), n_bootstrap=60, seed=seed)
        for metric in metrics:
            row = one(found, "wide", metric)
            values[metric].append(row.value)
            errors[metric].append(row.error)
    for metric in metrics:
        # a scatter from 60 toys is known to 9 %; errors of quantiles are a little too wide at 375 events
        assert np.mean(errors[metric]) / np.std(values[metric]) == pytest.approx(1, abs=0.4), metric


def test_only_what_can_be_had_is_there(rows: list[Row]) -> None:
    wide, narrow = ({r.metric for r in rows if r.method == method} for method in ("wide", "narrow"))
    assert wide >= BESIDE_A_TRACKER
    assert wide - narrow == {m for m in BESIDE_A_TRACKER if "event" in m}
    keys = [(r.method, r.metric, r.bin) for r in rows]
    assert len(keys) == len(set(keys))
    assert {r.bin for r in rows if r.metric in OVERALL_ONLY | RATIOS} == {None}


def test_without_a_tracker_nothing_changes(rows: list[Row]) -> None:
    truth, methods = toy()
    alone = evaluate(truth, methods, "wide", BINS, n_bootstrap=100, seed=2)
    assert [repr(r) for r in alone] == [repr(r) for r in rows if r.metric not in BESIDE_A_TRACKER]


def test_sparse_bins_take_no_part() -> None:
    truth, methods = toy(2_000)
    wider = Binning.uniform(0, 6, 6)
    found = evaluate(truth, methods, "wide", wider, tracker=tracker_at(truth), n_bootstrap=10, seed=2)
    assert math.isnan(one(found, "wide", "combined_over_e", 5).value)
    same = evaluate(truth, methods, "wide", BINS, tracker=tracker_at(truth), n_bootstrap=10, seed=2)
    for metric in ("mean_improvement", "max_rmse"):
        assert one(found, "wide", metric).value == one(same, "wide", metric).value
    outside = evaluate(truth, methods, "wide", Binning.uniform(10, 20, 2), tracker=tracker_at(truth), n_bootstrap=10)
    assert math.isnan(one(outside, "wide", "max_rmse").value)


def test_an_exact_calorimeter_leaves_no_error() -> None:
    truth, _ = toy(500)
    exact = {"exact": MethodArrays(truth, truth)}
    found = evaluate(truth, exact, "exact", BINS, tracker=tracker_at(truth), n_bootstrap=5)
    assert one(found, "exact", "max_rmse").value == 0


def test_bad_arrays_are_refused() -> None:
    truth, methods = toy(100)
    with pytest.raises(DataError, match=r"tracker must have one sigma/E per event, shape \(100,\); got \(3,\)"):
        evaluate(truth, methods, "wide", BINS, tracker=tracker_at(truth)[:3])
    wrong = tracker_at(truth)
    wrong[7] = 0
    with pytest.raises(DataError, match=r"must be finite and > 0; got 0.0 at event 7 \(1 of 100\)"):
        evaluate(truth, methods, "wide", BINS, tracker=wrong)
    broken = MethodArrays(truth, truth, combined=np.full(100, np.nan))
    with pytest.raises(
        DataError, match=r"the combined energy of 'a' must be finite; got nan at event 0 \(100 of 100\)"
    ):
        evaluate(truth, {"a": broken}, "a", BINS, tracker=tracker_at(truth))
