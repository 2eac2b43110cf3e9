"""Images of distributions against those known in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from energy_maps import Affine, Exponential
from showercal.prediction import FloatArray, MappedPrediction, NormalPrediction


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


def test_affine_image_of_a_normal_is_exact(normal: NormalPrediction) -> None:
    mapped = normal.transform(Affine(2.0, 0.5))
    exact = NormalPrediction(2 * LOCATION + 0.5, 2 * SCALE)
    energy = np.array([2.0, 5.0, -0.4])
    for name in ("mean", "median", "std", "std_stochastic", "std_model"):
        np.testing.assert_allclose(getattr(mapped, name), getattr(exact, name), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(mapped.mode, exact.mode, atol=1e-7)
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
    np.testing.assert_array_less(abs(np.log(mapped.mode) - (LOCATION - SCALE**2)), 1e-7 * SCALE)


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
