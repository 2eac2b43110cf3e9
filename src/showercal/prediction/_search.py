"""Searches that every event makes for itself, all events at once: where a function reaches a value, or its top."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from showercal.prediction._base import FloatArray, Prediction

_QUARTERS: Final[FloatArray] = np.linspace(-4, 4, 33)
_GOLDEN: Final = (np.sqrt(5) - 1) / 2


def solve_cdf(
    function: Callable[[FloatArray, NDArray[Any]], tuple[FloatArray, FloatArray]],
    target: FloatArray,
    low: FloatArray,
    high: FloatArray,
) -> FloatArray:
    """Where a cdf reaches its target, by Newton steps that fall back to halving the bracket.

    Args:
        function: (energies, events) -> (cdf, density) for the chosen events only; solved events are left out.
        target: Shape (B,); 0 is reached at ``low`` and 1 at ``high``, which may be infinite there.
        low: Lower end of a bracket, shape (B,), [GeV]; where it equals ``high`` that is the answer.
        high: Upper end, shape (B,), [GeV].

    Returns:
        Shape (B,), good to 1e-14 of the larger end of the bracket, or to the rounding of the function.
    """
    result = np.where(target < 1, low, high)
    events = np.flatnonzero((low < high) & (target > 0) & (target < 1))
    low, high, target = low[events], high[events], target[events]
    tolerance = 1e-14 * np.maximum(abs(low), abs(high))
    x = low + (high - low) / 2
    step = high - low
    while len(events):
        value, slope = function(x, events)
        excess = value - target
        low, high = np.where(excess <= 0, x, low), np.where(excess >= 0, x, high)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            newton = x - excess / slope
        # a Newton step counts when it stays inside and is at most half of the step before: halving is never slower
        good = (newton >= low) & (newton <= high) & (abs(newton - x) <= abs(step) / 2)
        moved = np.where(good, newton, low + (high - low) / 2)
        step, x = moved - x, moved
        open_ = (abs(step) > tolerance) & (high - low > tolerance)
        result[events[~open_]] = x[~open_]
        events, low, high, target = events[open_], low[open_], high[open_], target[open_]
        x, step, tolerance = x[open_], step[open_], tolerance[open_]
    return result


def mode_grid(prediction: Prediction, known: FloatArray, pulls: FloatArray = _QUARTERS) -> FloatArray:
    """Where to look for a mode: at a known energy and at quantiles of given normal pulls, shape (G, B), [GeV]."""
    return np.stack([known, *(prediction.quantile(q) for q in special.ndtr(pulls))])


def highest_point(log_prob: Callable[[FloatArray], FloatArray], grid: FloatArray, n_steps: int = 36) -> FloatArray:
    """The mode: the best point of a grid, then a golden-section search between its neighbours.

    Args:
        log_prob: Log density at energies of shape (B,).
        grid: Energies in any order, shape (G, B), [GeV].
        n_steps: Steps of the golden section, each to 0.62 of the bracket.

    Returns:
        Shape (B,), [GeV]: never less probable than any point of the grid. With the default steps good to 3e-8 of the
        bracket, about what float64 can tell: near the mode a density changes with the square of the distance.
    """
    best = np.zeros(grid.shape[1], dtype=np.intp)
    highest = log_prob(grid[0])
    for index, energy in enumerate(grid[1:], start=1):
        density = log_prob(energy)
        better = density > highest
        best, highest = np.where(better, index, best), np.where(better, density, highest)
    start: FloatArray = np.take_along_axis(grid, best[None], axis=0)[0]
    lowest, top = grid.min(axis=0), grid.max(axis=0)
    gap = 1e-9 * (top - lowest)  # the same energy from two formulae is no neighbour
    low = np.maximum(np.where(grid < start - gap, grid, -np.inf).max(axis=0), lowest)
    high = np.minimum(np.where(grid > start + gap, grid, np.inf).min(axis=0), top)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = log_prob(left), log_prob(right)
    for _ in range(n_steps):
        up = at_left < at_right
        low, high = np.where(up, left, low), np.where(up, high, right)
        new = np.where(up, low + _GOLDEN * (high - low), high - _GOLDEN * (high - low))
        at_new = log_prob(new)
        left, right = np.where(up, right, new), np.where(up, new, left)
        at_left, at_right = np.where(up, at_right, at_new), np.where(up, at_new, at_left)
    found, density = np.where(at_left < at_right, right, left), np.maximum(at_left, at_right)
    return np.where(density > highest, found, start)
