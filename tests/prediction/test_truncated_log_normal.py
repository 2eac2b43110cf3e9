"""Truncated log-normals against 50-digit arithmetic, with locations from inside to 50 scales outside the interval."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from showercal.errors import DataError
from showercal.prediction import (
    FloatArray,
    LogNormalPrediction,
    TruncatedLogNormalPrediction,
    TruncatedNormalPrediction,
)

# location, scale, low, high: inside, narrow and wide; at the ends; outside on both sides by 1 to 50 scales; scales
# above the interval; five decades
CASES = np.array(
    [
        (7.0, 0.3, 50.0, 8000.0),
        (7.0, 0.001, 50.0, 8000.0),
        (7.0, 1.0, 50.0, 8000.0),
        (7.0, 30.0, 50.0, 8000.0),
        (3.9, 0.5, 50.0, 8000.0),
        (9.0, 0.5, 50.0, 8000.0),
        (9.3, 0.3, 50.0, 8000.0),
        (2.0, 0.4, 50.0, 8000.0),
        (11.0, 0.2, 50.0, 8000.0),
        (-16.0, 0.4, 50.0, 8000.0),
        (29.0, 0.4, 50.0, 8000.0),
        (2.0, 1.5, 0.01, 1000.0),
    ]
)
FRACTIONS = (1e-6, 0.05, 0.5, 0.95, 1 - 1e-6)


def single(cases: FloatArray) -> TruncatedLogNormalPrediction:
    location, scale, low, high = cases.T
    return TruncatedLogNormalPrediction(np.ones((len(cases), 1)), location[:, None], scale[:, None], low, high)


class Exact:
    """One log-normal between two ends, in many digits, from the definitions alone."""

    def __init__(self, location: float, scale: float, low: float, high: float) -> None:
        self.location, self.scale = mpmath.mpf(location), mpmath.mpf(scale)
        self.low, self.high = mpmath.log(mpmath.mpf(low)), mpmath.log(mpmath.mpf(high))
        self.total = self.mass(self.high)

    def mass(self, log_energy: mpmath.mpf, power: int = 0) -> mpmath.mpf:
        """Integral of E^power from the lower end, without the normalisation."""
        location, root = self.location + power * self.scale**2, self.scale * mpmath.sqrt(2)
        # differences in the far tail lose the digits that they have in common: 600 at 50 scales, 800 at 60
        with mpmath.workdps(900):
            share = (mpmath.erf((log_energy - location) / root) - mpmath.erf((self.low - location) / root)) / 2
            return mpmath.exp(power * self.location + power**2 * self.scale**2 / 2) * share

    def log_prob(self, energy: float) -> mpmath.mpf:
        at = mpmath.log(mpmath.mpf(energy))
        pull = (at - self.location) / self.scale
        return -(pull**2) / 2 - mpmath.log(self.scale * mpmath.sqrt(2 * mpmath.pi)) - mpmath.log(self.total) - at

    def cdf(self, energy: float) -> mpmath.mpf:
        return self.mass(mpmath.log(mpmath.mpf(energy))) / self.total

    def moment(self, power: int) -> mpmath.mpf:
        return self.mass(self.high, power) / self.total


@pytest.fixture(scope="module")
def prediction() -> TruncatedLogNormalPrediction:
    return single(CASES)


@pytest.fixture(scope="module")
def exact() -> list[Exact]:
    with mpmath.workdps(50):
        return [Exact(*case) for case in CASES]


def test_moments(prediction: TruncatedLogNormalPrediction, exact: list[Exact]) -> None:
    with mpmath.workdps(50):
        mean = np.array([float(one.moment(1)) for one in exact])
        std = np.array([float(mpmath.sqrt(one.moment(2) - one.moment(1) ** 2)) for one in exact])
    np.testing.assert_allclose(prediction.mean, mean, rtol=1e-13)
    np.testing.assert_allclose(prediction.std, std, rtol=1e-11)
    np.testing.assert_allclose(prediction.expectation(np.sqrt), [mean_of_root(one) for one in exact], rtol=1e-11)


def mean_of_root(one: Exact) -> float:
    """E[sqrt(energy)], a moment of half a power."""
    with mpmath.workdps(50):
        return float(one.moment(mpmath.mpf(1) / 2))  # type: ignore[arg-type]


@pytest.mark.parametrize("q", FRACTIONS)
def test_quantiles_cdf_and_density(prediction: TruncatedLogNormalPrediction, exact: list[Exact], q: float) -> None:
    energy = prediction.quantile(q)
    with mpmath.workdps(50):
        cdf = np.array([float(one.cdf(at)) for one, at in zip(exact, energy, strict=True)])
        density = np.array([float(one.log_prob(at)) for one, at in zip(exact, energy, strict=True)])
    # the last digit of log E = 7 is 1e-12 of the narrowest scale, and log Phi at 50 scales is good to 2e-13
    np.testing.assert_allclose(prediction.cdf(energy), cdf, rtol=2e-11, atol=1e-12)
    np.testing.assert_allclose(cdf, q, rtol=2e-11, atol=2e-12)
    np.testing.assert_allclose(prediction.log_prob(energy), density, rtol=1e-11, atol=1e-11)


def test_far_from_its_ends_it_is_log_normal() -> None:
    whole = LogNormalPrediction(np.array([3.0]), np.array([0.1]))
    cut = single(np.array([[3.0, 0.1, 1.0, 1000.0]]))
    for name in ("mean", "median", "mode", "std", "sigma68"):
        np.testing.assert_allclose(getattr(cut, name), getattr(whole, name), rtol=1e-12)


def test_nothing_lies_outside(prediction: TruncatedLogNormalPrediction) -> None:
    for energy, probability in ((prediction.low * (1 - 1e-9), 0), (prediction.high * (1 + 1e-9), 1)):
        np.testing.assert_array_equal(prediction.log_prob(energy), -np.inf)
        np.testing.assert_array_equal(prediction.cdf(energy), probability)
    for energy in (np.zeros(len(CASES)), np.full(len(CASES), -5.0)):  # without a logarithm
        np.testing.assert_array_equal(prediction.log_prob(energy), -np.inf)
        np.testing.assert_array_equal(prediction.cdf(energy), 0)
    np.testing.assert_allclose(prediction.quantile(0.0), prediction.low, rtol=1e-15)
    np.testing.assert_allclose(prediction.quantile(1.0), prediction.high, rtol=1e-15)
    for found in (prediction.sample(1000, seed=3), prediction.quantile(0.0), prediction.quantile(1.0), prediction.mode):
        assert np.all((found >= prediction.low) & (found <= prediction.high))


def test_mode_is_that_of_the_log_normal_or_the_nearest_end(prediction: TruncatedLogNormalPrediction) -> None:
    expected = np.clip(np.exp(CASES[:, 0] - CASES[:, 1] ** 2), CASES[:, 2], CASES[:, 3])
    np.testing.assert_allclose(prediction.mode, expected, rtol=1e-7)


def test_mixture_is_the_weighted_sum_of_its_components() -> None:
    weight, location, scale = np.array([[0.2, 0.7, 0.1]]), np.array([[5.0, 7.5, 12.0]]), np.array([[0.4, 0.2, 0.5]])
    ends = np.array([50.0]), np.array([8000.0])
    mixture = TruncatedLogNormalPrediction(weight, location, scale, *ends)
    curves = TruncatedNormalPrediction(location[0], scale[0], *(np.repeat(np.log(end), 3) for end in ends))
    for energy in (60.0, 300.0, 1800.0, 7900.0):
        at = np.array([energy])
        np.testing.assert_allclose(mixture.cdf(at), weight @ curves.cdf(np.log(at.repeat(3))), rtol=1e-12)
        density = weight @ np.exp(curves.log_prob(np.log(at.repeat(3)))) / energy
        np.testing.assert_allclose(np.exp(mixture.log_prob(at)), density, rtol=1e-12)
        np.testing.assert_allclose(mixture.quantile(mixture.cdf(at)), at, rtol=1e-9)
    np.testing.assert_allclose(mixture.mean, weight @ curves.expectation(np.exp), rtol=1e-9)


def test_refuses_bad_parameters() -> None:
    one, column = np.ones(2), np.ones((2, 1))
    with pytest.raises(DataError, match=r"low must be > 0 GeV and below high; got \[0. 1.\] at event 0 \(2 of 2\)"):
        TruncatedLogNormalPrediction(column, column, column, 0 * one, one)
    with pytest.raises(DataError, match=r"and below high; got \[1. 1.\]"):
        TruncatedLogNormalPrediction(column, column, column, one, one)
    with pytest.raises(DataError, match=r"scale must be > 0; got \[0.\] at event 1"):
        TruncatedLogNormalPrediction(column, column, np.array([[1.0], [0.0]]), one, 2 * one)
    with pytest.raises(DataError, match=r"weights must be >= 0 and add up to 1 in every event; got \[0.5\]"):
        TruncatedLogNormalPrediction(column / 2, column, column, one, 2 * one)
    with pytest.raises(DataError, match=r"high must be finite; got inf at event 0"):
        TruncatedLogNormalPrediction(column, column, column, one, np.full(2, np.inf))
    with pytest.raises(DataError, match=r"got shapes .*'high': \(3,\)"):
        TruncatedLogNormalPrediction(column, column, column, one, np.ones(3))
