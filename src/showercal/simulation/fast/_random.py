"""Random numbers of one event: xoshiro256++ seeded from the event's 64-bit seed, compiled into the showers.

An own generator because every event must have its own stream whatever thread makes it, which Numba's global one cannot.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from showercal.simulation.fast._compiled import compiled, inlined

RandomState = NDArray[np.uint64]


@inlined
def _rotate(x, k):
    return (x << np.uint64(k)) | (x >> np.uint64(64 - k))


@compiled
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


@inlined
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


@inlined
def exponential(rng):
    """Exponential with mean 1."""
    return -math.log(uniform(rng))


@inlined
def _in_disc(rng):
    """A point in the unit disc, all places as likely but the middle: (a, b, a^2 + b^2)."""
    while True:
        a = 2.0 * uniform(rng) - 1.0
        b = 2.0 * uniform(rng) - 1.0
        r2 = a * a + b * b
        if 0.0 < r2 < 1.0:
            return a, b, r2


@compiled
def normal(rng):
    """Standard normal, by Marsaglia's polar method (the second number is not kept: an event is its seed alone)."""
    a, _, r2 = _in_disc(rng)
    return a * math.sqrt(-2.0 * math.log(r2) / r2)


@inlined
def azimuth(rng):
    """(cos, sin) of a uniform angle, without trigonometry: a point in the unit disc, its angle doubled."""
    a, b, r2 = _in_disc(rng)
    return (a * a - b * b) / r2, 2.0 * a * b / r2


@inlined
def isotropic(rng):
    """A direction of which all are as likely, (ux, uy, uz)."""
    uz = 2.0 * uniform(rng) - 1.0
    sine = math.sqrt(1.0 - uz * uz)
    c, s = azimuth(rng)
    return sine * c, sine * s, uz


@compiled
def poisson(rng, mean):
    """Poisson: by multiplication below 10, else by transformed rejection.

    References:
        W. Hoermann, Insurance: Mathematics and Economics 12 (1993) 39, algorithm PTRS.
    """
    if mean <= 0.0:
        return 0
    if mean >= 10.0:
        root, log_mean = math.sqrt(mean), math.log(mean)
        b = 0.931 + 2.53 * root
        a = -0.059 + 0.02483 * b
        while True:
            u, v = uniform(rng) - 0.5, uniform(rng)
            edge = 0.5 - abs(u)
            guess = math.floor((2.0 * a / edge + b) * u + mean + 0.43)
            if edge >= 0.07 and v <= 0.9277 - 3.6224 / (b - 2.0):
                return int(guess)
            if guess < 0.0 or (edge < 0.013 and v > edge):
                continue
            height = math.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / (edge * edge) + b))
            if height <= guess * log_mean - mean - math.lgamma(guess + 1.0):
                return int(guess)
    limit, product, k = math.exp(-mean), uniform(rng), 0
    while product > limit:
        product *= uniform(rng)
        k += 1
    return k


@compiled
def binomial(rng, n, probability):
    """Successes of n trials: by the geometric distance between them where few are expected, else by rejection.

    References:
        W. Hoermann, J. Stat. Comput. Simul. 46 (1993) 101, algorithm BTRS.
    """
    if probability <= 0.0:
        return 0
    if probability > 0.5:
        return n - binomial(rng, n, 1.0 - probability)
    if n * probability < 10.0:
        scale, at, successes = 1.0 / math.log1p(-probability), -1, 0
        while True:
            skipped = math.log(uniform(rng)) * scale
            if skipped >= n - 1 - at:
                return successes
            at += 1 + int(skipped)
            successes += 1
    root = math.sqrt(n * probability * (1.0 - probability))
    b = 1.15 + 2.53 * root
    a = -0.0873 + 0.0248 * b + 0.01 * probability
    mode = math.floor((n + 1) * probability)
    at_mode = math.lgamma(mode + 1.0) + math.lgamma(n - mode + 1.0)
    odds = math.log(probability / (1.0 - probability))
    while True:
        u, v = uniform(rng) - 0.5, uniform(rng)
        edge = 0.5 - abs(u)
        guess = math.floor((2.0 * a / edge + b) * u + n * probability + 0.5)
        if edge >= 0.07 and v <= 0.92 - 4.2 / b:
            return int(guess)
        if guess < 0.0 or guess > n:
            continue
        height = math.log(v * (2.83 + 5.1 / b) * root / (a / (edge * edge) + b))
        bound = at_mode - math.lgamma(guess + 1.0) - math.lgamma(n - guess + 1.0) + (guess - mode) * odds
        if height <= bound:
            return int(guess)
