"""Corrections as maps: predicted energy -> corrected energy, increasing on the whole line, with inverse and slope.

Each has JSON-ready ``to_dict``. All arrays may have any shape and are in GeV.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from showercal.errors import DataError, ModelFileError, nearest

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class LineMap:
    """The inverse of E_pred = c0 * E + c1.

    Args:
        c0: Slope, above 0.
        c1: Offset, [GeV].

    Example:
        >>> LineMap(c0=2.0, c1=1.0)(np.array([5.0]))
        array([2.])
    """

    c0: float
    c1: float
    form: ClassVar[str] = "line"

    def __post_init__(self) -> None:
        if not self.c0 > 0:
            raise DataError(_not_increasing(f"the line has slope {self.c0:g}"))

    def __call__(self, energy: FloatArray) -> FloatArray:
        return (energy - self.c1) / self.c0

    def inverse(self, energy: FloatArray) -> FloatArray:
        return self.c0 * energy + self.c1

    def derivative(self, energy: FloatArray) -> FloatArray:
        return np.full(np.shape(energy), 1 / self.c0)

    def to_dict(self) -> dict[str, Any]:
        return {"form": self.form, **asdict(self)}


@dataclass(frozen=True)
class PowerMap:
    """The inverse of E_pred = c0 * E^c1 + c2 where it was fitted, continued by its tangents.

    Noise takes some predictions to the offset and below, where the power law has no inverse and, near it, a slope of 0
    or infinity; nor is it measured outside the energies it was fitted at. The tangents keep the map increasing.

    Args:
        c0: Scale, of the sign of c1, [GeV^(1 - c1)].
        c1: Exponent, not 0.
        c2: Offset, [GeV].
        energy_low: True energy below which the tangent takes over, above 0, [GeV].
        energy_high: True energy above which the tangent takes over, above ``energy_low``, [GeV].

    References:
        J. Kieseler et al., Eur. Phys. J. C 82 (2022) 79: this form, and its tangent above the highest energy.

    Example:
        >>> PowerMap(c0=2.0, c1=0.5, c2=1.0, energy_low=0.1, energy_high=100.0)(np.array([7.0]))
        array([9.])
    """

    c0: float
    c1: float
    c2: float
    energy_low: float
    energy_high: float
    form: ClassVar[str] = "power"

    def __post_init__(self) -> None:
        if not (self.c0 * self.c1 > 0 and 0 < self.energy_low < self.energy_high):
            raise DataError(
                _not_increasing(
                    f"the power law is {self.c0:g} * E^{self.c1:g} + {self.c2:g} from {self.energy_low:g} to "
                    f"{self.energy_high:g} GeV"
                )
            )

    @property
    def ends(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Prediction at the two ends of the power law, [GeV]; and the slopes of the map there."""
        energies = (self.energy_low, self.energy_high)
        first, last = (self.c0 * energy**self.c1 for energy in energies)
        slopes = (energies[0] / (self.c1 * first), energies[1] / (self.c1 * last))
        return (first + self.c2, last + self.c2), slopes

    def __call__(self, energy: FloatArray) -> FloatArray:
        (first, last), (slope_low, slope_high) = self.ends
        result: FloatArray = ((np.clip(energy, first, last) - self.c2) / self.c0) ** (1 / self.c1)
        result += slope_low * np.minimum(np.subtract(energy, first), 0)
        result += slope_high * np.maximum(np.subtract(energy, last), 0)
        return result

    def inverse(self, energy: FloatArray) -> FloatArray:
        _, (slope_low, slope_high) = self.ends
        result: FloatArray = self.c0 * np.clip(energy, self.energy_low, self.energy_high) ** self.c1 + self.c2
        result += np.minimum(np.subtract(energy, self.energy_low), 0) / slope_low
        result += np.maximum(np.subtract(energy, self.energy_high), 0) / slope_high
        return result

    def derivative(self, energy: FloatArray) -> FloatArray:
        first, last = self.ends[0]
        power = np.clip(energy, first, last) - self.c2
        result: FloatArray = (power / self.c0) ** (1 / self.c1) / (self.c1 * power)
        return result

    def to_dict(self) -> dict[str, Any]:
        return {"form": self.form, **asdict(self)}


@dataclass(frozen=True)
class SplineMap:
    """A monotone piecewise cubic (PCHIP) from predicted to corrected energy, with straight tails.

    The cubic runs from prediction to truth, so applying it (also in an exported graph) needs no root finding; the
    inverse, needed only for densities, is found by Newton steps kept inside their knot interval.

    Args:
        energy_pred: Knots in predicted energy, increasing, K >= 2 of them, [GeV].
        energy: Corrected energy at the knots, increasing, [GeV].
        slope_low: Slope below the first knot, above 0.
        slope_high: Slope above the last knot, above 0.

    References:
        F. N. Fritsch and R. E. Carlson, SIAM J. Numer. Anal. 17 (1980) 238.

    Example:
        >>> SplineMap((1.0, 2.0, 3.0), (0.0, 2.0, 4.0), slope_low=2.0, slope_high=2.0)(np.array([0.5, 2.5, 4.0]))
        array([-1.,  3.,  6.])
    """

    energy_pred: tuple[float, ...]
    energy: tuple[float, ...]
    slope_low: float
    slope_high: float
    form: ClassVar[str] = "spline"

    def __post_init__(self) -> None:
        if len(self.energy_pred) != len(self.energy) or len(self.energy) < 2:
            raise DataError(
                "a spline correction needs two or more knots, as many predicted as corrected energies; got "
                f"{len(self.energy_pred)} and {len(self.energy)}"
            )
        for name in ("energy_pred", "energy"):
            steps = np.diff(getattr(self, name))
            if not np.all(steps > 0):
                k = int(np.argmin(steps > 0))
                raise DataError(_not_increasing(f"{name} falls or stays from knot {k} to knot {k + 1}"))
        if not (self.slope_low > 0 and self.slope_high > 0):
            raise DataError(_not_increasing(f"the tails have slopes {self.slope_low:g} and {self.slope_high:g}"))

    @cached_property
    def _cubic(self) -> PchipInterpolator:
        return PchipInterpolator(self.energy_pred, self.energy)

    @cached_property
    def _slope(self) -> Any:
        return self._cubic.derivative()

    def __call__(self, energy: FloatArray) -> FloatArray:
        first, last = self.energy_pred[0], self.energy_pred[-1]
        result: FloatArray = self._cubic(np.clip(energy, first, last))
        result += self.slope_low * np.minimum(energy - first, 0)
        result += self.slope_high * np.maximum(energy - last, 0)
        return result

    def derivative(self, energy: FloatArray) -> FloatArray:
        first, last = self.energy_pred[0], self.energy_pred[-1]
        inside: FloatArray = self._slope(np.clip(energy, first, last))
        return np.where(energy <= first, self.slope_low, np.where(energy >= last, self.slope_high, inside))

    def inverse(self, energy: FloatArray) -> FloatArray:
        first, last = self.energy[0], self.energy[-1]
        inside = self._root(np.clip(energy, first, last))
        # exact at the ends, where the cubic may be flat and Newton's steps stop short
        result = np.where(energy <= first, self.energy_pred[0], np.where(energy >= last, self.energy_pred[-1], inside))
        result += np.minimum(np.subtract(energy, first), 0) / self.slope_low
        result += np.maximum(np.subtract(energy, last), 0) / self.slope_high
        return result

    def _root(self, energy: FloatArray) -> FloatArray:
        """Solve cubic(x) = energy by Newton steps; a step that leaves the bracket is replaced by halving it."""
        knots = np.asarray(self.energy_pred)
        left = np.clip(np.searchsorted(self.energy, energy, side="right") - 1, 0, len(knots) - 2)
        low, high = knots[left], knots[left + 1]
        x = np.interp(energy, self.energy, knots)
        for _ in range(60):
            excess = self._cubic(x) - energy
            low, high = np.where(excess < 0, x, low), np.where(excess > 0, x, high)
            slope = np.maximum(self._slope(x), np.finfo(float).tiny)
            with np.errstate(over="ignore"):
                newton = x - excess / slope
            moved = np.where((newton >= low) & (newton <= high), newton, (low + high) / 2)
            done = np.all(abs(moved - x) <= 1e-14 * (knots[-1] - knots[0]))
            x = moved
            if done:
                break
        return np.asarray(x, dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        values = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}
        return {"form": self.form, **values}


EnergyMap = LineMap | PowerMap | SplineMap
_FORMS: Final[Mapping[str, type[Any]]] = {m.form: m for m in (LineMap, PowerMap, SplineMap)}


def map_from_dict(values: Mapping[str, Any]) -> EnergyMap:
    """Rebuild a map from its ``to_dict``.

    Raises:
        ModelFileError: If the form is unknown or its parameters are not the expected ones.
    """
    form = str(values.get("form"))
    if form not in _FORMS:
        raise ModelFileError(f"unknown form of energy correction {form!r}; {nearest(form, _FORMS)}")
    kind = _FORMS[form]
    expected = {field.name for field in fields(kind)}
    if set(values) - {"form"} != expected:
        raise ModelFileError(
            f"a {form} correction needs {sorted(expected)}; got {sorted(set(values) - {'form'})}: the file is damaged "
            "or of another version"
        )
    parameters: dict[str, Any] = {name: values[name] for name in expected}
    rebuilt: EnergyMap = kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in parameters.items()})
    return rebuilt


def _not_increasing(what: str) -> str:
    return (
        f"an energy correction must rise strictly with energy, but {what}; use fewer bins or another form, and check "
        "that the prediction follows the truth"
    )
