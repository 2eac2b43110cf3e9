"""A point has an energy and says that it has no width."""

from __future__ import annotations

import numpy as np
import pytest

from energy_maps import Affine
from showercal.errors import DataError, NoWidthError
from showercal.prediction import FloatArray, MappedPrediction, PointPrediction, from_arrays


def test_point_is_its_energy_everywhere() -> None:
    point = PointPrediction(np.array([1.0, 2.0, 3.0]))
    assert not point.has_width
    for value in (point.mean, point.median, point.mode):
        np.testing.assert_array_equal(value, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(point[1:].mean, [2.0, 3.0])
    np.testing.assert_array_equal(point[np.array([True, False, True])].mean, [1.0, 3.0])


@pytest.mark.parametrize("name", ["std", "std_stochastic"])
def test_point_refuses_widths(name: str) -> None:
    with pytest.raises(NoWidthError, match=r"a point estimator has no std.*ask has_width first"):
        getattr(PointPrediction(np.ones(2)), name)


def test_point_knows_the_spread_of_its_models() -> None:
    np.testing.assert_array_equal(PointPrediction(np.ones(2)).std_model, 0)
    point = PointPrediction(np.array([1.0, 2.0]), np.array([0.1, 0.3]))
    assert not point.has_width
    np.testing.assert_array_equal(point[1:].std_model, [0.3])
    np.testing.assert_allclose(point.transform(Affine(2, 1)).std_model, [0.2, 0.6])
    with pytest.raises(NoWidthError, match="has no std_stochastic"):
        _ = point.std


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


@pytest.mark.parametrize("spread", [None, np.array([0.1, 0.3])])
def test_point_round_trip(spread: FloatArray | None) -> None:
    point = PointPrediction(np.array([1.0, 2.0]), spread)
    again = from_arrays(point.family, point.arrays())
    assert isinstance(again, PointPrediction)
    np.testing.assert_array_equal(again.energy, point.energy)
    np.testing.assert_array_equal(again.std_model, point.std_model)


def test_point_refuses_more_than_one_number_per_event() -> None:
    with pytest.raises(DataError, match=r"one number per event.*\(2, 1\)"):
        PointPrediction(np.ones((2, 1)))
