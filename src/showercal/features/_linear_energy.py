"""The best linear unbiased estimate of the energy, a first guess for networks."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from torch import Tensor

from showercal.errors import DataError

FloatArray = NDArray[np.float64]


def fit_linear_energy(sums: FloatArray, energy_true: FloatArray) -> FloatArray:
    """Constants of the estimate, shape (S + 3,): weights and offset, slope [GeV] and floor [GeV^2] of its variance.

    The sums are straight lines in energy with correlated noise, N = a + b E + n; of all linear estimates that are right
    on average at every energy, E = k (N - a) with k = C^-1 b / (b C^-1 b) has the smallest error, C being the
    covariance of the noise. Unlike a fit of E to the sums it does not shrink towards the middle of the training
    spectrum.

    Args:
        sums: Shape (N, S).
        energy_true: Shape (N,), [GeV].

    Raises:
        DataError: If the energies do not vary, or no sum changes with them.

    References:
        A. C. Aitken, Proc. R. Soc. Edinburgh 55 (1936) 42 (generalised least squares).
    """
    if not energy_true.std() > 1e-6 * energy_true.mean():
        raise DataError(
            f"a linear energy needs training events of different energies; all {len(energy_true)} have about "
            f"{energy_true.mean():.4g} GeV"
        )
    weight = 1 / (energy_true + 0.04 * energy_true.mean())  # counts fluctuate by the root of what they are
    weight /= weight.sum()
    middle, centre = weight @ energy_true, weight @ sums
    apart = energy_true - middle
    slope = (weight * apart) @ (sums - centre) / (weight @ apart**2)
    if not np.any(slope):
        raise DataError(
            f"a linear energy needs a signal that changes with the true energy; the sums of all {sums.shape[1]} layers "
            f"are the same in all {len(sums)} training events: check the mapping of the fields"
        )
    noise = sums - centre - apart[:, None] * slope
    covariance = (noise * weight[:, None]).T @ noise
    # a layer that is never lit has no noise and no slope
    covariance += 1e-9 * max(float(np.trace(covariance)), 1e-30) * np.eye(len(covariance))
    factor = np.linalg.solve(covariance, slope)
    factor /= factor @ slope
    offset = middle - factor @ centre
    estimate = sums @ factor + offset
    square = (estimate - energy_true) ** 2
    design = np.stack([np.maximum(estimate, 0), np.ones(len(sums))], axis=1) * weight[:, None]
    variance = nnls(design, square * weight)[0]
    return np.concatenate([factor, [offset, variance[0], max(variance[1], 1e-4 * square.mean())]])


def linear_energy(sums: Tensor, constants: Tensor) -> Tensor:
    """Energy and its expected error, shape (B, 2), [GeV].

    Args:
        sums: Shape (B, S).
        constants: What `fit_linear_energy` gave, shape (S + 3,).
    """
    factor, (offset, slope, floor) = constants[:-3], constants[-3:].unbind()
    energy = sums @ factor + offset
    return torch.stack([energy, (slope * energy.clamp(min=0) + floor).sqrt()], 1)
