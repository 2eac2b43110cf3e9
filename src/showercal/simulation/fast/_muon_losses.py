"""How muons lose energy: differential cross sections of knock-on, radiation, pair production and nuclear interaction.

All spectra are v dσ/dv per atom, [mm^2], of the energy transfer v E: what a logarithmic scale shows, and dimensionless
but for the area. Arrays of energies E (total) and transfers broadcast against each other, both in MeV.

References:
    GMS: D. E. Groom, N. V. Mokhov and S. I. Striganov, Atomic Data Nucl. Data Tables 78 (2001) 183.
    PRM: Geant4 physics reference manual, release 11, part "Muon".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from showercal.detectors import ELEMENTS, Element, Material
from showercal.simulation.fast._constants import ALPHA, AVOGADRO, ELECTRON_MASS, ELECTRON_RADIUS, MUON_MASS, PROTON_MASS

FloatArray = NDArray[np.float64]
Spectrum = Callable[[Element, FloatArray, FloatArray], FloatArray]

_MICROBARN: Final = 1e-28  # [mm^2]
_RATIO: Final = MUON_MASS / ELECTRON_MASS
_SQRT_E: Final = math.sqrt(math.e)

_LOWEST_PAIR_ENERGY: Final = 1000.0  # of the muon [MeV]: the theory of pair production is for relativistic muons
_LOWEST_PHOTONUCLEAR: Final = 200.0  # smallest transfer of a nuclear interaction, [MeV]: hadrons are made from there on
_MESONS: Final = (0.54, 1.80)  # squared masses in the form factor of Bezrukov and Bugaev, [GeV^2]
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)  # gives the integral over the asymmetry of pairs to 1e-4


def largest_transfer(element: Element, energy: FloatArray) -> FloatArray:
    """Largest energy of a photon or pair from the field of a nucleus, [MeV]: E - 3/4 sqrt(e) m Z^(1/3)."""
    return np.asarray(energy - 0.75 * _SQRT_E * MUON_MASS * element.z ** (1 / 3))


def bremsstrahlung(element: Element, energy: FloatArray, photon: FloatArray) -> FloatArray:
    """Radiation in the field of the nucleus, screened, with its size; and in that of the atom's electrons.

    v dσ/dv = 4 alpha Z^2 (r_e m_e / m)^2 (4/3 - 4/3 v + v^2) (Phi_n + Phi_e / Z).

    References:
        S. R. Kelner, R. P. Kokoulin and A. A. Petrukhin, Phys. Atom. Nucl. 60 (1997) 576, and preprint MEPhI 024-95
        (1995); GMS section 4.1; PRM "Bremsstrahlung".
    """
    v = photon / energy
    rest = np.maximum(energy - photon, 1e-3)
    delta = 0.5 * MUON_MASS**2 * v / rest  # smallest momentum transfer
    nucleus, electrons = _screening(element)
    cube_root = element.z ** (1 / 3)
    # size of the nucleus, with the correction for what excites it
    size = (1.54 * element.a**0.27) ** (1 - 1 / element.z)
    b = nucleus / cube_root
    phi = np.log(b * (MUON_MASS + delta * (size * _SQRT_E - 2)) / (size * (ELECTRON_MASS + delta * _SQRT_E * b)))
    total = np.maximum(phi, 0.0)
    b = electrons / cube_root**2
    phi = np.log(
        b * MUON_MASS / ((1 + delta * MUON_MASS / (ELECTRON_MASS**2 * _SQRT_E)) * (ELECTRON_MASS + delta * _SQRT_E * b))
    )
    highest = energy / (1 + 0.5 * MUON_MASS * _RATIO / energy)  # an electron at rest can take no more
    total = total + np.where(photon < highest, np.maximum(phi, 0.0), 0.0) / element.z
    strength = 4 * ALPHA * (element.z * ELECTRON_RADIUS / _RATIO) ** 2
    return np.asarray(np.where(photon < energy - MUON_MASS, strength * (4 / 3 * (1 - v) + v * v) * total, 0.0))


def pair_production(element: Element, energy: FloatArray, pair: FloatArray) -> FloatArray:
    """e+e- pairs in the screened field of the nucleus and of the atom's electrons, integrated over their asymmetry.

    References:
        R. P. Kokoulin and A. A. Petrukhin, Proc. 12th ICRC, Hobart (1971), vol. 6, 2436; S. R. Kelner,
        Phys. Atom. Nucl. 61 (1998) 448 (electrons); GMS section 4.2; PRM "Positron-electron pair production".
    """
    energy, pair = np.broadcast_arrays(energy, pair)
    is_open = (pair > 4.0004 * ELECTRON_MASS) & (pair < largest_transfer(element, energy))
    is_open &= energy > _LOWEST_PAIR_ENERGY
    result = np.zeros(energy.shape)
    result[is_open] = _pairs(element, energy[is_open], pair[is_open])
    return result


def _pairs(element: Element, energy: FloatArray, pair: FloatArray) -> FloatArray:
    """v dσ/dv of open channels, shape (N,): the asymmetry rho is integrated in ln(1 - rho), where all is smooth."""
    rest, alpha = energy - pair, 4 * ELECTRON_MASS / pair
    root = np.sqrt(1 - alpha)
    # 1 - rho_max, written so that it does not cancel
    gap = alpha / (1 + root) + root * 6 * MUON_MASS**2 / (energy * rest)
    span = np.log(np.minimum(gap, 1.0))[:, None]
    rho = 1 - np.exp(span * 0.5 * (_NODES + 1))
    rho2, opposite = rho * rho, 1 - rho * rho
    cube_root = element.z ** (1 / 3)
    radiation = (183.0 if element.z > 1 else 202.4) / cube_root
    beta = (0.5 * pair * pair / (energy * rest))[:, None]
    xi = 0.5 * _RATIO**2 * beta * opposite

    y_e = 1 + (5 - rho2 + 4 * beta * (1 + rho2)) / (
        2 * (1 + 3 * beta) * np.log(3 + 1 / xi) - rho2 - 2 * beta * (2 - rho2)
    )
    y_mu = 1 + (4 + rho2 + 3 * beta * (1 + rho2)) / ((1 + rho2) * (1.5 + 2 * beta) * np.log(3 + xi) + 1 - 1.5 * rho2)
    screen = 2 * ELECTRON_MASS * _SQRT_E * radiation * (1 + xi) / (pair[:, None] * opposite)
    log_e = np.log(radiation * np.sqrt((1 + xi) * y_e) / (1 + screen * y_e))
    log_e -= 0.5 * np.log(1 + 2.25 * (cube_root / _RATIO) ** 2 * (1 + xi) * y_e)
    log_mu = np.log(2 / 3 * _RATIO * radiation / cube_root / (1 + screen * y_mu))
    # the brackets cancel where xi is very large or very small: there their limits are used
    x = np.minimum(xi, 1e3)
    b_e = ((2 + rho2) * (1 + beta) + x * (3 + rho2)) * np.log1p(1 / x) + (opposite - beta) / (1 + x) - (3 + rho2)
    b_e = np.where(xi < 1e3, b_e, 0.5 * (3 - rho2 + 2 * beta * (1 + rho2)) / xi)
    x = np.maximum(xi, 1e-3)
    b_mu = ((1 + rho2) * (1 + 1.5 * beta) - (1 + 2 * beta) * opposite / x) * np.log1p(x)
    b_mu += x * (opposite - beta) / (1 + x) + (1 + 2 * beta) * opposite
    b_mu = np.where(xi > 1e-3, b_mu, 0.5 * xi * (5 - rho2 + beta * (3 + rho2)))

    integrand = np.maximum(log_e * b_e, 0.0) + np.maximum(log_mu * b_mu, 0.0) / _RATIO**2
    integral = np.sum(0.5 * _WEIGHTS * (1 - rho) * integrand, axis=1) * -span[:, 0]
    strength = 4 / (3 * math.pi) * (ALPHA * ELECTRON_RADIUS) ** 2 * element.z
    return np.asarray(strength * (element.z + _atomic_electrons(element, energy)) * rest / energy * integral)


def _atomic_electrons(element: Element, energy: FloatArray) -> FloatArray:
    """zeta: the atom's electrons make pairs as Z (Z + zeta) instead of Z^2."""
    one, two = (1.95e-5, 5.3e-5) if element.z > 1 else (4.4e-5, 4.8e-5)
    gamma = energy / MUON_MASS
    numerator = 0.073 * np.log(gamma / (1 + one * element.z ** (2 / 3) * gamma)) - 0.26
    denominator = 0.058 * np.log(gamma / (1 + two * element.z ** (1 / 3) * gamma)) - 0.14
    return np.asarray(np.where(numerator > 0, numerator / np.where(numerator > 0, denominator, 1.0), 0.0))


def photonuclear(element: Element, energy: FloatArray, transfer: FloatArray) -> FloatArray:
    """Inelastic scattering on nuclei by virtual photons, with shadowing.

    References:
        L. B. Bezrukov and E. V. Bugaev, Sov. J. Nucl. Phys. 33 (1981) 635; GMS section 4.3.
    """
    v = transfer / energy
    k = transfer * 1e-3
    mass2 = (MUON_MASS * 1e-3) ** 2
    photon_nucleon = 114.3 + 1.647 * np.log(0.0213 * k) ** 2  # cross section of real photons, [microbarn]
    x = 0.00282 * element.a ** (1 / 3) * photon_nucleon
    shadow = np.ones_like(x)
    if element.z > 1:
        shadow = 3 / x**3 * (0.5 * x * x - 1 + np.exp(-x) * (1 + x))
    one, two = _MESONS
    kappa = 1 - 2 / v + 2 / v**2
    t = mass2 * v**2 / np.maximum(1 - v, 1e-12)
    bracket = (
        0.75 * shadow * (kappa * np.log1p(one / t) - kappa * one / (one + t) - 2 * mass2 / t)
        + 0.25 * (kappa * np.log1p(two / t) - 2 * mass2 / t)
        + 0.5 * mass2 / t * (0.75 * shadow * one / (one + t) + 0.25 * two / t * np.log1p(t / two))
    )
    value = ALPHA / (2 * math.pi) * element.a * photon_nucleon * _MICROBARN * v**2 * bracket
    is_open = (transfer > _LOWEST_PHOTONUCLEAR) & (transfer < energy - 0.5 * PROTON_MASS)
    return np.asarray(np.where(is_open, np.maximum(value, 0.0), 0.0))


def knock_on(element: Element, energy: FloatArray, transfer: FloatArray) -> FloatArray:
    """Electrons hit by the muon, with the radiation that goes with it.

    Rossi's formula for spin 1/2 times 1 + alpha / (2 pi) ln(1 + 2T/m_e) [ln(4 E (E - T) / m^2) - ln(1 + 2T/m_e)].

    References:
        R. P. Kokoulin, Proc. 26th ICRC, Salt Lake City (1999) HE.1.2.04; S. R. Kelner, R. P. Kokoulin and
        A. A. Petrukhin, Phys. Atom. Nucl. 60 (1997) 576; PRM "Muon ionisation".
    """
    gamma = energy / MUON_MASS
    highest = 2 * ELECTRON_MASS * (gamma**2 - 1) / (1 + 2 * gamma / _RATIO + 1 / _RATIO**2)
    beta2 = 1 - 1 / gamma**2
    shape = 1 / transfer - beta2 / highest + 0.5 * transfer / energy**2
    strength = 2 * math.pi * ELECTRON_RADIUS**2 * ELECTRON_MASS * element.z / beta2
    inside = np.minimum(transfer, highest)
    value = strength * shape * (1 + radiative_correction(energy, inside))
    return np.asarray(np.where(transfer < highest, value, 0.0))


def radiative_correction(energy: FloatArray, transfer: FloatArray) -> FloatArray:
    """Relative correction of the knock-on cross section by radiation; none below 0.1 MeV and for slow muons (PRM)."""
    one = np.log1p(2 * transfer / ELECTRON_MASS)
    three = np.log(4 * energy * np.maximum(energy - transfer, MUON_MASS) / MUON_MASS**2)
    is_on = (transfer > 0.1) & (energy > 1000.0)
    return np.asarray(np.where(is_on, ALPHA / (2 * math.pi) * one * (three - one), 0.0))


def _screening(element: Element) -> tuple[float, float]:
    """B and B' of the nucleus and the electrons: Thomas-Fermi atoms, exact for hydrogen (GMS section 4.1)."""
    return (182.7, 1429.0) if element.z > 1 else (202.4, 446.0)


def macroscopic(spectrum: Spectrum, material: Material, energy: FloatArray, transfer: FloatArray) -> FloatArray:
    """v dΣ/dv of a material, [1/mm]: atoms per volume times the spectra of the elements."""
    total = np.zeros(np.broadcast_shapes(np.shape(energy), np.shape(transfer)))
    for symbol, fraction in material.mass_fractions.items():
        element = ELEMENTS[symbol]
        atoms = fraction * material.density * AVOGADRO / element.a * 1e-3  # [1/mm^3]
        total += atoms * spectrum(element, energy, transfer)
    return total


def radiative_loss(spectrum: Spectrum, material: Material, energy: FloatArray) -> FloatArray:
    """Mean fractional loss by one process, b(E) = 1/E dE/dx, [cm^2/g], shape (B,).

    Args:
        spectrum: `bremsstrahlung`, `pair_production` or `photonuclear`.
        material: Any.
        energy: Total energies of the muon, shape (B,), [MeV].
    """
    nodes, weights = np.polynomial.legendre.leggauss(200)
    e = np.asarray(energy, dtype=np.float64)[:, None]
    span = math.log(1e9)  # transfers below 1e-9 E carry nothing
    fraction = np.exp(-span * 0.5 * (nodes + 1))
    integrand = fraction * macroscopic(spectrum, material, e, fraction * e)
    return np.asarray(np.sum(0.5 * span * weights * integrand, axis=1) * 10 / material.density)
