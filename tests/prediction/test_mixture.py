"""Mixtures and ensembles against answers known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from showercal.errors import DataError, NoWidthError
from showercal.prediction import (
    EnsemblePrediction,
    NormalMixturePrediction,
    NormalPrediction,
    PointPrediction,
    ensemble_of,
)

LOCATION = np.array([[0.0, 6.0], [1.0, 1.2]])
SCALE = np.array([[1.0, 1.0], [0.1, 0.3]])
HALF = np.full((2, 2), 0.5)
MIXTURE = NormalMixturePrediction(HALF, LOCATION, SCALE)
MEMBERS = [NormalPrediction(LOCATION[:, k], SCALE[:, k]) for k in range(2)]


def test_one_component_is_a_normal() -> None:
    mixture = NormalMixturePrediction(np.ones((2, 1)), LOCATION[:, :1], SCALE[:, :1])
    normal = MEMBERS[0]
    energy = np.array([0.3, 1.1])
    np.testing.assert_allclose(mixture.log_prob(energy), normal.log_prob(energy), rtol=1e-12)
    for q in (1e-9, 0.1, 0.5, 1 - 1e-9):
        np.testing.assert_allclose(mixture.quantile(q), normal.quantile(q), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(mixture.mode, normal.mode, atol=1e-7)


def test_symmetric_mixture() -> None:
    one = MIXTURE[:1]
    np.testing.assert_allclose(one.mean, 3)
    np.testing.assert_allclose(one.std, np.sqrt(1 + 9))
    np.testing.assert_allclose(one.median, 3, rtol=1e-12)
    np.testing.assert_allclose(one.quantile(0.1) + one.quantile(0.9), 6, rtol=1e-12)
    # both peaks are pulled in by the other's tail, exp(-18) of a density: either may be called the mode
    assert min(abs(one.mode[0]), abs(one.mode[0] - 6)) < 1e-6


def test_quantiles_far_apart_and_deep_in_the_tails() -> None:
    wide = NormalMixturePrediction(np.array([[0.3, 0.7]]), np.array([[-1e3, 1e3]]), np.array([[1e-3, 1.0]]))
    for q in (1e-12, 0.1, 0.299999, 0.300001, 0.9, 1 - 1e-12):
        np.testing.assert_allclose(wide.cdf(wide.quantile(q)), q, rtol=1e-9)
    # all of the first component lies below: the rest is a normal again
    np.testing.assert_allclose(wide.quantile(0.65), NormalPrediction(np.array([1e3]), np.ones(1)).median, rtol=1e-12)


def test_rounding_of_float32_weights_is_divided_out() -> None:
    weight = np.array([[0.5, 0.5 + 1e-6]] * 2)
    mixture = NormalMixturePrediction(weight, LOCATION, SCALE)
    np.testing.assert_allclose(mixture.cdf(np.full(2, 1e6)), 1, rtol=1e-15)
    np.testing.assert_array_equal(mixture.arrays()["weight"], weight)


def test_mixture_refuses_bad_parameters() -> None:
    with pytest.raises(DataError, match=r"add up to 1 in every event; got \[0.5 0.6\] at event 1 \(1 of 2\).*softmax"):
        NormalMixturePrediction(np.array([[0.5, 0.5], [0.5, 0.6]]), LOCATION, SCALE)
    with pytest.raises(DataError, match=r"weights must be >= 0.*got \[-0.5  1.5\]"):
        NormalMixturePrediction(np.array([[-0.5, 1.5]]), LOCATION[:1], SCALE[:1])
    with pytest.raises(DataError, match=r"scale must be > 0 GeV; got \[1. 0.\] at event 0"):
        NormalMixturePrediction(HALF[:1], LOCATION[:1], np.array([[1.0, 0.0]]))
    with pytest.raises(DataError, match=r"one row per event.*'weight': \(2,\)"):
        NormalMixturePrediction(np.ones(2), LOCATION, SCALE)


def test_ensemble_of_normals_is_their_mixture() -> None:
    ensemble = ensemble_of(MEMBERS)
    energy = np.array([2.0, 1.1])
    np.testing.assert_allclose(ensemble.log_prob(energy), MIXTURE.log_prob(energy), rtol=1e-12)
    np.testing.assert_allclose(ensemble.cdf(energy), MIXTURE.cdf(energy), rtol=1e-12)
    for name in ("mean", "median", "std", "sigma68"):
        np.testing.assert_allclose(getattr(ensemble, name), getattr(MIXTURE, name), rtol=1e-12)
    np.testing.assert_allclose(ensemble.std_stochastic, np.sqrt((SCALE**2).mean(axis=1)), rtol=1e-12)
    np.testing.assert_allclose(ensemble.std_model, [3.0, 0.1], rtol=1e-12)


def test_equal_members_have_no_model_width() -> None:
    ensemble = EnsemblePrediction((MEMBERS[0],) * 3)
    np.testing.assert_allclose(ensemble.std_model, 0, atol=1e-15)
    np.testing.assert_array_equal(ensemble.quantile(0.2), MEMBERS[0].quantile(0.2))


def test_ensemble_of_points_is_their_mean() -> None:
    points = [PointPrediction(np.array([1.0, 2.0])), PointPrediction(np.array([3.0, 2.0]))]
    mean = ensemble_of(points)
    assert isinstance(mean, PointPrediction)
    np.testing.assert_array_equal(mean.energy, [2.0, 2.0])
    np.testing.assert_array_equal(mean.std_model, [1.0, 0.0])
    with pytest.raises(NoWidthError, match=r"members \[1\] of this ensemble are points: see ensemble_of"):
        ensemble_of([MEMBERS[0], points[0]])


def test_weights_count_members_more_than_once() -> None:
    """A weight of 2/3 is a member that is there twice."""
    weighted, twice = ensemble_of(MEMBERS, [2, 1]), ensemble_of([MEMBERS[0], *MEMBERS])
    for name in ("mean", "median", "std_stochastic", "std_model", "sigma68"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(twice, name), rtol=1e-12)
    np.testing.assert_allclose(weighted.log_prob(np.ones(2)), twice.log_prob(np.ones(2)), rtol=1e-12)
    points = [PointPrediction(np.array([1.0])), PointPrediction(np.array([4.0]))]
    mean = ensemble_of(points, [2, 1])
    np.testing.assert_allclose([*mean.mean, *mean.std_model], [2.0, np.sqrt(2)])


def test_impossible_weights_are_refused() -> None:
    for weights in ([1.0], [1.0, -1.0], [0.0, 0.0], [1.0, np.nan]):
        with pytest.raises(DataError, match="must be 2 numbers >= 0, one for each member, with a sum above 0; got"):
            ensemble_of(MEMBERS, weights)
    with pytest.raises(DataError, match=r"shape \(2, 2\), \(events, members\); got \(2,\)"):
        EnsemblePrediction(tuple(MEMBERS), np.array([0.5, 0.5]))
    with pytest.raises(DataError, match=r"add up to 1 in every event; got \[0.5 0.6\] at event 1 .*divide"):
        EnsemblePrediction(tuple(MEMBERS), np.array([[0.5, 0.5], [0.5, 0.6]]))


def test_ensembles_refuse_members_of_other_events() -> None:
    with pytest.raises(DataError, match=r"one or more predictions of the same events; got 2 of \[2, 1\] events"):
        ensemble_of([MEMBERS[0], MEMBERS[0][:1]])
    with pytest.raises(DataError, match="got 0 of"):
        ensemble_of([])
