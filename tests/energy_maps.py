"""Increasing maps of energies whose effect on a distribution is known in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from showercal.prediction import FloatArray


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


class HyperbolicSine:
    """Increasing on the whole line, so that it maps any family; its slope grows from 1 at 0."""

    def __call__(self, energy: FloatArray) -> FloatArray:
        return np.sinh(energy)

    def inverse(self, energy: FloatArray) -> FloatArray:
        return np.arcsinh(energy)

    def derivative(self, energy: FloatArray) -> FloatArray:
        return np.cosh(energy)
