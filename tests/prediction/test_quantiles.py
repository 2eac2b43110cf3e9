"""Predictions by quantiles: one distribution, whose parts are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from showercal.errors import DataError
from showercal.prediction import NormalPrediction, QuantilePrediction

LEVEL = np.array([0.1, 0.4, 0.9])
ENERGY = np.array([[1.0, 2.0, 4.0], [0.0, 0.3, 0.8]])
PREDICTION = QuantilePrediction(LEVEL, ENERGY)


def test_given_quantiles_come_back() -> None:
    for k, level in enumerate(LEVEL):
        np.testing.assert_allclose(PREDICTION.quantile(level), ENERGY[:, k], rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(PREDICTION.cdf(ENERGY[:, k]), level, rtol=1e-14)


def test_tails_start_at_the_outermost_density_and_hold_what_is_left() -> None:
    # densities of the first event: 0.3 and 0.25 per GeV; decay lengths 0.1 / 0.3 and 0.1 / 0.25 GeV
    one = PREDICTION[:1]
    for energy, density in ((1 - 1e-9, 0.3), (1.5, 0.3), (3.0, 0.25), (4 + 1e-9, 0.25)):
        np.testing.assert_allclose(one.log_prob(np.array([energy])), np.log(density), rtol=1e-7)
    np.testing.assert_allclose(one.cdf(np.array([1 - 0.1 / 0.3])), 0.1 / np.e, rtol=1e-12)
    np.testing.assert_allclose(1 - one.cdf(np.array([4 + 0.1 / 0.25])), 0.1 / np.e, rtol=1e-12)
    np.testing.assert_array_equal(one.mode, 1.5)


def test_moments_of_one_interval() -> None:
    # by hand: half in a uniform of width 2, a quarter in each exponential tail of decay length 1
    even = QuantilePrediction(np.array([0.25, 0.75]), np.array([[4.0, 6.0]]))
    np.testing.assert_allclose(even.mean, 5)
    np.testing.assert_allclose(even.std**2, 0.5 * 4 / 12 + 0.5 * ((1 + 1) ** 2 + 1))


def test_many_quantiles_of_a_normal_give_the_normal() -> None:
    normal = NormalPrediction(np.array([5.0]), np.array([0.5]))
    level = np.arange(0.005, 1, 0.005)
    fine = QuantilePrediction(level, np.array([[normal.quantile(q)[0] for q in level]]))
    np.testing.assert_allclose(fine.mean, normal.mean, rtol=1e-9)
    # exponential tails of 0.5 % each are longer than those of the normal
    np.testing.assert_allclose(fine.std, normal.std, rtol=0.01)
    np.testing.assert_allclose(fine.sigma68, normal.sigma68, rtol=1e-4)


def test_levels_may_differ_between_events() -> None:
    each = QuantilePrediction(np.array([LEVEL, [0.2, 0.5, 0.8]]), ENERGY)
    np.testing.assert_array_equal(each.quantile(0.4)[:1], PREDICTION.quantile(0.4)[:1])
    np.testing.assert_allclose(each.quantile(0.5)[1], 0.3, rtol=1e-14)


def test_refuses_bad_parameters() -> None:
    with pytest.raises(DataError, match=r"quantiles must increase.*got \[1. 3. 2.\] at event 1 \(1 of 2\).*positive"):
        QuantilePrediction(LEVEL, np.array([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]]))
    with pytest.raises(DataError, match=r"levels must increase between 0 and 1, both excluded; got \[0.  0.4 0.9\]"):
        QuantilePrediction(np.array([0.0, 0.4, 0.9]), ENERGY)
    with pytest.raises(DataError, match=r"levels must increase .*got \[0.4 0.4 0.9\]"):
        QuantilePrediction(np.array([0.4, 0.4, 0.9]), ENERGY)
    with pytest.raises(DataError, match=r"one row per event.*'level': \(2,\)"):
        QuantilePrediction(np.array([0.4, 0.9]), ENERGY)
    with pytest.raises(DataError, match="needs two or more of them; got 1"):
        QuantilePrediction(np.array([0.4]), ENERGY[:, :1])
    with pytest.raises(DataError, match="energy must be finite"):
        QuantilePrediction(LEVEL, np.full((1, 3), np.nan))
