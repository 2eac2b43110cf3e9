"""Energy spectra of the particle gun: fixed, flat, or flat in log E."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from showercal.errors import RecipeError

FloatArray = NDArray[np.float64]


class EnergySpectrum(ABC):
    """A distribution of kinetic energies, given by its quantile function so that any uniform numbers can drive it."""

    @abstractmethod
    def quantile(self, u: FloatArray) -> FloatArray:
        """Energies below which a fraction u of the particles lies, same shape as u, [GeV]."""

    @property
    @abstractmethod
    def text(self) -> str:
        """The form that `parse_spectrum` reads back."""


@dataclass(frozen=True)
class FixedEnergy(EnergySpectrum):
    """All particles have one energy.

    Args:
        energy: [GeV], above 0.

    Raises:
        RecipeError: If the energy is not above 0.
    """

    energy: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.energy) and self.energy > 0):
            raise RecipeError(f"the particle energy must be > 0 GeV; got {self.energy}")

    def quantile(self, u: FloatArray) -> FloatArray:
        return np.full(np.shape(u), self.energy)

    @property
    def text(self) -> str:
        return f"{self.energy:g}" if float(f"{self.energy:g}") == self.energy else repr(self.energy)


@dataclass(frozen=True)
class FlatSpectrum(EnergySpectrum):
    """Uniform between two energies: dN/dE constant.

    Args:
        low: [GeV], at least 0.
        high: [GeV], above ``low``.

    Raises:
        RecipeError: If the limits are not in order.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_limits(self.low, self.high)

    def quantile(self, u: FloatArray) -> FloatArray:
        return self.low + (self.high - self.low) * u

    @property
    def text(self) -> str:
        return f"{FixedEnergy(self.low).text if self.low else '0'}:{FixedEnergy(self.high).text}"


@dataclass(frozen=True)
class LogFlatSpectrum(EnergySpectrum):
    """Uniform in log E between two energies: dN/dE proportional to 1/E, the same number of particles per decade.

    Args:
        low: [GeV], above 0.
        high: [GeV], above ``low``.

    Raises:
        RecipeError: If the limits are not in order or ``low`` is 0.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_limits(self.low, self.high)
        if self.low == 0:
            raise RecipeError("a spectrum flat in log E must start above 0 GeV; got 0 (try 0.1, or drop ':log')")

    def quantile(self, u: FloatArray) -> FloatArray:
        return self.low * (self.high / self.low) ** u

    @property
    def text(self) -> str:
        return f"{FixedEnergy(self.low).text}:{FixedEnergy(self.high).text}:log"


def parse_spectrum(text: str) -> EnergySpectrum:
    """A spectrum from the command line's form: ``5``, ``0:10`` or ``50:8000:log``, all in GeV.

    Raises:
        RecipeError: If the text has another form, or its limits are not in order.

    Example:
        >>> parse_spectrum("0:10").quantile(np.array([0.5]))
        array([5.])
        >>> parse_spectrum("1:100:log").quantile(np.array([0.5])).round(9)
        array([10.])
    """
    parts = text.split(":")
    logarithmic = len(parts) == 3 and parts[2] == "log"
    try:
        numbers = [float(part) for part in (parts[:2] if logarithmic else parts)]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        return FixedEnergy(numbers[0])
    if len(numbers) == 2:
        return LogFlatSpectrum(*numbers) if logarithmic else FlatSpectrum(*numbers)
    raise RecipeError(
        f"an energy spectrum is written E, LOW:HIGH or LOW:HIGH:log in GeV (5, 0:10, 50:8000:log); got {text!r}"
    )


def _check_limits(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and 0 <= low < high):
        raise RecipeError(f"an energy spectrum needs 0 <= low < high in GeV; got {low} to {high}")
