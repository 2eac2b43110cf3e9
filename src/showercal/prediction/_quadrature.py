"""Expected values over a distribution that is known by its quantiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy import special

from showercal.prediction._base import FloatArray

# With z normal, E[f] = integral of f(quantile(Phi(z))) phi(z) dz. The trapezium rule converges exponentially where the
# integrand is smooth, and, unlike Gauss-Hermite nodes, as the square of the step at a kink. At z = 8 phi is 5e-15, and
# Phi is the last but six float64 below 1: further out it would round to 1, where the quantile may be infinite.
_STEP: Final = 0.5
NODES: Final[FloatArray] = np.arange(-8, 8 + _STEP, _STEP)
_LEVELS: Final[FloatArray] = special.ndtr(NODES)
_WEIGHTS: Final[FloatArray] = np.exp(-0.5 * NODES**2) / np.exp(-0.5 * NODES**2).sum()


def expectation_by_quantiles(
    quantile: Callable[[float], FloatArray], function: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """E[function(energy)] of a distribution given by its quantiles.

    Args:
        quantile: Level -> energies of shape (B,), [GeV].
        function: Energies of shape (B,) -> shape (B,).
    """
    total: FloatArray = np.sum(
        [weight * function(quantile(level)) for level, weight in zip(_LEVELS, _WEIGHTS, strict=True)], axis=0
    )
    return total
