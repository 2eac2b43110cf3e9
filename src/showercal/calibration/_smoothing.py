"""Weighted smoothing of a curve measured with known errors; the data choose how much."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_STRENGTHS: Final = np.logspace(-6, 10, 65)


def smooth_by_cp(x: FloatArray, y: FloatArray, error: FloatArray) -> tuple[FloatArray, float]:
    """Values of the cubic smoothing spline at the measured points, with the roughness weight of smallest Mallows C_p.

    Minimises chi2(f) + lambda * integral of f''^2. The errors are known, so lambda needs no cross-validation: C_p =
    chi2 + 2 * (effective number of parameters) estimates the error of prediction without bias.

    Args:
        x: Positions, increasing, shape (K,).
        y: Measured values, shape (K,).
        error: Their errors, above 0, shape (K,).

    Returns:
        Smoothed values, shape (K,), and the effective number of parameters, between 2 (a straight line) and K.
        Fewer than 4 points are returned as they are.

    References:
        Green and Silverman, Nonparametric Regression and Generalized Linear Models (1994), chapter 2;
        C. L. Mallows, Technometrics 15 (1973) 661.

    Example:
        >>> x = np.arange(10.0)
        >>> smooth, n_parameters = smooth_by_cp(x, 2 * x + 1, np.ones(10))
        >>> bool(np.allclose(smooth, 2 * x + 1)), round(n_parameters, 3)
        (True, 2.0)
    """
    if len(x) < 4:
        return y.copy(), float(len(x))
    # In units of the errors the smoother is diagonal: U diag(1 / (1 + lambda d)) U^T.
    roughness = _roughness(x) * np.outer(error, error)
    eigenvalues, vectors = np.linalg.eigh(roughness)
    eigenvalues = np.maximum(eigenvalues, 0)
    eigenvalues[:2] = 0  # straight lines are not rough; rounding leaves a remainder
    strengths = _STRENGTHS / np.median(eigenvalues[2:])
    shrink = 1 / (1 + strengths[:, None] * eigenvalues)
    coefficients = vectors.T @ (y / error)
    chi2 = np.sum(((1 - shrink) * coefficients) ** 2, axis=1)
    best = int(np.argmin(chi2 + 2 * shrink.sum(axis=1)))
    smooth: FloatArray = error * (vectors @ (shrink[best] * coefficients))
    return smooth, float(shrink[best].sum())


def _roughness(x: FloatArray) -> FloatArray:
    """Matrix K with f^T K f = integral of f''^2 for the natural cubic spline through f, shape (K, K)."""
    n = len(x)
    step = np.diff(x)
    second = np.zeros((n, n - 2))
    gram = np.diag((step[:-1] + step[1:]) / 3)
    gram += np.diag(step[1:-1] / 6, 1) + np.diag(step[1:-1] / 6, -1)
    inner = np.arange(n - 2)
    second[inner, inner] = 1 / step[:-1]
    second[inner + 1, inner] = -1 / step[:-1] - 1 / step[1:]
    second[inner + 2, inner] = 1 / step[1:]
    result: FloatArray = second @ np.linalg.solve(gram, second.T)
    return result
