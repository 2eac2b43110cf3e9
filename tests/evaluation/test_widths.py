"""Diagnostics of predicted widths: known answers, paired errors, refusals."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from normal_widths import LEVELS, normal_widths
from showercal.errors import DataError
from showercal.evaluation import (
    COVERAGES,
    Binning,
    MethodArrays,
    Row,
    WidthArrays,
    crps,
    evaluate,
    is_covered,
    reliability,
)
from showercal.evaluation._measure_width import RAW_WIDTH_METRICS, WIDTH_METRICS, WidthColumns
from showercal.evaluation._widths import uniformity_p_value

FloatArray = NDArray[np.float64]
N = 10_000
BINS = Binning.uniform(0, 10, 5)


def study() -> tuple[FloatArray, dict[str, MethodArrays]]:
    """True widths of 0.3 sqrt(E) about the truth; "narrow" predicts half of it, "biased" is off by one width."""
    rng = np.random.default_rng(11)
    truth = rng.uniform(0.05, 10, N)
    scale = 0.3 * np.sqrt(truth)
    pred = truth + scale * rng.standard_normal(N)
    right = normal_widths(truth, pred, scale)
    methods = {
        "right": MethodArrays(pred, pred, right),
        "narrow": MethodArrays(pred, pred, normal_widths(truth, pred, scale / 2)),
        "twin": MethodArrays(pred, pred, right),
        "biased": MethodArrays(pred + scale, pred + scale, normal_widths(truth, pred + scale, scale)),
        "mended": MethodArrays(pred, pred, right, normal_widths(truth, pred, scale / 2)),
        "point": MethodArrays(pred, pred),
    }
    return truth, methods


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str, int | None], Row]:
    truth, methods = study()
    found = evaluate(truth, methods, "point", BINS, n_bootstrap=100, seed=2)
    return {(row.method, row.metric, row.bin): row for row in found}


Rows = dict[tuple[str, str, int | None], Row]


def test_right_widths_are_called_right(rows: Rows) -> None:
    expected = {"pull_mean": 0.0, "pull_width": 1.0, "pull_sigma68": 1.0} | COVERAGES
    for metric, value in expected.items():
        for number in (None, *range(5)):
            row = rows["right", metric, number]
            assert row.value == pytest.approx(value, abs=4.5 * row.error), (metric, number)


def test_errors_are_the_known_ones(rows: Rows) -> None:
    """1 / sqrt(n) of a mean, 1 / sqrt(2 n) of a width, binomial of a share; 100 replicas know them to 7 %."""
    known = {"pull_mean": 1 / np.sqrt(N), "pull_width": 1 / np.sqrt(2 * N)}
    known |= {metric: np.sqrt(p * (1 - p) / N) for metric, p in COVERAGES.items()}
    for metric, error in known.items():
        assert rows["right", metric, None].error == pytest.approx(error, rel=0.3), metric


def test_half_the_width_is_seen(rows: Rows) -> None:
    """With widths half as large as the errors, the interval of +-1 sigma holds erf(0.5 / sqrt(2)) = 38.29 %."""
    for number in (None, *range(5)):
        for metric, value in (("pull_width", 2), ("pull_sigma68", 2), ("coverage_68", 0.3829)):
            row = rows["narrow", metric, number]
            assert row.value == pytest.approx(value, abs=4.5 * row.error), (metric, number)
    coverage = rows["narrow", "coverage_95", None]
    assert coverage.value == pytest.approx(special.erf(1.959964 / 2 / np.sqrt(2)), abs=4.5 * coverage.error)
    # each bin of the predicted width sees errors twice as large
    assert rows["narrow", "ence", None].value == pytest.approx(1, abs=0.06)


def test_a_bias_of_one_width_is_seen(rows: Rows) -> None:
    mean, width = rows["biased", "pull_mean", None], rows["biased", "pull_width", None]
    assert mean.value == pytest.approx(1, abs=4.5 * mean.error)
    assert width.value == pytest.approx(1, abs=4.5 * width.error)
    inside = stats.norm.cdf(0) - stats.norm.cdf(-2)  # |z + 1| < 1
    assert rows["biased", "coverage_68", None].value == pytest.approx(inside, abs=0.016)
    # PIT = Phi(z - 1): largest distance from uniform is Phi(1/2) - Phi(-1/2)
    assert rows["biased", "pit_ks", None].value == pytest.approx(2 * stats.norm.cdf(0.5) - 1, abs=0.02)


def test_pit_of_right_predictions_is_uniform(rows: Rows) -> None:
    assert rows["right", "pit_ks", None].value < 1.7 / np.sqrt(N)
    assert rows["right", "pit_p", None].value > 0.01
    assert rows["narrow", "pit_p", None].value < 1e-6


def test_scores_of_normal_predictions(rows: Rows) -> None:
    truth, _ = study()
    scale = 0.3 * np.sqrt(truth)
    # entropy of the normal; mean CRPS of a right normal is sigma / sqrt(pi)
    nll = rows["right", "nll", None]
    assert nll.value == pytest.approx(np.mean(np.log(scale)) + 0.5 * np.log(2 * np.pi * np.e), abs=4.5 * nll.error)
    score = rows["right", "crps", None]
    assert score.value == pytest.approx(np.mean(scale) / np.sqrt(np.pi), abs=4.5 * score.error)
    for metric in ("nll", "crps"):
        assert rows["right", metric, None].value < min(rows[n, metric, None].value for n in ("narrow", "biased"))


def test_sharpness_is_the_predicted_resolution(rows: Rows) -> None:
    for number in range(1, 5):
        assert rows["right", "sharpness", number].value == pytest.approx(0.3, rel=0.01)
        assert rows["narrow", "sharpness", number].value == pytest.approx(0.15, rel=0.01)
    bins = [rows["right", "sharpness", k].value for k in range(5)]
    assert rows["right", "sharpness", None].value == pytest.approx(np.mean(bins), rel=1e-12)


def test_ence_of_right_widths_is_the_noise_that_its_meaning_names(rows: Rows) -> None:
    # 10 bins: the mean of ten absolute values of a normal is known to sqrt(pi / 2 - 1) / sqrt(10) = 24 %
    assert rows["right", "ence", None].value == pytest.approx(0.56 / np.sqrt(N / 10), rel=0.75)
    assert ("right", "ence", 0) not in rows


def test_before_and_after_recalibration(rows: Rows) -> None:
    for name, metric in RAW_WIDTH_METRICS.items():
        for number in (None, *range(5)):
            before, after = rows["mended", name, number], rows["mended", metric, number]
            assert (before.value, before.error) == (
                rows["narrow", metric, number].value,
                rows["narrow", metric, number].error,
            )
            assert (after.value, after.error) == (
                rows["right", metric, number].value,
                rows["right", metric, number].error,
            )
    assert not any(metric in RAW_WIDTH_METRICS for method, metric, _ in rows if method != "mended")


def test_the_same_widths_get_the_same_rows(rows: Rows) -> None:
    """The resamples are those of all methods: between equal methods nothing is left, not even an error."""
    for metric in WIDTH_METRICS:
        one, other = rows["right", metric, None], rows["twin", metric, None]
        assert (one.value, one.error) == (other.value, other.error)


def test_point_estimators_have_no_such_rows(rows: Rows) -> None:
    metrics = {metric for method, metric, _ in rows if method == "point"}
    assert not metrics & {*WIDTH_METRICS, *RAW_WIDTH_METRICS, "pit_p"}
    assert {"dependence_dcor", "dependence_mi_raw"} <= metrics


def test_sparse_bins_have_no_value() -> None:
    truth, methods = study()
    some = np.flatnonzero(truth > 2)
    found = evaluate(truth[some], {"right": methods["right"].take(some)}, "right", BINS, n_bootstrap=10)
    empty = [row for row in found if row.bin == 0 and row.metric in WIDTH_METRICS]
    assert len(empty) == len(WIDTH_METRICS) - 1  # all but the ENCE
    assert all(math.isnan(row.value) for row in empty)


def test_resampled_metrics_against_a_loop() -> None:
    """Weights, counts and sorting give what resampled arrays give."""
    rng = np.random.default_rng(3)
    truth = rng.uniform(1, 9, 300)
    pred, scale = truth + rng.standard_t(3, 300), rng.uniform(0.5, 2, 300)
    width = normal_widths(truth, pred, scale)
    at = rng.integers(0, 300, (4, 300))
    fast = WidthColumns(truth, width).metrics(at, truth[at].mean(axis=1))
    for k, drawn in enumerate(at):
        z, pit = (pred - truth)[drawn] / scale[drawn], width.pit[drawn]
        slow = {
            "nll": -width.log_density[drawn].mean(),
            "crps": crps(truth[drawn], LEVELS, width.quantiles[drawn]).mean(),
            "sharpness": scale[drawn].mean() / np.sqrt(truth[drawn].mean()),
            "pull_mean": z.mean(),
            "pull_width": z.std(),
            "pull_sigma68": np.diff(np.quantile(z, stats.norm.cdf([-1, 1])))[0] / 2,
            "coverage_90": np.mean(np.abs(z) < special.ndtri(0.95)),
            "pit_ks": stats.kstest(pit, "uniform").statistic,
        }
        for metric, value in slow.items():
            assert fast[metric][k] == pytest.approx(value, rel=1e-9, abs=1e-12), metric


def normal_crps(z: FloatArray) -> FloatArray:
    """Of a unit normal; Gneiting & Raftery, J. Am. Stat. Assoc. 102 (2007) 359, equation 21 and below."""
    result: FloatArray = z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi)
    return result


def test_crps_of_the_normal() -> None:
    """In the core, in the tails, and far beyond the outermost quantile."""
    z = np.array([-9.0, -4.0, -1.7, 0.0, 0.3, 1.0, 3.0, 4.2, 20.0])
    found = crps(z, LEVELS, np.tile(special.ndtri(LEVELS), (len(z), 1)))
    np.testing.assert_allclose(found, normal_crps(z), rtol=1e-3, atol=1e-4)


def test_crps_is_twice_the_integrated_pinball_loss() -> None:
    """Of uniform distributions, whose quantiles run straight: both are exact."""
    rng = np.random.default_rng(4)
    truth, low, width = rng.uniform(-1, 3, 50), rng.uniform(0, 1, 50), rng.uniform(0.5, 2, 50)
    edges = np.array([1e-12, 0.2, 0.7, 1 - 1e-12])
    found = crps(truth, edges, low[:, None] + width[:, None] * edges)
    fine = (np.arange(20_000) + 0.5) / 20_000
    quantile = low[:, None] + width[:, None] * fine
    loss = np.maximum(fine * (truth[:, None] - quantile), (fine - 1) * (truth[:, None] - quantile))
    np.testing.assert_allclose(found, 2 * loss.mean(axis=1), rtol=1e-6, atol=1e-8)


def test_crps_of_a_sure_prediction_is_the_absolute_error() -> None:
    np.testing.assert_allclose(crps([1.0, 5.0], LEVELS, np.full((2, 65), 3.0)), [2, 2])


def test_is_covered_is_membership_of_the_interval() -> None:
    z = np.random.default_rng(5).standard_normal(1000)
    np.testing.assert_array_equal(is_covered(special.ndtr(z), 0.9), np.abs(z) < special.ndtri(0.95))


def test_p_value_is_that_of_the_known_test() -> None:
    values = np.random.default_rng(6).uniform(size=400) ** 1.05
    test = stats.kstest(values, "uniform", method="exact")
    assert uniformity_p_value(test.statistic, 400) == pytest.approx(test.pvalue, rel=1e-9)


def test_reliability_sees_what_the_mean_hides() -> None:
    """Widths off by the factor 2 for narrow and 1/2 for wide events: on average right, in bins not."""
    rng = np.random.default_rng(7)
    std = np.repeat([1.0, 2.0], N // 2)
    residual = np.repeat([2.0, 1.0], N // 2) * rng.standard_normal(N)
    found = reliability(np.zeros(N), residual, std, n_bins=2)
    np.testing.assert_allclose(found.predicted, [1, 2])
    assert np.all(np.abs(found.observed - [2, 1]) < 4.5 * found.error)
    np.testing.assert_allclose(found.error, [2 / np.sqrt(N), 1 / np.sqrt(N)], rtol=0.1)
    few = reliability(np.zeros(25), residual[:25], std[:25])
    assert len(few.predicted) == 2, "bins of fewer than 10 events say nothing"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("pit", np.nan, r"pit of 'a' must be between 0 and 1; got nan at event 3 \(1 of 50\)"),
        ("pit", 1.2, r"pit of 'a' must be between 0 and 1; got 1.2 at event 3"),
        ("log_density", np.nan, r"log_density of 'a' must be a number or -inf, per GeV; got nan at event 3"),
        ("std", 0.0, r"std of 'a' must be finite and > 0 GeV; got 0.0 at event 3"),
        ("sigma68", np.inf, r"sigma68 of 'a' must be finite and > 0 GeV; got inf at event 3"),
        ("median", np.nan, r"median of 'a' must be finite; got nan at event 3"),
        ("quantiles", np.nan, r"quantiles of 'a' must be finite and rise with their level; got nan at event 3 \("),
        ("quantiles", np.arange(65.0)[::-1], r"quantiles of 'a' must be .* rise with their level; got 63.0 at event 3"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_its_place(field: str, value: Any, message: str) -> None:
    truth = np.linspace(1, 9, 50)
    width = normal_widths(truth, truth, np.ones(50))
    broken = getattr(width, field).copy()
    broken[3] = value
    wrong = dataclasses.replace(width, **{field: broken})
    with pytest.raises(DataError, match=message):
        evaluate(truth, {"a": MethodArrays(truth, truth, wrong)}, "a", BINS)
    with pytest.raises(DataError, match=message):
        evaluate(truth, {"a": MethodArrays(truth, truth, width, wrong)}, "a", BINS)


def test_shapes_and_levels_are_checked() -> None:
    truth = np.linspace(1, 9, 50)
    width = normal_widths(truth, truth, np.ones(50))

    def judge(wrong: WidthArrays) -> None:
        evaluate(truth, {"a": MethodArrays(truth, truth, wrong)}, "a", BINS)

    with pytest.raises(DataError, match=r"pit of 'a' must have shape \(50,\); got \(49,\)"):
        judge(dataclasses.replace(width, pit=width.pit[1:]))
    with pytest.raises(DataError, match=r"quantiles of 'a' must have shape \(50, 65\); got \(65, 50\)"):
        judge(dataclasses.replace(width, quantiles=width.quantiles.T))
    for levels in (LEVELS[::-1], np.array([0.5]), np.array([0.0, 0.5])):
        with pytest.raises(DataError, match="levels of 'a' must be 2 or more rising numbers between 0 and 1"):
            judge(dataclasses.replace(width, levels=levels, quantiles=width.quantiles[:, : len(levels)]))


def test_an_excluded_truth_leaves_the_nll_without_a_value() -> None:
    truth = np.linspace(1, 9, 500)
    width = normal_widths(truth, truth + 0.1, np.ones(500))
    density = width.log_density.copy()
    density[7] = -np.inf
    some = dataclasses.replace(width, log_density=density)
    found = evaluate(truth, {"a": MethodArrays(truth, truth, some)}, "a", BINS, n_bootstrap=10)
    values = {(row.metric, row.bin): row.value for row in found}
    assert math.isnan(values["nll", None])
    assert math.isnan(values["nll", 0])
    assert math.isfinite(values["nll", 4])
    assert math.isfinite(values["crps", None])
