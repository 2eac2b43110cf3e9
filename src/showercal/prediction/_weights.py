"""The weights of a mixture of K components."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from showercal.prediction._base import FloatArray
from showercal.prediction._checks import check_events

# the float32 softmax of a network adds up to 1 within this; the rest is divided out
_ROUNDING: Final = 1e-5


def check_weights(weight: FloatArray) -> None:
    """Refuse weights (B, K) that are negative or do not add up to 1 in every event."""
    wrong = (weight < 0).any(axis=1) | (abs(weight.sum(axis=1) - 1) > _ROUNDING)
    check_events(wrong, weight, "weights must be >= 0 and add up to 1 in every event", "end the network in softmax")


def shares_of(weight: FloatArray) -> FloatArray:
    """Weights (B, K) that add up to 1 in float64."""
    share: FloatArray = weight / weight.sum(axis=1, keepdims=True)
    return share


def log_of_sum(share: FloatArray, log_density: FloatArray) -> FloatArray:
    """Log of the weighted sum of densities, (B, K) and (B, K) -> (B,)."""
    with np.errstate(divide="ignore"):  # a component without weight
        terms = np.log(share) + log_density
    highest = terms.max(axis=1)
    result: FloatArray = highest + np.log(np.exp(terms - highest[:, None]).sum(axis=1))
    return result


def draw_components(share: FloatArray, n: int, rng: np.random.Generator) -> NDArray[Any]:
    """Which component each of n draws per event comes from, shape (n, B)."""
    # the number of edges at or below a uniform draw is the component drawn
    uniform = rng.random((n, len(share)))
    component = np.zeros(uniform.shape, dtype=np.intp)
    for edge in np.cumsum(share, axis=1)[:, :-1].T:
        component += uniform >= edge
    return component
