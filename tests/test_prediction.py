"""Predictions against scipy and against images of distributions known in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from showercal.errors import DataError, NoWidthError
from showercal.prediction import (
    FloatArray,
    MappedPrediction,
    NormalPrediction,
    PointPrediction,
    Prediction,
    from_arrays,
)


@dataclass(frozen=True)
class Affine:
    slope: float
    offset: float

    def __call__(self, energy: FloatArray) -> FloatArray:
        return self.slope * energy + self.offset

    def inverse(self, energy: FloatArray) -> FloatArray:
        return (energy - self.offset) / self.slope

    def derivative(self, energy: FloatArray) -> FloatArray:
        return np.full_like(energy, self.slope)


class Exponential:
    def __call__(self, energy: FloatArray) -> FloatArray:
        return np.exp(energy)

    def inverse(self, energy: FloatArray) -> FloatArray:
        return np.log(energy)

    def derivative(self, energy: FloatArray) -> FloatArray:
        return np.exp(energy)


@dataclass(frozen=True, eq=False)
class TwoWidths(NormalPrediction):
    """A normal whose width has a stochastic part of 0.6 and a model part of 0.8."""

    @property
    def std_stochastic(self) -> FloatArray:
        return 0.6 * self.scale

    @property
    def std_model(self) -> FloatArray:
        return 0.8 * self.scale


LOCATION = np.array([1.0, 2.0, -0.5])
SCALE = np.array([0.3, 0.5, 0.1])


@pytest.fixture
def normal() -> NormalPrediction:
    return NormalPrediction(LOCATION, SCALE)


def test_point_is_its_energy_everywhere() -> None:
    point = PointPrediction(np.array([1.0, 2.0, 3.0]))
    assert not point.has_width
    for value in (point.mean, point.median, point.mode):
        np.testing.assert_array_equal(value, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(point[1:].mean, [2.0, 3.0])
    np.testing.assert_array_equal(point[np.array([True, False, True])].mean, [1.0, 3.0])


@pytest.mark.parametrize("name", ["std", "std_stochastic", "std_model"])
def test_point_refuses_widths(name: str) -> None:
    with pytest.raises(NoWidthError, match=r"a point estimator has no std.*ask has_width first"):
        getattr(PointPrediction(np.ones(2)), name)


def test_point_refuses_what_needs_a_distribution() -> None:
    point = PointPrediction(np.ones(2))
    with pytest.raises(NoWidthError, match="has no quantile"):
        point.quantile(0.5)
    with pytest.raises(NoWidthError, match="has no log_prob"):
        point.log_prob(np.ones(2))
    with pytest.raises(NoWidthError, match="has no sample"):
        point.sample(3, seed=0)
    with pytest.raises(NoWidthError, match="has no distribution to map"):
        MappedPrediction(point, Affine(1, 0))


def test_point_is_mapped_to_a_point() -> None:
    mapped = PointPrediction(np.array([1.0, 2.0])).transform(Affine(2, 1))
    assert isinstance(mapped, PointPrediction)
    np.testing.assert_array_equal(mapped.mean, [3.0, 5.0])


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
    with pytest.raises(DataError, match=r"one number per event.*\(2, 1\)"):
        PointPrediction(np.ones((2, 1)))


def test_quantile_refuses_impossible_fractions(normal: NormalPrediction) -> None:
    with pytest.raises(ValueError, match=r"0 <= q <= 1; got 1.5"):
        normal.quantile(1.5)


def test_affine_image_of_a_normal_is_exact(normal: NormalPrediction) -> None:
    mapped = normal.transform(Affine(2.0, 0.5))
    exact = NormalPrediction(2 * LOCATION + 0.5, 2 * SCALE)
    energy = np.array([2.0, 5.0, -0.4])
    for name in ("mean", "median", "std", "std_stochastic", "std_model"):
        np.testing.assert_allclose(getattr(mapped, name), getattr(exact, name), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(mapped.mode, exact.mode, atol=1e-9)
    np.testing.assert_allclose(mapped.log_prob(energy), exact.log_prob(energy), rtol=1e-12)
    np.testing.assert_allclose(mapped.quantile(0.3), exact.quantile(0.3), rtol=1e-12)
    np.testing.assert_allclose(mapped.sample(5, seed=3), exact.sample(5, seed=3), rtol=1e-12)


def test_exponential_image_of_a_normal_is_log_normal(normal: NormalPrediction) -> None:
    mapped = normal.transform(Exponential())
    exact = stats.lognorm(s=SCALE, scale=np.exp(LOCATION))
    energy = np.array([3.0, 5.0, 0.7])
    np.testing.assert_allclose(mapped.mean, exact.mean(), rtol=1e-9)
    np.testing.assert_allclose(mapped.std, exact.std(), rtol=1e-9)
    np.testing.assert_allclose(mapped.median, exact.median(), rtol=1e-12)
    np.testing.assert_allclose(mapped.log_prob(energy), exact.logpdf(energy), rtol=1e-12)
    np.testing.assert_allclose(mapped.quantile(0.05), exact.ppf(0.05), rtol=1e-12)
    # the mode comes from a grid of 0.025 widths: at most half a step away, i.e. 0.0125 * scale in the logarithm
    np.testing.assert_array_less(abs(np.log(mapped.mode) - (LOCATION - SCALE**2)), 0.0126 * SCALE)


def test_mapped_density_integrates_to_one() -> None:
    mapped = NormalPrediction(np.array([1.0]), np.array([0.5])).transform(Exponential())
    energy = np.geomspace(0.05, 200, 20_001)
    density = np.exp([float(mapped.log_prob(np.array([e]))[0]) for e in energy[::20]])
    # 1001 points: the trapezium rule is good to the square of the step, (8.3 / 1000 / 0.5)^2 / 12
    assert np.trapezoid(density, energy[::20]) == pytest.approx(1, abs=1e-4)


def test_quantiles_commute_with_maps(normal: NormalPrediction) -> None:
    mapped = normal.transform(Exponential()).transform(Affine(3.0, -1.0))
    for q in (0.1, 0.5, 0.8):
        np.testing.assert_allclose(mapped.quantile(q), 3 * np.exp(normal.quantile(q)) - 1, rtol=1e-12)
    np.testing.assert_allclose(mapped.median, 3 * np.exp(LOCATION) - 1, rtol=1e-12)


def test_mapped_widths_keep_their_shares() -> None:
    base = TwoWidths(LOCATION, SCALE)
    mapped = MappedPrediction(base, Affine(2.0, 0.0))
    np.testing.assert_allclose(mapped.std_stochastic, 1.2 * SCALE, rtol=1e-9)
    np.testing.assert_allclose(mapped.std_model, 1.6 * SCALE, rtol=1e-9)
    np.testing.assert_allclose(mapped.std, 2 * SCALE, rtol=1e-9)


def test_mapped_can_be_cut(normal: NormalPrediction) -> None:
    mapped = normal.transform(Exponential())
    assert len(mapped[:2]) == 2
    np.testing.assert_array_equal(mapped[np.array([2, 0])].median, mapped.median[[2, 0]])


def test_mapped_says_how_to_store_it(normal: NormalPrediction) -> None:
    with pytest.raises(NotImplementedError, match="store the prediction before the map"):
        normal.transform(Exponential()).arrays()


@pytest.mark.parametrize("prediction", [PointPrediction(LOCATION), NormalPrediction(LOCATION, SCALE)])
def test_arrays_round_trip(prediction: Prediction) -> None:
    again = from_arrays(prediction.family, prediction.arrays())
    assert type(again) is type(prediction)
    np.testing.assert_array_equal(again.mean, prediction.mean)


def test_unknown_family_names_the_nearest() -> None:
    with pytest.raises(DataError, match="unknown kind of prediction 'normla'; nearest known: 'normal'"):
        from_arrays("normla", {})
