"""Formulae of the predicted versus the true energy that a bias correction fits: curve, slopes, start, inverse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from showercal.calibration._binned import BinnedPrediction
from showercal.calibration._maps import LineMap, PowerMap

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Formula:
    """One formula with P parameters.

    Args:
        curve: (true energies of shape (K,), parameters) -> predicted energies, shape (K,), [GeV].
        slopes: The same -> derivatives by the parameters, shape (K, P).
        start: Points -> parameters to start from.
        inverse: (parameters, points) -> the correction.
    """

    curve: Callable[..., FloatArray]
    slopes: Callable[..., FloatArray]
    start: Callable[[BinnedPrediction], tuple[float, ...]]
    inverse: Callable[..., LineMap | PowerMap]


def _line(energy: FloatArray, c0: float, c1: float) -> FloatArray:
    return c0 * energy + c1


def _line_slopes(energy: FloatArray, c0: float, c1: float) -> FloatArray:
    return np.column_stack([energy, np.ones_like(energy)])


def _line_start(bins: BinnedPrediction) -> tuple[float, ...]:
    """The unweighted line."""
    c0, c1 = np.polyfit(bins.energy_true, bins.energy_pred, 1)
    return float(c0), float(c1)


def _power(energy: FloatArray, c0: float, c1: float, c2: float = 0.0) -> FloatArray:
    result: FloatArray = c0 * energy**c1 + c2
    return result


def _power_slopes(energy: FloatArray, c0: float, c1: float) -> FloatArray:
    return np.column_stack([energy**c1, c0 * energy**c1 * np.log(energy)])


def _power_start(bins: BinnedPrediction) -> tuple[float, ...]:
    """The unweighted line in logarithms."""
    exponent, log_scale = np.polyfit(np.log(bins.energy_true), np.log(bins.energy_pred), 1)
    return float(np.exp(log_scale)), float(exponent)


def _offset_slopes(energy: FloatArray, c0: float, c1: float, c2: float) -> FloatArray:
    return np.column_stack([_power_slopes(energy, c0, c1), np.ones_like(energy)])


def _offset_start(bins: BinnedPrediction) -> tuple[float, ...]:
    """The unweighted line: an exponent of 1."""
    c0, c2 = _line_start(bins)
    return c0, 1.0, c2


def _power_map(c0: float, c1: float, bins: BinnedPrediction) -> PowerMap:
    return _offset_map(c0, c1, 0.0, bins)


def _offset_map(c0: float, c1: float, c2: float, bins: BinnedPrediction) -> PowerMap:
    return PowerMap(c0, c1, c2, float(bins.energy_true[0]), float(bins.energy_true[-1]))


#: Formulae by the form of the bias correction.
FORMULAE: Final[Mapping[str, Formula]] = MappingProxyType(
    {
        "line": Formula(_line, _line_slopes, _line_start, lambda c0, c1, bins: LineMap(c0, c1)),
        "power": Formula(_power, _power_slopes, _power_start, _power_map),
        "power_offset": Formula(_power, _offset_slopes, _offset_start, _offset_map),
    }
)
