"""Laws that every correction map obeys, and the error texts."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from showercal.calibration import LineMap, PowerMap, SplineMap, map_from_dict
from showercal.errors import DataError, ModelFileError

MAPS = [
    LineMap(0.8, 0.5),
    PowerMap(1.3, 0.9, 0.0, energy_low=0.25, energy_high=9.0),
    PowerMap(0.7, 1.2, -0.3, energy_low=0.25, energy_high=9.0),
    PowerMap(-3.0, -0.2, 5.0, energy_low=0.25, energy_high=9.0),  # bends towards 5 GeV
    SplineMap((0.4, 1.0, 1.7, 4.0, 8.9), (0.2, 1.0, 2.0, 4.1, 9.7), slope_low=2.5, slope_high=3.1),
]
ENERGIES = np.linspace(-3, 14, 1001)

each_map = pytest.mark.parametrize("energy_map", MAPS, ids=lambda m: m.form)


@each_map
def test_map_rises_everywhere(energy_map: LineMap | PowerMap | SplineMap) -> None:
    assert np.all(np.diff(energy_map(ENERGIES)) > 0)
    assert np.all(energy_map.derivative(ENERGIES) > 0)


@each_map
def test_inverse_undoes_the_map(energy_map: LineMap | PowerMap | SplineMap) -> None:
    np.testing.assert_allclose(energy_map.inverse(energy_map(ENERGIES)), ENERGIES, atol=1e-10)
    np.testing.assert_allclose(energy_map(energy_map.inverse(ENERGIES)), ENERGIES, atol=1e-10)


@each_map
def test_derivative_is_the_slope(energy_map: LineMap | PowerMap | SplineMap) -> None:
    away = 1e-6
    energies = ENERGIES + 0.0003  # not on a knot, where the slope of a tail may jump
    numeric = (energy_map(energies + away) - energy_map(energies - away)) / (2 * away)
    np.testing.assert_allclose(energy_map.derivative(energies), numeric, rtol=1e-6)


@each_map
def test_map_takes_any_shape(energy_map: LineMap | PowerMap | SplineMap) -> None:
    grid = ENERGIES[:12].reshape(3, 4)
    for function in (energy_map, energy_map.inverse, energy_map.derivative):
        np.testing.assert_array_equal(function(grid), function(grid.ravel()).reshape(3, 4))


@each_map
def test_json_round_trip(energy_map: LineMap | PowerMap | SplineMap) -> None:
    again = map_from_dict(json.loads(json.dumps(energy_map.to_dict())))
    assert again == energy_map
    np.testing.assert_array_equal(again(ENERGIES), energy_map(ENERGIES))


@given(steps=st.lists(st.tuples(st.floats(1e-3, 5), st.floats(1e-3, 5)), min_size=2, max_size=12))
def test_any_rising_spline_can_be_inverted(steps: list[tuple[float, float]]) -> None:
    pred, energy = np.cumsum(np.array(steps), axis=0).T
    spline = SplineMap(tuple(pred.tolist()), tuple(energy.tolist()), 1.0, 1.0)
    at = np.linspace(energy[0] - 1, energy[-1] + 1, 201)
    # corrected energies come back; the prediction itself is ill-determined where the cubic is almost flat
    np.testing.assert_allclose(spline(spline.inverse(at)), at, atol=1e-9 * (1 + energy[-1]))


def test_power_law_goes_straight_outside_the_energies_of_its_fit() -> None:
    power = PowerMap(2.0, 0.5, 1.0, energy_low=1.0, energy_high=4.0)
    np.testing.assert_allclose(power(np.array([3.0, 4.0, 5.0])), [1.0, 2.25, 4.0])
    # slopes 2 E / (E_pred - 1) at both ends: 1 and 2
    np.testing.assert_allclose(power(np.array([2.0, -1.0, 6.0, 10.0])), [0.0, -3.0, 6.0, 14.0])


def test_spline_passes_through_its_knots() -> None:
    spline = MAPS[-1]
    assert isinstance(spline, SplineMap)
    np.testing.assert_allclose(spline(np.array(spline.energy_pred)), spline.energy, rtol=1e-14)


def test_falling_maps_are_refused() -> None:
    with pytest.raises(DataError, match="must rise strictly with energy, but the line has slope -1"):
        LineMap(-1.0, 0.0)
    with pytest.raises(DataError, match=r"the power law is 1 \* E\^-2 \+ 3 from 0.1 to 2 GeV"):
        PowerMap(1.0, -2.0, 3.0, 0.1, 2.0)
    with pytest.raises(DataError, match=r"the power law is 1 \* E\^2 \+ 0 from 2 to 1 GeV"):
        PowerMap(1.0, 2.0, 0.0, 2.0, 1.0)
    with pytest.raises(DataError, match="energy_pred falls or stays from knot 1 to knot 2; use fewer bins"):
        SplineMap((0.0, 2.0, 1.0), (0.0, 1.0, 2.0), 1.0, 1.0)
    with pytest.raises(DataError, match="the tails have slopes 0 and 1"):
        SplineMap((0.0, 1.0), (0.0, 1.0), 0.0, 1.0)
    with pytest.raises(DataError, match="got 2 and 3"):
        SplineMap((0.0, 1.0), (0.0, 1.0, 2.0), 1.0, 1.0)


def test_damaged_maps_are_refused() -> None:
    with pytest.raises(ModelFileError, match="unknown form of energy correction 'spine'; nearest known: 'spline'"):
        map_from_dict({"form": "spine"})
    with pytest.raises(ModelFileError, match=r"a line correction needs \['c0', 'c1'\]; got \['c0'\]"):
        map_from_dict({"form": "line", "c0": 1.0})
