"""GFLASH: how an electromagnetic shower spreads along its axis and around it, on average and from shower to shower.

Depths are in radiation lengths, radii in Molière radii, y = E / E_c. All formulas are those of the appendix "Formulae"
of the reference; its sets for homogeneous media, with the terms in e/mip of its sampling calorimeters. Its other
sampling terms, in 1/F_S, shift the profile by half a period of absorber and active layer, because there each period is
one bin; here spots lie in the active layers where these are, and the shift must not be made twice.

References:
    G. Grindhammer and S. Peters, hep-ex/0001020, appendix A.
"""

from __future__ import annotations

import math
from typing import Final

from showercal.simulation.fast._compiled import compiled
from showercal.simulation.fast._random import normal

# Below ln y of about 2 the published widths diverge; Geant4's GFlash cuts them at the same value.
_LARGEST_SIGMA: Final = 0.5
SAMPLING_CORRELATION: Final = 0.079  # more in sampling calorimeters: 0.784 - 0.023 ln y against 0.705 - 0.023 ln y
_LEAST_MAXIMUM: Final = 0.3  # [X0]
_LEAST_ALPHA: Final = 1.1


@compiled
def mean_maximum(ln_y):
    """Depth T of the maximum of the mean profile in a homogeneous medium: ln y - 0.858."""
    return ln_y - 0.858


@compiled
def mean_alpha(ln_y, z):
    """Shape alpha of the mean profile in a homogeneous medium: 0.21 + (0.492 + 2.38 / Z) ln y."""
    return 0.21 + (0.492 + 2.38 / z) * ln_y


@compiled
def typical_shape(ln_y, z, e_over_mip, shift_maximum, shift_alpha):
    """(exp <ln T>, exp <ln alpha>) of single showers, with the e/mip term of sampling calorimeters and shifts."""
    maximum = ln_y - 0.812 - 0.69 * (1.0 - e_over_mip) + shift_maximum
    alpha = 0.81 + (0.458 + 2.26 / z) * ln_y + shift_alpha
    return max(maximum, _LEAST_MAXIMUM), max(alpha, _LEAST_ALPHA)


@compiled
def fluctuations(ln_y):
    """(sigma(ln T), sigma(ln alpha), their correlation) of single showers in a homogeneous medium."""
    sigma_maximum = 1.0 / max(-1.4 + 1.26 * ln_y, 1.0 / _LARGEST_SIGMA)
    sigma_alpha = 1.0 / max(-0.58 + 0.86 * ln_y, 1.0 / _LARGEST_SIGMA)
    return sigma_maximum, sigma_alpha, 0.705 - 0.023 * ln_y


@compiled
def draw_shape(rng, maximum, alpha, sigma_maximum, sigma_alpha, correlation):
    """(T, alpha) of one shower: ln T and ln alpha are normal and correlated."""
    common, opposite = math.sqrt((1.0 + correlation) / 2.0), math.sqrt((1.0 - correlation) / 2.0)
    a, b = normal(rng), normal(rng)
    drawn_maximum = maximum * math.exp(sigma_maximum * (common * a + opposite * b))
    drawn_alpha = alpha * math.exp(sigma_alpha * (common * a - opposite * b))
    return max(drawn_maximum, _LEAST_MAXIMUM), max(drawn_alpha, _LEAST_ALPHA)


@compiled
def profile(t, alpha, beta, log_gamma):
    """Longitudinal density f(t) = beta (beta t)^(alpha - 1) exp(-beta t) / Gamma(alpha).

    `log_gamma` is ln Gamma(alpha).
    """
    if t <= 0.0:
        return 0.0
    u = beta * t
    return beta * math.exp((alpha - 1.0) * math.log(u) - u - log_gamma)


@compiled
def profile_integral(t, alpha, beta, log_gamma):
    """Share of the shower in front of depth t: the regularised incomplete gamma function P(alpha, beta t).

    References:
        W. H. Press et al., Numerical Recipes, 3rd ed., section 6.2 (series below alpha + 1, continued fraction above).
    """
    u = beta * t
    if u <= 0.0:
        return 0.0
    weight = math.exp(alpha * math.log(u) - u - log_gamma)
    if u < alpha + 1.0:
        term = 1.0 / alpha
        total, k = term, alpha
        while term > 1e-10 * total:
            k += 1.0
            term *= u / k
            total += term
        return total * weight
    b = u + 1.0 - alpha
    c = 1e300
    d = 1.0 / b
    h = d
    for k in range(1, 200):
        a = -k * (k - alpha)
        b += 2.0
        d = 1.0 / (a * d + b)
        c = b + a / c
        h *= c * d
        if abs(c * d - 1.0) < 1e-10:
            break
    return 1.0 - weight * h


@compiled
def radial_shape(tau, energy_gev, z):
    """(R_core, R_tail, weight of the core) at relative depth tau = t / T.

    f(r) = p 2 r R_C^2 / (r^2 + R_C^2)^2 + (1 - p) 2 r R_T^2 / (r^2 + R_T^2)^2, radii in R_M.
    """
    ln_e = math.log(energy_gev)
    core = 0.0251 + 0.00319 * ln_e + (0.1162 - 0.000381 * z) * tau
    k4 = 0.3585 + 0.0421 * ln_e
    tail = (0.659 - 0.00309 * z) * (math.exp(-2.59 * (tau - 0.645)) + math.exp(k4 * (tau - 0.645)))
    ratio = (0.401 + 0.00187 * z - tau) / (1.313 - 0.0686 * ln_e)
    weight = (2.632 - 0.00094 * z) * math.exp(ratio - math.exp(ratio))
    core = max(core, 0.01)
    return core, max(tail, core), min(max(weight, 0.0), 1.0)


@compiled
def n_spots_homogeneous(energy_gev, z):
    """Number of energy spots that makes the radial fluctuations right: 93 ln(Z) E^0.876, E in GeV."""
    return 93.0 * math.log(z) * energy_gev**0.876


@compiled
def spot_shape_homogeneous(maximum, alpha, z):
    """(T, alpha) of the longitudinal distribution of spots: it is shallower than that of the energy."""
    return maximum * (0.698 + 0.00212 * z), max(alpha * (0.639 + 0.00334 * z), _LEAST_ALPHA)
