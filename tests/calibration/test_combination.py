"""Calorimeter and tracker combined: closed forms, brute force, limits, coverage."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from showercal.calibration import LinearTracker, TableTracker, combine_with_tracker, weighted_mean
from showercal.errors import DataError, NoWidthError
from showercal.prediction import (
    LogNormalPrediction,
    NormalMixturePrediction,
    NormalPrediction,
    PointPrediction,
    Prediction,
    QuantilePrediction,
    TruncatedNormalPrediction,
)

FloatArray = NDArray[np.float64]
TRACKER = LinearTracker()
PULLS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


def of_width(width: float) -> TableTracker:
    """A tracker of the same width in GeV at all energies."""
    return TableTracker(energy=(1, 1000), resolution_at=(width, width / 1000))


def one(*parameters: float) -> tuple[FloatArray, ...]:
    return tuple(np.array([p]) for p in parameters)


@pytest.mark.parametrize(("ours", "theirs"), [(1, 1), (30, 2), (2, 30), (1, 1e-3), (1e-3, 1), (20, 1e4)])
def test_two_normals_give_the_weighted_mean(ours: float, theirs: float, rng: np.random.Generator) -> None:
    energy = 500 + rng.normal(0, ours, 50)
    measured = 500 + min(theirs, 20) * rng.normal(size=50)
    both = combine_with_tracker(NormalPrediction(energy, np.full(50, float(ours))), measured, of_width(theirs))
    mean = (energy / ours**2 + measured / theirs**2) / (1 / ours**2 + 1 / theirs**2)
    width = 1 / np.sqrt(1 / ours**2 + 1 / theirs**2)
    # of the width: quantiles between the 97 that are known run straight
    np.testing.assert_allclose((both.mean - mean) / width, 0, atol=1e-5)
    np.testing.assert_allclose((both.median - mean) / width, 0, atol=1e-5)
    np.testing.assert_allclose(both.std / width, 1, atol=2e-3)
    for pull in PULLS:
        np.testing.assert_allclose((both.quantile(special.ndtr(pull)) - mean) / width, pull, atol=2e-3)
    averaged, error = weighted_mean(energy, measured, lambda _: np.full(50, float(ours)), of_width(theirs).width)
    np.testing.assert_allclose(averaged, mean, rtol=1e-9)
    np.testing.assert_allclose(error, width, rtol=1e-9)


CALORIMETERS: dict[str, tuple[Prediction, float]] = {
    "together": (NormalPrediction(*one(1000, 200)), 1100),
    "tracker excludes the calorimeter": (NormalPrediction(*one(1000, 80)), 100),
    "tracker measured almost nothing": (NormalPrediction(*one(4000, 400)), 3),
    "tracker below 0": (NormalPrediction(*one(4000, 400)), -2500),
    "tracker far above": (NormalPrediction(*one(4000, 400)), 9000),
    "calorimeter blind": (NormalPrediction(*one(50, 100)), 60),
    "calorimeter below 0": (NormalPrediction(*one(-500, 50)), 60),
    "both below 0": (NormalPrediction(*one(-500, 50)), -60),
    "at the end of the spectrum": (TruncatedNormalPrediction(*one(7900, 900, 50, 8000)), 6000),
    "at its beginning": (TruncatedNormalPrediction(*one(10, 200, 50, 8000)), 50.5),
    "log-normal": (LogNormalPrediction(*one(np.log(1500), 0.5)), 1200),
    "two peaks": (
        NormalMixturePrediction(np.array([[0.7, 0.3]]), np.array([[200.0, 3000]]), np.array([[50.0, 500]])),
        1500,
    ),
    "quantiles": (QuantilePrediction(np.array([0.1, 0.5, 0.9]), np.array([[500.0, 900, 1700]])), 1000),
}


def brute_force(prediction: Prediction, measured: float) -> FloatArray:
    """Quantiles of the product at `PULLS` on 800,000 energies: everywhere, and around both measurements."""
    ends = prediction.quantile(special.ndtr(-8))[0], prediction.quantile(special.ndtr(8))[0]
    reach = 10 * TRACKER.width(measured)
    parts = [np.geomspace(1e-3, 3e4, 400_000), np.linspace(*ends, 200_000)]
    parts.append(np.linspace(measured - reach, measured + reach, 200_000))
    energy = np.unique(np.maximum(np.concatenate(parts), 1e-3))
    log_density = prediction[np.zeros(len(energy), dtype=int)].log_prob(energy)
    log_density += TRACKER.log_likelihood(np.full(len(energy), measured), energy)
    density = np.exp(log_density - log_density.max())
    cumulative = np.concatenate([[0], np.cumsum(np.diff(energy) * (density[1:] + density[:-1]))])
    return np.interp(special.ndtr(PULLS), cumulative / cumulative[-1], energy)


@pytest.mark.parametrize("case", CALORIMETERS)
def test_product_agrees_with_brute_force(case: str) -> None:
    """The tracker's width is that at each energy, so that nothing is normal; narrow and wide, near and far."""
    prediction, measured = CALORIMETERS[case]
    expected = brute_force(prediction, measured)
    both = combine_with_tracker(prediction, np.array([measured]), TRACKER)
    found = np.array([both.quantile(special.ndtr(pull))[0] for pull in PULLS])
    width = (expected[3] - expected[1]) / 2
    # of the width; where the density jumps, Simpson's rule sees it within one of 96 cells
    np.testing.assert_allclose((found - expected) / width, 0, atol=0.02 if case == "quantiles" else 4e-3)


def test_a_tracker_that_measures_nothing_changes_nothing() -> None:
    prediction = LogNormalPrediction(np.log(np.array([10.0, 200.0])), np.array([0.3, 0.6]))
    both = combine_with_tracker(prediction, np.array([500.0, -500.0]), of_width(1e9))
    for pull in PULLS:
        level = special.ndtr(pull)
        np.testing.assert_allclose(both.quantile(level) / prediction.quantile(level), 1, rtol=3e-3)


def test_an_exact_tracker_wins() -> None:
    prediction = LogNormalPrediction(np.log(np.array([10.0, 200.0])), np.array([0.3, 0.6]))
    both = combine_with_tracker(prediction, np.array([12.0, 150.0]), of_width(1e-4))
    np.testing.assert_allclose(both.median, [12, 150], atol=1e-6)
    np.testing.assert_allclose(both.sigma68, 1e-4, rtol=2e-3)


def test_intervals_of_the_product_hold_what_they_say(rng: np.random.Generator) -> None:
    """Truth from a flat spectrum; the calorimeter gives its posterior under it, which the product then holds, too."""
    n, low, high = 20_000, 100.0, 8000.0
    truth = rng.uniform(low, high, n)
    width = 600.0
    seen = truth + width * rng.normal(size=n)
    ends = np.full(n, low), np.full(n, high)
    calorimeter = TruncatedNormalPrediction(seen, np.full(n, width), *ends)
    both = combine_with_tracker(calorimeter, TRACKER.smeared(truth), TRACKER)
    pit = both.cdf(truth)
    assert stats.kstest(pit, "uniform").pvalue > 1e-3
    for level in (0.5, 0.6827, 0.95):
        share = np.mean(np.abs(pit - 0.5) <= level / 2)
        assert share == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / n))
    # every third is narrower than the calorimeter alone by more than a tenth: the tracker was not ignored
    assert np.mean(both.sigma68 < 0.9 * calorimeter.sigma68) > 1 / 3


@pytest.mark.parametrize("tracker", [TRACKER, TableTracker(energy=(10, 100, 1000), resolution_at=(0.03, 0.001, 0.5))])
def test_no_event_is_too_wild(tracker: LinearTracker | TableTracker, rng: np.random.Generator) -> None:
    """Energies wrong by orders of magnitude or sign, widths from 1e-3 of the energy to ten times."""
    n = 2_000
    truth = rng.uniform(20, 9000, n)

    def wild() -> FloatArray:
        factor = np.exp(2 * rng.normal(size=n)) * rng.choice([1, 1, 1, -1], n)
        return truth * factor

    width = truth * np.exp(rng.uniform(-7, 2, n))
    measured = np.where(rng.random(n) < 0.5, wild(), rng.choice([1e-6, 0, -1e-6, 1e5, -1e5], n))
    ends = np.full(n, 50.0), np.full(n, 8000.0)
    both = combine_with_tracker(TruncatedNormalPrediction(wild(), width, *ends), measured, tracker)
    low, high = both.interval(0.99)
    # of the support, to the refined grid at its ends
    assert np.all((low > 49.9) & (high < 8001) & (low < high))
    assert np.all(combine_with_tracker(NormalPrediction(wild(), width), measured, tracker).median > 0)


def test_weighted_mean_takes_both_widths_at_the_combined_energy(rng: np.random.Generator) -> None:
    """Without the bias that widths at the measured energies bring."""
    truth = np.full(20_000, 3000.0)
    energy = truth + 0.2 * truth * rng.normal(size=len(truth))
    measured = TRACKER.smeared(truth)

    def width(at: FloatArray) -> FloatArray:
        return 0.2 * np.maximum(at, 1.0)

    combined, error = weighted_mean(energy, measured, width, TRACKER.width)
    assert np.median(combined) / 3000 == pytest.approx(1, abs=0.006)  # 3 standard errors
    ours, theirs = 1 / width(measured) ** 2, 1 / TRACKER.width(measured) ** 2
    naive = (energy * ours + measured * theirs) / (ours + theirs)
    assert np.median(naive) / 3000 < 0.95
    # a fixed point: the mean with the widths at the combined energy gives it again, but where both hardly agree
    ours, theirs = 1 / width(combined) ** 2, 1 / TRACKER.width(combined) ** 2
    settled = np.abs((energy * ours + measured * theirs) / (ours + theirs) - combined) < 1e-6 * combined
    assert settled.mean() > 0.95
    np.testing.assert_allclose(error[settled], (1 / np.sqrt(ours + theirs))[settled], rtol=1e-6)


def test_bad_events_are_refused() -> None:
    normal = NormalPrediction(np.array([100.0, 200.0]), np.ones(2))
    with pytest.raises(NoWidthError, match="a point estimator has no quantile"):
        combine_with_tracker(PointPrediction(np.ones(2)), np.ones(2), TRACKER)
    with pytest.raises(DataError, match=r"one energy for each of the same events, shape \(B,\); got \(2,\) and \(3,\)"):
        combine_with_tracker(normal, np.ones(3), TRACKER)
    with pytest.raises(DataError, match=r"energies of the tracker must be finite; got nan at event 1 \(1 of 2\)"):
        combine_with_tracker(normal, np.array([100.0, np.nan]), TRACKER)
    with pytest.raises(DataError, match="energies of the calorimeter must be finite; got inf at event 0"):
        weighted_mean(np.array([np.inf]), np.ones(1), np.ones_like, np.ones_like)
