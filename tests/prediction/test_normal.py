"""Normal and log-normal predictions against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from showercal.errors import DataError
from showercal.prediction import LogNormalPrediction, NormalPrediction

LOCATION = np.array([1.0, 2.0, -0.5])
SCALE = np.array([0.3, 0.5, 0.1])


@pytest.fixture
def normal() -> NormalPrediction:
    return NormalPrediction(LOCATION, SCALE)


def test_normal_against_scipy(normal: NormalPrediction) -> None:
    reference = stats.norm(LOCATION, SCALE)
    energy = np.array([1.2, 0.0, -0.5])
    np.testing.assert_allclose(normal.log_prob(energy), reference.logpdf(energy), rtol=1e-13)
    np.testing.assert_allclose(normal.quantile(0.9), reference.ppf(0.9), rtol=1e-13)
    fractions = np.array([0.1, 0.5, 0.99])
    np.testing.assert_allclose(normal.quantile(fractions), reference.ppf(fractions), rtol=1e-13)
    np.testing.assert_array_equal(normal.std, SCALE)
    np.testing.assert_array_equal(normal.std_model, 0)


def test_normal_samples(normal: NormalPrediction) -> None:
    draws = normal.sample(40_000, seed=1)
    assert draws.shape == (40_000, 3)
    # errors of mean and width: scale / sqrt(n) and scale / sqrt(2 n); four of them allowed
    np.testing.assert_array_less(abs(draws.mean(axis=0) - LOCATION), 4 * SCALE / np.sqrt(40_000))
    np.testing.assert_array_less(abs(draws.std(axis=0) - SCALE), 4 * SCALE / np.sqrt(80_000))
    np.testing.assert_array_equal(draws, normal.sample(40_000, seed=1))
    assert not np.array_equal(draws[:10], normal.sample(10, seed=2))


def test_normal_refuses_bad_parameters() -> None:
    with pytest.raises(DataError, match=r"scale must be > 0 GeV; got nan at event 1 \(2 of 3\)"):
        NormalPrediction(np.ones(3), np.array([1.0, np.nan, 0.0]))
    with pytest.raises(DataError, match=r"got shapes .*'location': \(3,\), 'scale': \(2,\)"):
        NormalPrediction(np.ones(3), np.ones(2))


def test_log_normal_against_scipy() -> None:
    prediction = LogNormalPrediction(LOCATION, SCALE)
    reference = stats.lognorm(s=SCALE, scale=np.exp(LOCATION))
    energy = np.array([3.0, 5.0, 0.7])
    np.testing.assert_allclose(prediction.mean, reference.mean(), rtol=1e-13)
    np.testing.assert_allclose(prediction.std, reference.std(), rtol=1e-13)
    np.testing.assert_allclose(prediction.log_prob(energy), reference.logpdf(energy), rtol=1e-12)
    np.testing.assert_allclose(prediction.cdf(energy), reference.cdf(energy), rtol=1e-12)
    np.testing.assert_allclose(prediction.quantile(0.05), reference.ppf(0.05), rtol=1e-13)


def test_log_normal_has_nothing_at_or_below_zero() -> None:
    prediction = LogNormalPrediction(LOCATION, SCALE)
    for energy in (np.zeros(3), np.full(3, -1.0)):
        np.testing.assert_array_equal(prediction.cdf(energy), 0)
        np.testing.assert_array_equal(prediction.log_prob(energy), -np.inf)


def test_log_normal_refuses_bad_parameters() -> None:
    with pytest.raises(DataError, match=r"scale must be > 0; got -1.0 at event 2 \(1 of 3\)"):
        LogNormalPrediction(LOCATION, np.array([1.0, 1.0, -1.0]))
    with pytest.raises(DataError, match=r"location must be finite; got inf at event 0 \(1 of 3\)"):
        LogNormalPrediction(np.array([np.inf, 1.0, 1.0]), SCALE)
