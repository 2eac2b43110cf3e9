"""The stream of an event: moments, and independence of neighbouring seeds."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from showercal.simulation.fast._random import azimuth, exponential, normal, poisson, seed_state, uniform

N = 200_000


@njit
def _draw(kind, seed, mean):
    rng = np.empty(4, np.uint64)
    seed_state(rng, seed)
    out = np.empty(N)
    for k in range(N):
        if kind == 0:
            out[k] = uniform(rng)
        elif kind == 1:
            out[k] = exponential(rng)
        elif kind == 2:
            out[k] = normal(rng)
        elif kind == 3:
            out[k] = poisson(rng, mean)
        else:
            c, s = azimuth(rng)
            out[k] = np.arctan2(s, c)
    return out


@pytest.mark.parametrize(
    ("kind", "argument", "mean", "variance"),
    [
        (0, 0.0, 0.5, 1 / 12),
        (1, 0.0, 1.0, 1.0),
        (2, 0.0, 0.0, 1.0),
        (3, 3.7, 3.7, 3.7),
        (3, 50.0, 50.0, 50.0),
        (4, 0.0, 0.0, np.pi**2 / 3),
    ],
)
def test_mean_and_variance(kind, argument, mean, variance):
    sample = _draw(kind, np.uint64(7), argument)
    assert abs(sample.mean() - mean) < 4 * np.sqrt(variance / N)
    # the largest kurtosis here is the exponential's, 9: the variance's relative error is sqrt(8 / N)
    assert sample.var() == pytest.approx(variance, rel=4 * np.sqrt(8 / N))


def test_neighbouring_seeds_are_independent_and_a_seed_repeats():
    first, second = _draw(0, np.uint64(1), 0.0), _draw(0, np.uint64(2), 0.0)
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(N)
    np.testing.assert_array_equal(first, _draw(0, np.uint64(1), 0.0))
    assert first.min() > 0.0
    assert first.max() < 1.0
