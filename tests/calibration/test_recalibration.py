"""Recalibrated widths: known answers, coverage on events of another sample, and what a graph computes."""

from __future__ import annotations

import json
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from showercal.calibration import BiasCorrection, WidthRecalibration
from showercal.calibration._level_rules import CONFORMAL_LEVELS
from showercal.calibration._recalibration import Recalibration
from showercal.errors import DataError, ModelFileError, NotFittedError, NoWidthError, RecipeError
from showercal.prediction import (
    ONE_SIGMA,
    EnsemblePrediction,
    NormalPrediction,
    PointPrediction,
    Prediction,
    QuantilePrediction,
    TruncatedNormalPrediction,
)

FloatArray = NDArray[np.float64]
FORMS: tuple[Recalibration, ...] = get_args(Recalibration)
LEVELS = (0.5, ONE_SIGMA, 0.9, 0.95)


def sample(n: int, seed: int, shape: str = "normal") -> tuple[FloatArray, FloatArray, FloatArray]:
    """Truth, location and true width of n events; the errors of unit width may be normal, skewed or heavy-tailed."""
    rng = np.random.default_rng(seed)
    location = rng.uniform(2, 10, n)
    scale = 0.3 * np.sqrt(location)
    errors = {
        "normal": rng.standard_normal(n),
        "skewed": (rng.gamma(2, 1, n) - 2) / np.sqrt(2),
        "heavy": rng.standard_t(3, n) / np.sqrt(3),
    }
    # the errors reach to -5 widths and more: keep the truth above 0
    return np.maximum(location + scale * errors[shape], 0.01), location, scale


def coverage(truth: FloatArray, prediction: Prediction, level: float) -> float:
    low, high = prediction.interval(level)
    return float(np.mean((low <= truth) & (truth <= high)))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("wrong_by", [0.5, 2.0])
def test_a_normal_of_wrong_width_comes_back(form: Recalibration, wrong_by: float) -> None:
    n = 20_000
    truth, location, scale = sample(n, seed=1)
    recalibrated = (
        WidthRecalibration(form)
        .fit(truth, NormalPrediction(location, wrong_by * scale))
        .apply(NormalPrediction(location, wrong_by * scale))
    )
    # the width is the quantile at 68.27 % of |error|: its error is sqrt(p (1 - p) / n) / (2 phi(1)) = 0.96 / sqrt(n)
    # widths; four of them
    np.testing.assert_allclose(recalibrated.sigma68 / scale, 1, atol=4 * 0.96 / np.sqrt(n))
    # the standard deviation holds tails beyond the events of the fit, which keep the shape they were given
    np.testing.assert_allclose(recalibrated.std / scale, 1, atol=0.06)
    # and at 95 %: sqrt(p (1 - p) / n) / (2 phi(1.96)) = 1.87 / sqrt(n), twice that for one end alone
    exact = NormalPrediction(location, scale)
    for q in (0.025, 0.975):
        off = (recalibrated.quantile(q) - exact.quantile(q)) / scale
        np.testing.assert_allclose(off, 0, atol=4 * 2 * 1.87 / np.sqrt(n))


def test_scale_is_the_factor_itself() -> None:
    truth, location, scale = sample(20_000, seed=2)
    fitted = WidthRecalibration("scale").fit(truth, NormalPrediction(location, scale / 2))
    assert fitted.to_dict()["rule"]["factor"] == pytest.approx(2, abs=4 * 2 * 0.96 / np.sqrt(20_000))
    recalibrated = fitted.apply(NormalPrediction(location, scale / 2))
    # exactly so on the events of the fit
    assert coverage(truth, recalibrated, ONE_SIGMA) == pytest.approx(ONE_SIGMA, abs=1 / 20_000)


@pytest.mark.parametrize("form", ["isotonic", "conformal"])
@pytest.mark.parametrize("shape", ["skewed", "heavy"])
def test_wrong_shapes_are_covered_on_another_sample(form: Recalibration, shape: str) -> None:
    n = 20_000
    truth, location, scale = sample(n, seed=3, shape=shape)
    fitted = WidthRecalibration(form).fit(truth, NormalPrediction(location, 0.6 * scale))
    truth, location, scale = sample(n, seed=4, shape=shape)
    raw = NormalPrediction(location, 0.6 * scale)
    recalibrated = fitted.apply(raw)
    for level in LEVELS:
        # the errors of two samples of n events; four of them
        error = 4 * np.sqrt(2 * level * (1 - level) / n)
        assert coverage(truth, recalibrated, level) == pytest.approx(level, abs=error)
        assert abs(coverage(truth, raw, level) - level) > error
    assert np.mean(recalibrated.log_prob(truth)) > np.mean(raw.log_prob(truth)) + 0.05


def test_isotonic_makes_the_levels_uniform_and_mends_the_median() -> None:
    n = 20_000
    truth, location, scale = sample(n, seed=5, shape="skewed")
    fitted = WidthRecalibration("isotonic").fit(truth, NormalPrediction(location, scale))
    truth, location, scale = sample(n, seed=6, shape="skewed")
    raw = NormalPrediction(location, scale)
    recalibrated = fitted.apply(raw)
    # Kolmogorov's distance of two samples exceeds 1.95 sqrt(2 / n) once in a thousand
    assert stats.kstest(recalibrated.cdf(truth), "uniform").statistic < 1.95 * np.sqrt(2 / n)
    assert stats.kstest(raw.cdf(truth), "uniform").statistic > 0.08
    # median of the shifted gamma distribution of shape 2 in its widths
    known = (stats.gamma(2).median() - 2) / np.sqrt(2)
    np.testing.assert_allclose((recalibrated.median - location) / scale, known, atol=0.04)


def test_conformal_coverage_is_guaranteed_with_few_events() -> None:
    n, n_seeds = 100, 400
    covered = dict.fromkeys(CONFORMAL_LEVELS, 0.0)
    for seed in range(n_seeds):
        truth, location, scale = sample(n, seed=1000 + seed, shape="heavy")
        # wrong in every respect: width, median and, by the truncation, support
        wrong = TruncatedNormalPrediction(location + 0.1, 0.5 * scale, location - 2 * scale, location + 2 * scale)
        fitted = WidthRecalibration("conformal").fit(truth, wrong)
        truth, location, scale = sample(200, seed=100_000 + seed, shape="heavy")
        wrong = TruncatedNormalPrediction(location + 0.1, 0.5 * scale, location - 2 * scale, location + 2 * scale)
        recalibrated = fitted.apply(wrong)
        for level in CONFORMAL_LEVELS:
            covered[level] += coverage(truth, recalibrated, level) / n_seeds
    for level, mean in covered.items():
        # of one fit the coverage varies as Beta(k, n + 1 - k), of its 200 test events as the binomial
        error = np.sqrt(level * (1 - level) * (1 / n + 1 / 200) / n_seeds)
        assert mean > level - 3 * error
        # and it is not bought with too wide intervals: the mean is k / (n + 1), less than 1 / n above
        assert mean < level + 1 / n + 3 * error


def test_conformal_intervals_reach_beyond_a_support() -> None:
    truth, location, scale = sample(2000, seed=7)
    bounded = TruncatedNormalPrediction(location, scale, location - scale / 2, location + scale / 2)
    recalibrated = WidthRecalibration("conformal").fit(truth, bounded).apply(bounded)
    assert coverage(truth, recalibrated, 0.95) == pytest.approx(0.95, abs=1.5 / 2000)
    assert np.all(recalibrated.interval(0.95)[1] > bounded.high)


@pytest.mark.parametrize("form", FORMS)
def test_a_graph_computes_the_same(form: Recalibration) -> None:
    truth, location, scale = sample(3000, seed=8, shape="skewed")
    predictions = (
        NormalPrediction(location, scale / 2),
        QuantilePrediction(
            np.array([0.05, 0.2, 0.5, 0.8, 0.95]), location[:, None] + scale[:, None] * [-1.6, -1, 0.1, 0.7, 1.5]
        ),
        EnsemblePrediction((NormalPrediction(location, scale / 2), NormalPrediction(location + 0.1, scale))),
    )
    for base in predictions:
        fitted = WidthRecalibration(form).fit(truth, base)
        recalibrated = fitted.apply(base)
        for level in (*LEVELS, 0.99):
            for q in ((1 - level) / 2, 0.5, (1 + level) / 2):
                at, factor = fitted.graph_level(q)
                by_graph = base.median + factor * (base.quantile(at) - base.median)
                np.testing.assert_allclose(recalibrated.quantile(q), by_graph, rtol=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_survives_json(form: Recalibration) -> None:
    truth, location, scale = sample(1000, seed=9)
    base = NormalPrediction(location, scale)
    fitted = WidthRecalibration(form).fit(truth, base)
    again = WidthRecalibration.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert again.form == form
    assert again.n_events_ == 1000
    np.testing.assert_array_equal(again.apply(base).quantile(0.05), fitted.apply(base).quantile(0.05))
    np.testing.assert_array_equal(again.apply(base).log_prob(truth), fitted.apply(base).log_prob(truth))


def test_follows_a_bias_correction() -> None:
    truth, location, scale = sample(20_000, seed=10)
    biased = NormalPrediction(0.8 * location + 0.5, 0.4 * scale)
    corrected = BiasCorrection("spline", spacing="quantile").fit(truth, biased).apply(biased)
    recalibrated = WidthRecalibration("scale").fit(truth, corrected).apply(corrected)
    assert coverage(truth, recalibrated, ONE_SIGMA) == pytest.approx(ONE_SIGMA, abs=1e-4)
    # the energy stays what the bias correction made it
    np.testing.assert_array_equal(recalibrated.median, corrected.median)


def test_isotonic_of_a_very_narrow_prediction_keeps_to_the_levels_that_can_be_told() -> None:
    # the true energies lie up to 40 predicted widths away: the cdf there has rounded to 0 and 1
    truth, location, scale = sample(5000, seed=11)
    base = NormalPrediction(location, 0.1 * scale)
    recalibrated = WidthRecalibration("isotonic").fit(truth, base).apply(base)
    assert coverage(truth, recalibrated, 0.5) == pytest.approx(0.5, abs=0.01)


def test_refuses_points() -> None:
    point = PointPrediction(np.ones(200))
    for form in FORMS:
        with pytest.raises(NoWidthError, match="a point estimator has no quantile"):
            WidthRecalibration(form).fit(np.ones(200), point)


def test_refuses_before_the_fit() -> None:
    recalibration = WidthRecalibration("scale")
    base = NormalPrediction(np.ones(1), np.ones(1))
    for call in (lambda: recalibration.apply(base), recalibration.to_dict, lambda: recalibration.graph_level(0.5)):
        with pytest.raises(NotFittedError, match=r"call fit\(energy_true, prediction\) on validation events"):
            call()


def test_refuses_bad_events() -> None:
    base = NormalPrediction(np.ones(200), np.ones(200))
    with pytest.raises(DataError, match=r"energy_true must be finite and >= 0; got nan GeV at event 3 \(1 of 200\)"):
        WidthRecalibration().fit(np.where(np.arange(200) == 3, np.nan, 1.0), base)
    with pytest.raises(DataError, match=r"one shape .*\(100,\) and \(200,\)"):
        WidthRecalibration().fit(np.ones(100), base)
    with pytest.raises(DataError, match="at least 100 validation events; got 99"):
        WidthRecalibration().fit(np.ones(99), base[:99])
    with pytest.raises(DataError, match="there is no width to recalibrate"):
        WidthRecalibration("scale").fit(np.ones(200), base)
    with pytest.raises(DataError, match=r"no map of levels can be fitted.*use form 'scale' or 'conformal'"):
        WidthRecalibration("isotonic").fit(np.full(200, 100.0), base)
    with pytest.raises(DataError, match="sizes that increase from above 0"):
        WidthRecalibration("conformal").fit(np.ones(200), base)


def test_refuses_bad_options_and_files() -> None:
    form: Any = "isotonc"
    with pytest.raises(RecipeError, match=r"unknown form 'isotonc' of a recalibration.*nearest known: 'isotonic'"):
        WidthRecalibration(form)
    with pytest.raises(ModelFileError, match=r"needs 'form', 'n_events' and 'rule'; got \['form'\]"):
        WidthRecalibration.from_dict({"form": "scale"})
    with pytest.raises(ModelFileError, match=r"needs \['base_pull', 'pull'\]; got \['factor'\]"):
        WidthRecalibration.from_dict({"form": "isotonic", "n_events": 1, "rule": {"factor": 1.0}})
    fitted = WidthRecalibration.from_dict({"form": "conformal", "n_events": 1, "rule": {"pulls": list(range(1, 13))}})
    with pytest.raises(ValueError, match=r"conformal intervals have the levels .*got q = 0.31, of level 0.38"):
        fitted.graph_level(0.31)
    with pytest.raises(ValueError, match=r"0 < q < 1; got 1.0"):
        fitted.graph_level(1.0)
