"""Truncated normals against 50-digit arithmetic, with locations from inside to 50 scales outside the interval."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from showercal.errors import DataError
from showercal.prediction import TruncatedNormalPrediction

# location, scale, low, high: inside; wide and narrow; at the ends; outside on both sides by 1 to 50 scales; far inside
# a wide interval; a scale far above the interval
CASES = np.array(
    [
        (5.0, 1.0, 0.0, 10.0),
        (5.0, 0.01, 0.0, 10.0),
        (5.0, 30.0, 0.0, 10.0),
        (0.0, 0.5, 0.0, 10.0),
        (10.0, 0.5, 0.0, 10.0),
        (-0.7, 0.5, 0.0, 10.0),
        (11.0, 0.5, 0.0, 10.0),
        (-5.0, 0.5, 0.0, 10.0),
        (15.0, 0.5, 0.0, 10.0),
        (-25.0, 0.5, 0.0, 10.0),
        (35.0, 0.5, 0.0, 10.0),
        (-50.0, 1.0, 0.0, 0.02),
        (51.0, 1.0, 0.98, 1.0),
        (3.0, 1000.0, 2.0, 4.0),
    ]
)
FRACTIONS = (1e-6, 0.05, 0.5, 0.95, 1 - 1e-6)


@pytest.fixture(scope="module")
def prediction() -> TruncatedNormalPrediction:
    return TruncatedNormalPrediction(*CASES.T)


class Exact:
    """One truncated normal in 50 digits, from the definitions alone."""

    def __init__(self, location: float, scale: float, low: float, high: float) -> None:
        self.location, self.scale, self.low, self.high = map(mpmath.mpf, (location, scale, low, high))
        self.total = self.mass(self.high)

    def mass(self, energy: mpmath.mpf) -> mpmath.mpf:
        root = self.scale * mpmath.sqrt(2)
        ends = [(end - self.location) / root for end in (self.low, energy)]
        # differences of erfc in the far tail lose the digits that they have in common: 600 at 50 scales
        with mpmath.workdps(700):
            return (mpmath.erf(ends[1]) - mpmath.erf(ends[0])) / 2

    def log_prob(self, energy: float) -> mpmath.mpf:
        pull = (mpmath.mpf(energy) - self.location) / self.scale
        return -(pull**2) / 2 - mpmath.log(self.scale * mpmath.sqrt(2 * mpmath.pi)) - mpmath.log(self.total)

    def cdf(self, energy: float) -> mpmath.mpf:
        return self.mass(mpmath.mpf(energy)) / self.total

    def mean_and_std(self) -> tuple[mpmath.mpf, mpmath.mpf]:
        alpha, beta = ((end - self.location) / self.scale for end in (self.low, self.high))
        with mpmath.workdps(100):
            first, last = mpmath.npdf(alpha) / self.total, mpmath.npdf(beta) / self.total
            shift = first - last
            variance = 1 + alpha * first - beta * last - shift**2
            return self.location + self.scale * shift, self.scale * mpmath.sqrt(variance)


@pytest.fixture(scope="module")
def exact() -> list[Exact]:
    with mpmath.workdps(50):
        return [Exact(*case) for case in CASES]


def test_moments(prediction: TruncatedNormalPrediction, exact: list[Exact]) -> None:
    with mpmath.workdps(50):
        mean, std = np.array([[float(value) for value in one.mean_and_std()] for one in exact]).T
    np.testing.assert_allclose(prediction.mean, mean, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(prediction.std, std, rtol=1e-12)
    # a mean next to an end is off by its distance from there at the same precision
    np.testing.assert_allclose(prediction.mean - prediction.low, mean - prediction.low, rtol=1e-11)


@pytest.mark.parametrize("q", FRACTIONS)
def test_quantiles_and_cdf(prediction: TruncatedNormalPrediction, exact: list[Exact], q: float) -> None:
    energy = prediction.quantile(q)
    with mpmath.workdps(50):
        cdf = np.array([float(one.cdf(at)) for one, at in zip(exact, energy, strict=True)])
    # log Phi at 50 scales is -1254, whose last digit is 2e-13
    np.testing.assert_allclose(prediction.cdf(energy), cdf, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(cdf, q, atol=1e-12)


def test_log_prob(prediction: TruncatedNormalPrediction, exact: list[Exact]) -> None:
    for q in FRACTIONS:
        energy = prediction.quantile(q)
        with mpmath.workdps(50):
            density = np.array([float(one.log_prob(at)) for one, at in zip(exact, energy, strict=True)])
        # the pull squared and log Phi, 1250 at 50 scales, cancel: 1250 * 2e-16
        np.testing.assert_allclose(prediction.log_prob(energy), density, rtol=1e-12, atol=1e-12)


def test_nothing_lies_outside(prediction: TruncatedNormalPrediction) -> None:
    below, above = prediction.low - 1e-9, prediction.high + 1e-9
    np.testing.assert_array_equal(prediction.log_prob(below), -np.inf)
    np.testing.assert_array_equal(prediction.log_prob(above), -np.inf)
    np.testing.assert_array_equal(prediction.cdf(below), 0)
    np.testing.assert_array_equal(prediction.cdf(above), 1)
    np.testing.assert_array_equal(prediction.quantile(0.0), prediction.low)
    np.testing.assert_array_equal(prediction.quantile(1.0), prediction.high)
    draws = prediction.sample(1000, seed=3)
    assert np.all((draws >= prediction.low) & (draws <= prediction.high))


def test_mode_is_the_location_or_the_nearest_end(prediction: TruncatedNormalPrediction) -> None:
    np.testing.assert_array_equal(prediction.mode[[0, 5, 8]], [5.0, 0.0, 10.0])


def test_mirrored_intervals_give_mirrored_results(prediction: TruncatedNormalPrediction) -> None:
    mirrored = TruncatedNormalPrediction(-prediction.location, prediction.scale, -prediction.high, -prediction.low)
    np.testing.assert_allclose(mirrored.mean, -prediction.mean, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(mirrored.quantile(0.25), -prediction.quantile(0.75), rtol=1e-12, atol=1e-15)


def test_refuses_bad_parameters() -> None:
    one = np.ones(2)
    with pytest.raises(DataError, match=r"low must be below high; got \[1. 1.\] at event 0 \(2 of 2\)"):
        TruncatedNormalPrediction(one, one, one, one)
    with pytest.raises(DataError, match=r"scale must be > 0 GeV; got 0.0 at event 1"):
        TruncatedNormalPrediction(one, np.array([1.0, 0.0]), 0 * one, one)
    with pytest.raises(DataError, match=r"location must be finite; got nan at event 0"):
        TruncatedNormalPrediction(np.array([np.nan, 1.0]), one, 0 * one, one)
    with pytest.raises(DataError, match=r"got shapes .*'high': \(3,\)"):
        TruncatedNormalPrediction(one, one, 0 * one, np.ones(3))
