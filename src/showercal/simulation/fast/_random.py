"""Random numbers of one event: xoshiro256++ seeded from the event's 64-bit seed, compiled into the showers.

An own generator because every event must have its own stream whatever thread makes it, which Numba's global one cannot.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

RandomState = NDArray[np.uint64]


@njit(cache=True, inline="always")
def _rotate(x, k):
    return (x << np.uint64(k)) | (x >> np.uint64(64 - k))


@njit(cache=True)
def seed_state(rng, seed):
    """Set the state, shape (4,), by SplitMix64 from a 64-bit seed.

    References:
        D. Blackman and S. Vigna, ACM Trans. Math. Softw. 47 (2021) 36 (xoshiro256++, and SplitMix64 to seed it).
    """
    word = np.uint64(seed)
    for k in range(4):
        word = word + np.uint64(0x9E3779B97F4A7C15)
        mixed = word
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        rng[k] = mixed ^ (mixed >> np.uint64(31))


@njit(cache=True)
def uniform(rng):
    """Uniform in the open interval (0, 1)."""
    word = _rotate(rng[0] + rng[3], 23) + rng[0]
    shifted = rng[1] << np.uint64(17)
    rng[2] ^= rng[0]
    rng[3] ^= rng[1]
    rng[1] ^= rng[2]
    rng[0] ^= rng[3]
    rng[2] ^= shifted
    rng[3] = _rotate(rng[3], 45)
    # 52 bits and a half of the last one: neither 0 nor 1
    return (np.float64(np.int64(word >> np.uint64(12))) + 0.5) * 2.220446049250313e-16


@njit(cache=True)
def exponential(rng):
    """Exponential with mean 1."""
    return -math.log(uniform(rng))


@njit(cache=True)
def normal(rng):
    """Standard normal, by Marsaglia's polar method (the second number is not kept: an event is its seed alone)."""
    while True:
        a = 2.0 * uniform(rng) - 1.0
        b = 2.0 * uniform(rng) - 1.0
        r2 = a * a + b * b
        if 0.0 < r2 < 1.0:
            return a * math.sqrt(-2.0 * math.log(r2) / r2)


@njit(cache=True)
def azimuth(rng):
    """(cos, sin) of a uniform angle, without trigonometry: a point in the unit disc, its angle doubled."""
    while True:
        a = 2.0 * uniform(rng) - 1.0
        b = 2.0 * uniform(rng) - 1.0
        r2 = a * a + b * b
        if 0.0 < r2 < 1.0:
            return (a * a - b * b) / r2, 2.0 * a * b / r2


@njit(cache=True)
def poisson(rng, mean):
    """Poisson: by multiplication below 30, else a rounded normal (skewness below 0.2 there)."""
    if mean <= 0.0:
        return 0
    if mean > 30.0:
        return max(0, int(math.floor(mean + math.sqrt(mean) * normal(rng) + 0.5)))
    limit, product, k = math.exp(-mean), uniform(rng), 0
    while product > limit:
        product *= uniform(rng)
        k += 1
    return k
