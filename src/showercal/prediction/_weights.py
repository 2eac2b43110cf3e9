"""The weights of a mixture of K components."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from showercal.prediction._base import FloatArray
from showercal.prediction._checks import check_events

# the float32 softmax of a network adds up to 1 within this; the rest is divided out
_ROUNDING: Final = 1e-5
# where the mode is looked for: around the top of every component, in its scales
_MODE_PULLS: Final = np.array([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])


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


def around_components(top: FloatArray, scale: FloatArray) -> FloatArray:
    """Where the mode of the sum may be, from the tops and scales of the components, (B, K) and (B, K) -> (P, B)."""
    around = top + np.multiply.outer(_MODE_PULLS, scale)
    result: FloatArray = np.concatenate(np.moveaxis(around, 2, 0))
    return result


def quantile_bracket(share: FloatArray, of_components: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Between which a quantile of the sum lies, from those of the components, (B, K) and (B, K) -> (B,) and (B,).

    At the first every component with a weight has at most, at the second it has at least the wanted fraction below.
    """
    low: FloatArray = np.where(share > 0, of_components, np.inf).min(axis=1)
    high: FloatArray = np.where(share > 0, of_components, -np.inf).max(axis=1)
    return low, high
