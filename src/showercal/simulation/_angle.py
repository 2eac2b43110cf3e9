"""Directions of the gun's particles: parallel, in a cone, or spread like a beam."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from showercal.errors import RecipeError

FloatArray = NDArray[np.float64]
_FORMS: Final = "THETA, THETA,PHI, LOW:HIGH or gauss:SIGMA in degrees (20, 20,90, 0:30, gauss:0.5)"


class AngleSpread(ABC):
    """A distribution of directions, driven by two uniform numbers per particle. Angles are in rad."""

    @abstractmethod
    def directions(self, u: FloatArray) -> FloatArray:
        """Unit vectors with uz > 0, shape (B, 3).

        Args:
            u: Uniform numbers in (0, 1), shape (B, 2).
        """

    @property
    @abstractmethod
    def text(self) -> str:
        """The form that `parse_angle` reads back, in degrees."""


@dataclass(frozen=True)
class Parallel(AngleSpread):
    """All particles fly the same way.

    Args:
        theta: Angle to the z axis, [rad], in [0, pi/2).
        phi: Azimuth the beam leans to, [rad]: 0 along +x, pi/2 along +y.

    Raises:
        RecipeError: If theta is out of range.
    """

    theta: float = 0.0
    phi: float = 0.0

    def __post_init__(self) -> None:
        _check_polar(self.theta)
        if not math.isfinite(self.phi):
            raise RecipeError(f"the azimuth of the beam must be a number; got {self.phi}")

    def directions(self, u: FloatArray) -> FloatArray:
        return np.tile(_unit(np.array([self.theta]), np.array([self.phi])), (len(u), 1))

    @property
    def text(self) -> str:
        return f"{_degrees(self.theta)},{_degrees(self.phi)}" if self.phi else _degrees(self.theta)


@dataclass(frozen=True)
class Cone(AngleSpread):
    """Uniform in solid angle between two angles to the z axis, at any azimuth.

    Args:
        low, high: [rad], 0 <= low < high < pi/2.

    Raises:
        RecipeError: If the limits are not in order.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_polar(self.low)
        _check_polar(self.high)
        if self.low >= self.high:
            raise RecipeError(
                f"a cone needs 0 <= low < high in degrees; got {_degrees(self.low)} to {_degrees(self.high)}"
            )

    def directions(self, u: FloatArray) -> FloatArray:
        # sin^2(theta/2) is uniform where cos(theta) is, and loses no digits at small angles
        low, high = math.sin(self.low / 2) ** 2, math.sin(self.high / 2) ** 2
        theta = 2 * np.arcsin(np.sqrt(low + (high - low) * u[:, 0]))
        return _unit(theta, 2 * np.pi * u[:, 1])

    @property
    def text(self) -> str:
        return f"{_degrees(self.low)}:{_degrees(self.high)}"


@dataclass(frozen=True)
class Divergence(AngleSpread):
    """Slopes dx/dz and dy/dz are normal about 0, as in a beam that is not quite parallel.

    Args:
        sigma: Width of each, as an angle, [rad], above 0 and below pi/2; the slope's width is tan(sigma).

    Raises:
        RecipeError: If sigma is out of range.
    """

    sigma: float

    def __post_init__(self) -> None:
        _check_polar(self.sigma)
        if self.sigma == 0:
            raise RecipeError("the divergence of the beam must be > 0 degrees; got 0 (leave the angle out)")

    def directions(self, u: FloatArray) -> FloatArray:
        from scipy.special import ndtri

        slope: FloatArray = math.tan(self.sigma) * ndtri(u)
        length = np.sqrt(1 + slope[:, 0] ** 2 + slope[:, 1] ** 2)
        vector = np.stack([slope[:, 0], slope[:, 1], np.ones(len(u))], axis=1)
        unit: FloatArray = vector / length[:, None]
        return unit

    @property
    def text(self) -> str:
        return f"gauss:{_degrees(self.sigma)}"


def parse_angle(text: str) -> AngleSpread:
    """Directions from the command line's form, in degrees.

    ``20`` leans the beam by 20 degrees towards +x and ``20,90`` towards +y, ``0:30`` fills a cone uniformly,
    ``gauss:0.5`` spreads both slopes.

    Raises:
        RecipeError: If the text has another form, or an angle is out of range.

    Example:
        >>> parse_angle("30").directions(np.zeros((1, 2))).round(3).tolist()
        [[0.5, 0.0, 0.866]]
    """
    kind = "gauss" if text.startswith("gauss:") else ":" if ":" in text else ","
    try:
        angles = [math.radians(float(part)) for part in text.removeprefix("gauss:").split(":" if kind == ":" else ",")]
    except ValueError:
        angles = []
    if kind == "gauss" and len(angles) == 1:
        return Divergence(angles[0])
    if kind == ":" and len(angles) == 2:
        return Cone(*angles)
    if kind == "," and len(angles) in {1, 2}:
        return Parallel(*angles)
    raise RecipeError(f"an angle is written {_FORMS}; got {text!r}")


def _unit(theta: FloatArray, phi: FloatArray) -> FloatArray:
    sine = np.sin(theta)
    return np.stack([sine * np.cos(phi), sine * np.sin(phi), np.cos(theta)], axis=1)


def _degrees(angle: float) -> str:
    return f"{math.degrees(angle):.12g}"


def _check_polar(angle: float) -> None:
    if not (math.isfinite(angle) and 0 <= angle < math.pi / 2):
        raise RecipeError(
            f"an angle to the z axis must be in [0, 90) degrees, or the particle flies away from the detector; got "
            f"{_degrees(angle)}"
        )
