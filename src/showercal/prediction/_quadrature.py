"""Expected values over a distribution that is known by its quantiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from scipy import special

from showercal.prediction._base import FloatArray, Prediction

# The last normal pull used: phi is 5e-15 there, and Phi the last but six float64 below 1. Further out it would round to
# 1, where the quantile may be infinite.
_REACH: Final = 8.0


class Nodes(NamedTuple):
    """Levels and the probability that each stands for, shape (N,)."""

    level: FloatArray
    weight: FloatArray


def _nodes(pull: FloatArray, spacing: FloatArray) -> Nodes:
    weight = spacing * np.exp(-0.5 * pull**2)
    return Nodes(special.ndtr(pull), weight / weight.sum())


# With z normal, E[f] = integral of f(quantile(Phi(z))) phi(z) dz. The trapezium rule converges exponentially where the
# integrand is smooth, and, unlike Gauss-Hermite nodes, as the square of the step at a kink.
def nodes_every(spacing: float) -> Nodes:
    """Nodes for smooth quantiles, at normal pulls that are so far apart."""
    half = np.arange(0, _REACH + spacing / 2, spacing)
    pull = np.concatenate([-half[:0:-1], half])
    return _nodes(pull, np.ones(len(pull)))


SMOOTH: Final = nodes_every(0.5)


def nodes_between(knots: Sequence[float]) -> Nodes:
    """Nodes for quantiles with kinks at known normal pulls: Gauss-Legendre in each cell, more in the two tails."""
    inner = [knot for knot in knots if abs(knot) < _REACH]
    edges = np.array([-_REACH, *inner, _REACH])
    pulls, spacings = [], []
    for low, high in pairwise(edges):
        x, weight = np.polynomial.legendre.leggauss(3 if high - low < 1 else 12)
        pulls.append((low + high) / 2 + (high - low) / 2 * x)
        spacings.append((high - low) / 2 * weight)
    return _nodes(np.concatenate(pulls), np.concatenate(spacings))


def expectation_by_quantiles(
    quantile: Callable[[float], FloatArray], function: Callable[[FloatArray], FloatArray], nodes: Nodes = SMOOTH
) -> FloatArray:
    """E[function(energy)] of a distribution given by its quantiles.

    Args:
        quantile: Level -> energies of shape (B,), [GeV].
        function: Energies of shape (B,) -> shape (B,).
        nodes: Levels at which the function is evaluated.
    """
    terms = [weight * function(quantile(level)) for level, weight in zip(*nodes, strict=True)]
    total: FloatArray = np.sum(terms, axis=0)
    return total


def std_by_expectation(prediction: Prediction) -> FloatArray:
    """Standard deviation of a distribution without a formula for it, shape (B,), [GeV]."""
    mean = prediction.mean
    return np.sqrt(prediction.expectation(lambda energy: (energy - mean) ** 2))
