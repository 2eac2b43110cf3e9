"""Fit of the resolution curve of a calorimeter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from iminuit import Minuit
from iminuit.cost import LeastSquares
from numpy.typing import ArrayLike, NDArray

from showercal.errors import DataError

FloatArray = NDArray[np.float64]

#: Terms a, b, c of the resolution curve.
TERMS: Final = ("stochastic_term", "noise_term", "constant_term")


def resolution_curve(energy: ArrayLike, stochastic_term: float, noise_term: float, constant_term: float) -> FloatArray:
    """Relative energy resolution sigma/E = a/√E ⊕ b/E ⊕ c, with ⊕ the sum in quadrature.

    Args:
        energy: Energy E, above 0, shape (B,), [GeV].
        stochastic_term: a, [sqrt(GeV)].
        noise_term: b, [GeV].
        constant_term: c, no unit.

    Returns:
        sigma / E, shape (B,), no unit.

    References:
        Particle Data Group, Review of Particle Physics, "Particle Detectors at Accelerators", on calorimeters.

    Example:
        >>> resolution_curve(np.array([100.0]), 0.5, 0.0, 0.0)
        array([0.05])
    """
    e = np.asarray(energy, dtype=np.float64)
    result: FloatArray = np.sqrt(stochastic_term**2 / e + (noise_term / e) ** 2 + constant_term**2)
    return result


@dataclass(frozen=True, eq=False)
class ResolutionFit:
    """Result of `fit_resolution`.

    Args:
        values: a [sqrt(GeV)], b [GeV], c [1], shape (3,), in the order of ``TERMS``.
        covariance_squares: Covariance of a^2, b^2, c^2, in which the model of sigma^2/E^2 is linear, shape (3, 3). It
            exists also where a term is at its limit 0, where the covariance of the terms themselves does not.
        chi2: At the minimum.
        ndf: Number of points minus 3.
        is_valid: Whether the minimiser converged.
    """

    values: FloatArray
    covariance_squares: FloatArray
    chi2: float
    ndf: int
    is_valid: bool

    @property
    def covariance(self) -> FloatArray:
        """Covariance of a, b, c, shape (3, 3); NaN in the row and column of a term at its limit 0."""
        slope = np.divide(0.5, self.values, out=np.full(3, np.nan), where=self.values > 0)
        return np.outer(slope, slope) * self.covariance_squares

    @property
    def errors(self) -> FloatArray:
        """Distance to the upper end of the 68.27 % interval of a, b, c, shape (3,).

        The interval is symmetric in the squares: sqrt(b^2 + error(b^2)) - b. Far above 0 this is the usual standard
        error; at the limit it says how large the term may be.
        """
        squares = np.sqrt(np.diag(self.covariance_squares))
        result: FloatArray = np.sqrt(self.values**2 + squares) - self.values
        return result


def fit_resolution(energy: ArrayLike, resolution: ArrayLike, error: ArrayLike) -> ResolutionFit:
    """Fit sigma/E = a/√E ⊕ b/E ⊕ c by least squares, with a, b, c >= 0.

    sigma^2/E^2 is linear in the squares of the terms; a linear fit gives the start values.

    Args:
        energy: Mean energy of each bin, shape (K,), K >= 4, above 0, [GeV].
        resolution: sigma / E of each bin, shape (K,), above 0.
        error: Its statistical error, shape (K,), above 0.

    Raises:
        DataError: If shapes differ, there are fewer than 4 points, or a value is not finite and above 0.
    """
    x, y, s = (np.asarray(v, dtype=np.float64) for v in (energy, resolution, error))
    _check_points(x, y, s)
    cost = LeastSquares(x, y, s, resolution_curve)
    minuit = Minuit(cost, *_start(x, y, s))
    minuit.limits = (0, None)
    minuit.strategy = 2
    minuit.migrad(ncall=10_000)
    values = np.array(minuit.values)
    return ResolutionFit(values, _covariance_squares(values, x, s), float(minuit.fval), len(x) - 3, bool(minuit.valid))


def _start(x: FloatArray, y: FloatArray, s: FloatArray) -> FloatArray:
    """Start values from the weighted linear fit of the squares; a square below 0 starts at a small positive value."""
    design = np.column_stack([1 / x, 1 / x**2, np.ones_like(x)]) / (2 * y * s)[:, None]
    squares = np.linalg.lstsq(design, y / (2 * s), rcond=None)[0]
    scale = np.median(y) * np.array([np.sqrt(np.median(x)), np.median(x), 1.0])
    result: FloatArray = np.sqrt(np.maximum(squares, (0.1 * scale) ** 2))
    return result


def _covariance_squares(values: FloatArray, x: FloatArray, s: FloatArray) -> FloatArray:
    """Inverse of the Fisher matrix of the squares of the terms, shape (3, 3)."""
    curve = resolution_curve(x, *values)
    slopes = np.column_stack([1 / x, 1 / x**2, np.ones_like(x)]) / (2 * curve * s)[:, None]
    scale = np.sqrt(np.sum(slopes**2, axis=0))  # columns of one size make the inverse accurate
    information = (slopes / scale).T @ (slopes / scale)
    return np.linalg.inv(information) / np.outer(scale, scale)


def _check_points(x: FloatArray, y: FloatArray, s: FloatArray) -> None:
    if not (x.ndim == 1 and x.shape == y.shape == s.shape):
        raise DataError(f"energy, resolution and error must have one shape (K,); got {x.shape}, {y.shape}, {s.shape}")
    if len(x) < 4:
        raise DataError(f"a fit of three terms needs >= 4 points; got {len(x)}: use more bins")
    for name, values in (("energy", x), ("resolution", y), ("error", s)):
        wrong = ~(np.isfinite(values) & (values > 0))
        if np.any(wrong):
            k = int(np.argmax(wrong))
            raise DataError(
                f"{name} must be finite and > 0 in a resolution fit; got {values[k]} at point {k}: leave it out"
            )
