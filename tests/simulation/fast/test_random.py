"""The stream of an event: moments, and independence of neighbouring seeds."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from scipy import stats

from showercal.simulation.fast._random import azimuth, binomial, exponential, normal, poisson, seed_state, uniform

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


@njit
def _draw_binomial(seed, n, probability):
    rng = np.empty(4, np.uint64)
    seed_state(rng, seed)
    return np.array([binomial(rng, n, probability) for _ in range(N)])


def _probability(counts, law):
    """Chi-square probability of integers under a distribution, in about 20 bins."""
    edges = np.unique(law.ppf(np.linspace(0.01, 0.99, 20)))
    expected = np.diff(np.concatenate([[0.0], law.cdf(edges), [1.0]]))
    seen = np.bincount(np.searchsorted(edges, counts), minlength=len(expected))
    return stats.chisquare(seen[expected > 0], N * expected[expected > 0]).pvalue


# Both algorithms of each, either side of where they meet, against the probabilities themselves.
@pytest.mark.parametrize("mean", [0.3, 9.9, 10.0, 31.0, 5000.0])
def test_poisson_has_its_distribution(mean):
    assert _probability(_draw(3, np.uint64(11), mean), stats.poisson(mean)) > 1e-3


@pytest.mark.parametrize(
    ("n", "probability"), [(1, 0.3), (40, 0.2), (40, 0.26), (40, 0.5), (40, 0.9), (10_000, 1e-4), (10_000, 0.97)]
)
def test_binomial_has_its_distribution(n, probability):
    counts = _draw_binomial(np.uint64(12), n, probability)
    assert counts.min() >= 0
    assert counts.max() <= n
    assert _probability(counts, stats.binom(n, probability)) > 1e-3


def test_certain_trials_need_no_luck():
    assert set(_draw_binomial(np.uint64(1), 7, 0.0)) == {0}
    assert set(_draw_binomial(np.uint64(1), 7, 1.0)) == {7}


def test_neighbouring_seeds_are_independent_and_a_seed_repeats():
    first, second = _draw(0, np.uint64(1), 0.0), _draw(0, np.uint64(2), 0.0)
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(N)
    np.testing.assert_array_equal(first, _draw(0, np.uint64(1), 0.0))
    assert first.min() > 0.0
    assert first.max() < 1.0
