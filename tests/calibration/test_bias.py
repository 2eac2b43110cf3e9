"""The bias correction on toys whose answer is known, above all on a regressor that shrinks as squared error asks."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from showercal.calibration import BiasCorrection, binned_prediction, smooth_by_cp
from showercal.errors import DataError, ModelFileError, NotFittedError, RecipeError
from showercal.prediction import NormalPrediction, PointPrediction

FloatArray = NDArray[np.float64]
NOISE = 0.8  # [GeV], about the width of an electron of 8 GeV in the sandwich calorimeter


def shrunk_toy(n: int, seed: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Truth uniform in 0-10 GeV, an unshrunk estimate with normal noise, and the answer of a perfect regressor.

    The minimum of the squared error is the mean of the posterior: of a normal around the estimate, cut to 0-10 GeV.
    """
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 10, n)
    unshrunk = truth + NOISE * rng.standard_normal(n)
    return truth, unshrunk, posterior_mean(unshrunk)


def posterior_mean(unshrunk: FloatArray) -> FloatArray:
    low, high = (0 - unshrunk) / NOISE, (10 - unshrunk) / NOISE
    density = np.exp(-(low**2) / 2) - np.exp(-(high**2) / 2)
    result: FloatArray = unshrunk + NOISE * density / np.sqrt(2 * np.pi) / (special.ndtr(high) - special.ndtr(low))
    return result


def in_bins(truth: FloatArray, pred: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Width over sqrt(E), and bias relative to the energy, in 20 bins of truth."""
    number = np.clip((2 * truth).astype(int), 0, 19)
    groups = [(truth[number == k], pred[number == k]) for k in range(20)]
    width = np.array([np.std(p - t) / np.sqrt(t.mean()) for t, p in groups])
    bias = np.array([np.mean(p - t) / t.mean() for t, p in groups])
    return width, bias


@pytest.fixture(scope="module")
def toy() -> tuple[FloatArray, FloatArray, FloatArray]:
    return shrunk_toy(200_000, seed=1)


def test_posterior_mean_against_scipy() -> None:
    unshrunk = np.array([-1.0, 0.3, 5.0, 11.0])
    low, high = (0 - unshrunk) / NOISE, (10 - unshrunk) / NOISE
    np.testing.assert_allclose(posterior_mean(unshrunk), stats.truncnorm.mean(low, high, unshrunk, NOISE), rtol=1e-9)


def test_shrinkage_flatters_the_raw_width(toy: tuple[FloatArray, FloatArray, FloatArray]) -> None:
    truth, unshrunk, pred = toy
    width, bias = in_bins(truth, pred)
    honest, _ = in_bins(truth, unshrunk)
    assert width.mean() < 0.9 * honest.mean()
    assert width[-1] < 0.55 * honest[-1]
    assert bias[-1] < -0.05


# With 10,000 validation events a bin's point has an error of 0.04-0.05 GeV, and the slope of a tail one of 5 %.
@pytest.mark.parametrize(
    ("n_validation", "mean", "ends", "closure"), [(200_000, 0.01, 0.07, 0.03), (10_000, 0.02, 0.15, 0.1)]
)
def test_spline_gives_back_the_unshrunk_width(
    toy: tuple[FloatArray, FloatArray, FloatArray], n_validation: int, mean: float, ends: float, closure: float
) -> None:
    truth, unshrunk, pred = toy
    validation_truth, _, validation_pred = shrunk_toy(n_validation, seed=2)
    correction = BiasCorrection("spline").fit(validation_truth, validation_pred)
    width, bias = in_bins(truth, correction.apply(PointPrediction(pred)).mean)
    honest, _ = in_bins(truth, unshrunk)
    ratio = width / honest
    assert ratio.mean() == pytest.approx(1, abs=mean)
    assert ratio[[0, -1]] == pytest.approx(np.ones(2), abs=ends)
    energies = np.arange(0.25, 10, 0.5)
    assert abs(bias * energies).max() < closure


def test_median_and_closure_beat_mean_and_tangent(toy: tuple[FloatArray, FloatArray, FloatArray]) -> None:
    truth, unshrunk, pred = toy
    honest, _ = in_bins(truth, unshrunk)

    def worst(**options: str) -> float:
        correction = BiasCorrection("spline", **options).fit(truth, pred)  # type: ignore[arg-type]
        return float(abs(in_bins(truth, correction.map_(pred))[0] / honest - 1).max())

    ours = worst()
    assert ours < 0.07
    assert worst(statistic="mean", tails="tangent") > 2 * ours
    assert worst(tails="tangent") > 2 * ours


def test_correction_of_an_unbiased_estimate_adds_no_width() -> None:
    """The noise of 20 points from 10,000 events moves the width by 0.6 %, up as often as down."""
    truth, unshrunk, _ = shrunk_toy(200_000, seed=3)
    ratios = []
    for seed in range(4, 24):
        validation_truth, validation_pred, _ = shrunk_toy(10_000, seed=seed)
        corrected = BiasCorrection("spline").fit(validation_truth, validation_pred).map_(unshrunk)
        ratios.append(np.mean(in_bins(truth, corrected)[0] / in_bins(truth, unshrunk)[0]))
    assert np.std(ratios) < 0.01
    assert np.mean(ratios) == pytest.approx(1, abs=4 * 0.006 / np.sqrt(20))


def test_line_is_recovered_with_honest_errors() -> None:
    pulls = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        truth = rng.uniform(0, 10, 4000)
        pred = 0.8 * truth + 0.5 + 0.3 * np.sqrt(truth) * rng.standard_normal(4000)
        correction = BiasCorrection("line").fit(truth, pred)
        assert correction.covariance_ is not None
        pulls.append((correction.parameters_ - [0.8, 0.5]) / np.sqrt(np.diag(correction.covariance_)))
    # 60 toys: mean of a pull 0 +- 0.13, width 1 +- 0.09; four standard deviations
    assert np.all(abs(np.mean(pulls, axis=0)) < 0.52)
    assert np.all(abs(np.std(pulls, axis=0) - 1) < 0.37)


def test_power_law_with_offset_is_recovered_with_honest_errors() -> None:
    """A calorimeter that sees less and less of a muon between 0.1 and 8 TeV, in 79 bins as published."""
    pulls = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        truth = rng.uniform(100, 8000, 20_000)
        pred = 3 * truth**0.85 + 400 + 0.25 * truth * rng.standard_normal(20_000)
        correction = BiasCorrection("power_offset", n_bins=79, energy_range=(100, 8000)).fit(truth, pred)
        assert correction.covariance_ is not None
        assert correction.ndf_ == 76
        pulls.append((correction.parameters_ - [3, 0.85, 400]) / np.sqrt(np.diag(correction.covariance_)))
    # 60 toys: mean of a pull 0 +- 0.13, width 1 +- 0.09; four standard deviations
    assert np.all(abs(np.mean(pulls, axis=0)) < 0.52)
    assert np.all(abs(np.std(pulls, axis=0) - 1) < 0.37)


@pytest.mark.parametrize("exponent", [0.3, 1.0, 2.5])
def test_power_law_with_offset_bends_either_way(exponent: float) -> None:
    truth = np.linspace(100, 8000, 20_001)
    pred = 1e3 * (truth / 1e3) ** exponent - 50
    correction = BiasCorrection("power_offset", n_bins=79).fit(truth, pred)
    np.testing.assert_allclose(correction.map_(pred), truth, atol=8)  # the bend inside the first bin of 100 GeV


def test_chi2_is_that_of_a_good_fit() -> None:
    chi2, ndf = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        truth = rng.uniform(0, 10, 4000)
        correction = BiasCorrection("line").fit(truth, 0.8 * truth + 0.5 + rng.standard_normal(4000))
        chi2.append(correction.chi2_)
        ndf.append(correction.ndf_)
    assert set(ndf) == {18}
    # the mean of 30 values of chi2 with 18 degrees of freedom: 18 +- sqrt(36 / 30)
    assert np.mean(chi2) == pytest.approx(18, abs=4 * np.sqrt(36 / 30))


@pytest.mark.parametrize("form", ["line", "power", "power_offset", "spline"])
@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_every_form_inverts_its_own_curve(form: str, statistic: str) -> None:
    truth = np.linspace(0.5, 10, 20_001)
    pred = {"power": 1.2 * truth**0.9, "power_offset": 1.2 * truth**0.9 - 0.8}.get(form, 0.9 * truth + 0.3)
    correction = BiasCorrection(form, statistic=statistic).fit(truth, pred)  # type: ignore[arg-type]
    # the power law bends inside a bin of 0.5 GeV: a few MeV
    np.testing.assert_allclose(correction.map_(pred), truth, atol=5e-3 if form.startswith("power") else 1e-6)


def test_normal_prediction_is_fitted_at_its_median_and_keeps_a_width() -> None:
    truth = np.linspace(0.5, 10, 5001)
    raw = NormalPrediction(0.8 * truth + 0.5, 0.1 * np.sqrt(truth))
    corrected = BiasCorrection("line").fit(truth, raw).apply(raw)
    assert corrected.has_width
    np.testing.assert_allclose(corrected.median, truth, atol=1e-6)
    np.testing.assert_allclose(corrected.std, 0.1 * np.sqrt(truth) / 0.8, rtol=1e-6)


def test_json_round_trip() -> None:
    truth, _, pred = shrunk_toy(20_000, seed=5)
    correction = BiasCorrection("spline", n_bins=15, energy_range=(0.0, 10.0)).fit(truth, pred)
    again = BiasCorrection.from_dict(json.loads(json.dumps(correction.to_dict())))
    np.testing.assert_array_equal(again.map_(pred), correction.map_(pred))
    assert repr(again) == repr(correction)


@pytest.mark.parametrize("spacing", ["uniform", "log", "quantile"])
def test_spacings_give_the_same_line(spacing: str) -> None:
    rng = np.random.default_rng(0)
    truth = np.exp(rng.uniform(0, 3, 20_000))
    correction = BiasCorrection("line", spacing=spacing).fit(truth, 2 * truth + 1)  # type: ignore[arg-type]
    np.testing.assert_allclose(correction.parameters_, [2, 1], atol=1e-6)


def test_events_outside_the_range_are_counted() -> None:
    truth = np.linspace(0, 10, 1001)
    assert BiasCorrection("line", energy_range=(2.0, 8.0)).fit(truth, truth).n_outside_ == 400


def test_median_error_is_that_of_a_normal() -> None:
    rng = np.random.default_rng(1)
    points, errors = [], []
    for _ in range(400):
        bins = binned_prediction(np.ones(500) * 5, rng.normal(5, 1, 500), np.array([0.0, 10.0]), "median", 20)
        points.append(bins.energy_pred[0])
        errors.append(bins.error[0])
    # known: sqrt(pi / 2 / n); 400 toys measure the spread to 1 / sqrt(800) = 3.5 %
    expected = np.sqrt(np.pi / 2 / 500)
    assert np.std(points) == pytest.approx(expected, rel=0.14)
    assert np.mean(errors) == pytest.approx(expected, rel=0.05)


def test_binned_statistic_does_not_feel_the_bin_width() -> None:
    truth = np.linspace(0, 10, 10_001)
    bins = binned_prediction(truth, 0.7 * truth + 0.1, np.linspace(0, 10, 6), "median", 20)
    np.testing.assert_allclose(bins.energy_pred, 0.7 * bins.energy_true + 0.1, rtol=1e-12)
    assert bins.error.max() < 1e-6


def test_smoothing_reduces_the_error_of_a_smooth_curve() -> None:
    x = np.linspace(0, 1, 20)
    curve = x + 0.1 * x**2
    rng = np.random.default_rng(2)
    noisy = curve + 0.05 * rng.standard_normal((200, 20))
    smooth = np.array([smooth_by_cp(x, y, np.full(20, 0.05))[0] for y in noisy])
    assert np.sqrt(np.mean((smooth - curve) ** 2)) < 0.55 * 0.05


def test_smoothing_follows_a_curve_measured_well() -> None:
    x = np.linspace(0, 1, 20)
    y = np.sin(6 * x)
    smooth, n_parameters = smooth_by_cp(x, y, np.full(20, 1e-4))
    np.testing.assert_allclose(smooth, y, atol=1e-4)
    assert n_parameters > 10


def test_smoothing_leaves_three_points() -> None:
    smooth, n_parameters = smooth_by_cp(np.arange(3.0), np.array([0.0, 2.0, 1.0]), np.ones(3))
    np.testing.assert_array_equal(smooth, [0, 2, 1])
    assert n_parameters == 3


def test_too_few_events_in_a_bin() -> None:
    truth = np.linspace(0, 10, 100)
    with pytest.raises(DataError, match=r">= 20 events.*got 5 in bin 0 \(0 to 0.5 GeV; 20 of 20 bins.*use fewer bins"):
        BiasCorrection("line").fit(truth, truth)


def test_prediction_that_does_not_rise() -> None:
    truth = np.linspace(0, 10, 2000)
    with pytest.raises(DataError, match=r"does not rise with energy_true: .* use fewer bins"):
        BiasCorrection("spline").fit(truth, 5 - truth)
    with pytest.raises(DataError, match="the line has slope -1"):
        BiasCorrection("line").fit(truth, 5 - truth)


def test_bad_values_are_counted_and_placed() -> None:
    truth = np.linspace(0, 10, 2000)
    pred = truth.copy()
    pred[[7, 9]] = np.nan
    with pytest.raises(DataError, match=r"the prediction must be finite; got nan GeV at event 7 \(2 of 2000\); drop"):
        BiasCorrection().fit(truth, pred)
    with pytest.raises(DataError, match=r"energy_true must be finite and >= 0; got -1.0 GeV at event 0"):
        BiasCorrection().fit(truth - 1, truth)
    with pytest.raises(DataError, match=r"one shape \(B,\), B > 0; got \(2000,\) and \(3,\)"):
        BiasCorrection().fit(truth, truth[:3])
    with pytest.raises(DataError, match=r"all events have energy_true = 5 GeV"):
        BiasCorrection().fit(np.full(100, 5.0), truth[:100])
    with pytest.raises(DataError, match=r"log bins need energies above 0; got a lowest of 0 GeV"):
        BiasCorrection(spacing="log").fit(truth, truth)
    with pytest.raises(DataError, match=r"a power law needs predictions above 0 GeV; got -0.7\d+ GeV .* \(bin 0\)"):
        BiasCorrection("power").fit(truth, truth - 1)


def test_bad_options() -> None:
    with pytest.raises(RecipeError, match="unknown form 'lin' of a bias correction; nearest known: 'line'"):
        BiasCorrection("lin")  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="n_bins >= 3 and min_events >= 3; got 1 and 20"):
        BiasCorrection(n_bins=1)
    with pytest.raises(RecipeError, match=r"0 <= low < high in GeV; got \(5, 2\)"):
        BiasCorrection(energy_range=(5, 2))


def test_unfitted_and_damaged() -> None:
    with pytest.raises(NotFittedError, match=r"call fit\(energy_true, prediction\) on validation events"):
        BiasCorrection().apply(PointPrediction(np.ones(3)))
    with pytest.raises(ModelFileError, match=r"needs 'options' and 'map'; got \['map'\]"):
        BiasCorrection.from_dict({"map": {}})
    with pytest.raises(ModelFileError, match=r"not the options of a bias correction: .*colour"):
        BiasCorrection.from_dict({"options": {"colour": 1}, "map": {}})


def test_no_correction_changes_nothing(rng: np.random.Generator) -> None:
    truth = rng.uniform(1, 10, 2000)
    correction = BiasCorrection("none").fit(truth, 0.5 * truth)
    energy = np.array([-1.0, 0.0, 3.0, 100.0])
    np.testing.assert_array_equal(correction.map_(energy), energy)
    np.testing.assert_array_equal(BiasCorrection.from_dict(correction.to_dict()).map_(energy), energy)


@pytest.mark.parametrize(("truth", "spacing"), [([5.0], "uniform"), ([5.0, 5.0], "quantile"), ([0.0, 2.0], "log")])
def test_no_correction_needs_no_bins(truth: list[float], spacing: Any) -> None:
    correction = BiasCorrection("none", spacing=spacing).fit(truth, truth)
    assert (correction.bins_, correction.chi2_, correction.ndf_, correction.n_outside_) == (None, None, None, 0)
    np.testing.assert_array_equal(correction.map_(np.array([3.0])), [3.0])
    with pytest.raises(DataError, match="the prediction must be finite; got nan GeV at event 0"):
        BiasCorrection("none").fit([5.0], [np.nan])
