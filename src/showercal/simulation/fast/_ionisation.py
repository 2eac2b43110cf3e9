"""Ionisation by charged particles heavier than electrons: mean loss, its fluctuations, knock-on electrons, scattering.

All of it depends on the particle through its mass, velocity and spin alone (unit charge), so that muons and charged
hadrons share it. Losses are split at a cut in the energy transfer: those above it make electrons of their own
(`knock_on_rate`, `sample_knock_on`), those below are a continuous loss (`restricted_loss`) with fluctuations
(`sample_straggling`).

Units: MeV, mm. ``kinetic`` is the kinetic energy and ``cut`` the energy transfer above which electrons are made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from showercal.detectors import Material
from showercal.simulation.fast._compiled import compiled
from showercal.simulation.fast._constants import ELECTRON_MASS, ELECTRON_RADIUS
from showercal.simulation.fast._density_effect import density_effect, shell_correction
from showercal.simulation.fast._grid import ENERGIES, N_ENERGIES, place
from showercal.simulation.fast._medium import MAX_MATERIALS
from showercal.simulation.fast._random import normal, poisson, uniform
from showercal.simulation.fast._records import new_record

FloatArray = NDArray[np.float64]

_BETHE_LOWEST: Final = 0.05  # beta gamma below which dE/dx is continued as 1/beta

# The model of Lassila-Perini and Urban, with the constants of the Geant4 physics reference manual, release 11.
_IONISATION_SHARE: Final = 0.56  # of the mean loss, by transfers spread as 1/E^2; the rest is excitation
_FIRST_IONISATION: Final = 1e-5  # lowest transfer of an ionisation, [MeV]
_EXCITATION_WIDTH: Final = 4.0  # factor on the excitation energy that gives thick layers their width
_EXCITATION_THIN: Final = 42.0  # excitations below which that factor falls off
_MANY: Final = 8.0  # collisions above which a normal distribution is used
_LEAST_LOSS: Final = 1e-5  # [MeV], below which the mean is taken


# Constants and tables of materials.
IONISATION: Final = np.dtype(
    [
        ("strength", np.float64, MAX_MATERIALS),  # 2 pi r_e^2 m_e n_e, [MeV/mm]
        ("excitation", np.float64, MAX_MATERIALS),  # mean excitation energy I, [MeV]
        ("inverse_x0", np.float64, MAX_MATERIALS),  # 1 / X0, [1/mm]
        # ln(2 m_e (beta gamma)^2 / I^2) - delta - 2 C/Z with energies in MeV, on `ENERGIES` as a grid of beta gamma
        ("logarithm", np.float64, (MAX_MATERIALS, N_ENERGIES)),
    ],
    align=True,
)


def build_ionisation(materials: Sequence[Material]) -> Any:
    """A record of layout `IONISATION`; the order of the materials is the index that the compiled functions take."""
    tables = new_record(IONISATION)
    for m, material in enumerate(materials):
        tables.strength[m] = 2 * math.pi * ELECTRON_RADIUS**2 * ELECTRON_MASS * material.electron_density
        tables.excitation[m] = material.mean_excitation_energy * 1e-6
        tables.inverse_x0[m] = 1 / material.radiation_length
        tables.logarithm[m] = _logarithm(material, ENERGIES)
    return tables


def _logarithm(material: Material, beta_gamma: FloatArray) -> FloatArray:
    excitation = material.mean_excitation_energy * 1e-6
    bethe = np.log(2 * ELECTRON_MASS * beta_gamma**2 / excitation**2)
    return np.asarray(bethe - density_effect(material, beta_gamma) - 2 * shell_correction(material, beta_gamma))


@compiled
def largest_transfer(mass, kinetic):
    """Largest energy that a collision can give to an electron at rest, [MeV] (PDG eq. 34.4)."""
    gamma = 1.0 + kinetic / mass
    ratio = ELECTRON_MASS / mass
    return 2.0 * ELECTRON_MASS * (gamma * gamma - 1.0) / (1.0 + 2.0 * gamma * ratio + ratio * ratio)


@compiled
def restricted_loss(ionisation, material, mass, kinetic, cut, is_spin_half):
    """Mean energy loss by transfers below the cut, [MeV/mm]; with an infinite cut the whole dE/dx.

    s / beta^2 [ln(2 m_e beta^2 gamma^2 T / I^2) - beta^2 (1 + T/T_max) - delta - 2 C/Z (+ T^2 / 4 E^2 for spin 1/2)]
    with T = min(cut, T_max) and s = 2 pi r_e^2 m_e n_e. Below beta gamma = 0.05 it is continued as 1/beta: particles so
    slow have ranges of micrometres.

    References:
        PDG Review "Passage of particles through matter", eq. 34.12; B. Rossi, "High-Energy Particles" (1952), ch. 2.
    """
    momentum = math.sqrt(kinetic * (kinetic + 2.0 * mass))
    beta_gamma = momentum / mass
    if beta_gamma < _BETHE_LOWEST:
        lowest = (math.sqrt(1.0 + _BETHE_LOWEST**2) - 1.0) * mass * 1.000001
        return restricted_loss(ionisation, material, mass, lowest, cut, is_spin_half) * _BETHE_LOWEST / beta_gamma
    energy = kinetic + mass
    beta2 = (momentum / energy) ** 2
    t_max = largest_transfer(mass, kinetic)
    t = min(cut, t_max)
    k, f = place(beta_gamma)
    low = ionisation.logarithm[material, k]
    bracket = low + f * (ionisation.logarithm[material, k + 1] - low) + math.log(t) - beta2 * (1.0 + t / t_max)
    if is_spin_half:
        bracket += 0.25 * (t / energy) ** 2
    return ionisation.strength[material] * max(bracket, 0.1) / beta2


@compiled
def knock_on_rate(ionisation, material, mass, kinetic, cut, is_spin_half):
    """Knock-on electrons above the cut per path, [1/mm]: Rossi's cross section for spin 0 or 1/2, integrated."""
    t_max = largest_transfer(mass, kinetic)
    if t_max <= cut:
        return 0.0
    energy = kinetic + mass
    beta2 = kinetic * (kinetic + 2.0 * mass) / (energy * energy)
    total = 1.0 / cut - 1.0 / t_max - beta2 / t_max * math.log(t_max / cut)
    if is_spin_half:
        total += 0.5 * (t_max - cut) / (energy * energy)
    return ionisation.strength[material] * total / beta2


@compiled
def sample_knock_on(rng, mass, kinetic, cut, is_spin_half):
    """(kinetic energy [MeV], cosine of the angle to the particle) of a knock-on electron above the cut.

    1/T^2 by inversion, the rest 1 - beta^2 T / T_max (+ T^2 / 2 E^2) by rejection; the angle of elastic scattering.
    """
    t_max = largest_transfer(mass, kinetic)
    energy = kinetic + mass
    momentum = math.sqrt(kinetic * (kinetic + 2.0 * mass))
    beta2 = (momentum / energy) ** 2
    highest = 1.0 + (0.5 * (t_max / energy) ** 2 if is_spin_half else 0.0)
    while True:
        u = uniform(rng)
        t = cut * t_max / (cut + u * (t_max - cut))
        accept = 1.0 - beta2 * t / t_max
        if is_spin_half:
            accept += 0.5 * (t / energy) ** 2
        if uniform(rng) * highest <= accept:
            break
    cosine = t * (energy + ELECTRON_MASS) / (momentum * math.sqrt(t * (t + 2.0 * ELECTRON_MASS)))
    return t, min(cosine, 1.0)


@compiled
def sample_straggling(rng, ionisation, material, mass, kinetic, cut, length, mean_loss):
    """Energy lost along a path by transfers below the cut, [MeV], with its fluctuations about ``mean_loss``.

    Thick layers where the collisions are many and soft: Bohr's normal distribution (gamma-distributed where its width
    is not small). Else the model of Lassila-Perini and Urban: excitations and ionisations of the atoms, each a Poisson
    process, which gives Landau's and Vavilov's shapes and holds for layers of a few collisions too.

    References:
        K. Lassila-Perini and L. Urban, Nucl. Instrum. Meth. A 362 (1995) 416; Geant4 physics reference manual,
        "Fluctuations in energy loss".
    """
    if mean_loss < _LEAST_LOSS:
        return mean_loss
    t_max = largest_transfer(mass, kinetic)
    t = min(cut, t_max)
    if t <= 2.0 * _FIRST_IONISATION:
        return mean_loss
    if mean_loss >= 10.0 * t and t_max <= 2.0 * t:
        energy = kinetic + mass
        beta2 = kinetic * (kinetic + 2.0 * mass) / (energy * energy)
        variance = ionisation.strength[material] * length * (t_max / beta2 - 0.5 * t)
        return _positive_normal(rng, mean_loss, variance)
    scale = min(1.0 + 0.0005 / t, 1.5)  # a small cut narrows the model; its authors' correction
    return scale * _sample_collisions(rng, ionisation.excitation[material], t, mean_loss / scale)


@compiled
def _positive_normal(rng, mean, variance):
    """A normal number within (0, 2 mean), or a gamma-distributed one when the width is not small against the mean."""
    shape = mean * mean / variance
    if shape >= 4.0:
        width = math.sqrt(variance)
        while True:
            value = mean + width * normal(rng)
            if 0.0 < value < 2.0 * mean:
                return value
    return mean / shape * _gamma(rng, shape)


@compiled
def _gamma(rng, shape):
    """Gamma-distributed with unit scale: Marsaglia and Tsang, ACM Trans. Math. Softw. 26 (2000) 363."""
    boost = 1.0
    if shape < 1.0:
        boost = uniform(rng) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(rng)
        v = (1.0 + c * x) ** 3
        if v > 0.0 and math.log(uniform(rng)) < 0.5 * x * x + d - d * v + d * math.log(v):
            return boost * d * v


@compiled
def _sample_collisions(rng, excitation, t, mean_loss):
    """Loss by excitations of one level and by ionisations spread as 1/E^2 up to ``t``."""
    loss = 0.0
    excitations = 0.0
    level = excitation
    if t > excitation:
        excitations = mean_loss * (1.0 - _IONISATION_SHARE) / level
        width = _EXCITATION_WIDTH
        if excitations < _EXCITATION_THIN:
            width = 0.1 + (width - 0.1) * math.sqrt(excitations / _EXCITATION_THIN)
        excitations /= width
        level *= width
        if excitations > _MANY:
            loss += _near_normal(rng, excitations * level, excitations * level * level)
        else:
            n = poisson(rng, excitations)
            if n > 0:
                loss += (n + 1.0 - 2.0 * uniform(rng)) * level
    ratio = t / _FIRST_IONISATION
    ionisations = mean_loss * (t - _FIRST_IONISATION) / (_FIRST_IONISATION * t * math.log(ratio))
    if excitations > 0.0:
        ionisations *= _IONISATION_SHARE
    alpha = 1.0
    explicit = ionisations
    if ionisations > _MANY:
        # the many small ones together are normal; the few large ones are drawn one by one
        alpha = ratio * (_MANY + ionisations) / (ratio * _MANY + ionisations)
        mean_log = alpha * math.log(alpha) / (alpha - 1.0)
        soft = ionisations * ratio * (alpha - 1.0) / ((ratio - 1.0) * alpha)
        explicit = ionisations - soft
        mean = soft * _FIRST_IONISATION * mean_log
        loss += _near_normal(rng, mean, soft * _FIRST_IONISATION**2 * (alpha - mean_log**2))
    lowest = alpha * _FIRST_IONISATION
    if t > lowest:
        for _ in range(poisson(rng, explicit)):
            loss += lowest / (1.0 - (t - lowest) / t * uniform(rng))
    return loss


@compiled
def _near_normal(rng, mean, variance):
    """Normal within (0, 2 mean); uniform there when the width is far beyond the mean."""
    width = math.sqrt(variance)
    if mean < 0.25 * width:
        return 2.0 * mean * uniform(rng)
    while True:
        value = mean + width * normal(rng)
        if 0.0 <= value <= 2.0 * mean:
            return value


@compiled
def scattering_variance(momentum, beta, before, after):
    """Variance of the projected angle of multiple scattering between two depths of a track, [rad^2].

    Highland's theta_0^2 = (13.6 MeV / beta p)^2 x (1 + 0.038 ln(x / beta^2))^2 at one depth less that at the other, so
    that steps of any length add up to the formula for the whole track.

    Args:
        momentum: [MeV].
        beta: Velocity.
        before, after: Path of the track up to here and after the step, in X0.

    References:
        V. L. Highland, Nucl. Instrum. Meth. 129 (1975) 497, with the constants of G. R. Lynch and O. I. Dahl, Nucl.
        Instrum. Meth. B 58 (1991) 6; PDG Review eq. 34.16.
    """
    beta2 = beta * beta
    scale = 13.6 / (beta * momentum)
    return scale * scale * (_highland(after, beta2) - _highland(before, beta2))


@compiled
def _highland(x, beta2):
    """x (1 + 0.038 ln(x / beta^2))^2; linear below 1e-5 X0, far outside the fit of the formula."""
    depth = max(x, 1e-5)
    return x * (1.0 + 0.038 * math.log(depth / beta2)) ** 2
