"""Corrections to Bethe's formula that depend on the material: density effect and shells."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from showercal.detectors import ELEMENTS, Material

FloatArray = NDArray[np.float64]

_PLASMA: Final = 28.816  # sqrt(density [g/cm3] <Z/A>) times this is the plasma energy [eV], PDG Review table 34.1
_BARKAS_LOWEST: Final = 0.13  # beta gamma below which the shell correction is no longer valid
_SHELL_END: Final = 0.0653  # beta gamma of a proton of 2 MeV


class _Parameters(NamedTuple):
    """Sternheimer's parameters: -C, x0, x1, a, k, delta0."""

    c: float
    x0: float
    x1: float
    a: float
    k: float
    delta0: float


class _Tabulated(NamedTuple):
    """Parameters of a material that is known by its elements and its density, [g/cm3]."""

    elements: frozenset[str]
    density: float
    effect: _Parameters


# R. M. Sternheimer, M. J. Berger and S. M. Seltzer, Atomic Data Nucl. Data Tables 30 (1984) 261, table I.
_TABLE: Final = (
    _Tabulated(frozenset({"Al"}), 2.699, _Parameters(4.2395, 0.1708, 3.0127, 0.08024, 3.6345, 0.12)),
    _Tabulated(frozenset({"Si"}), 2.33, _Parameters(4.4351, 0.2014, 2.8715, 0.14921, 3.2546, 0.14)),
    _Tabulated(frozenset({"Fe"}), 7.874, _Parameters(4.2911, -0.0012, 3.1531, 0.14680, 2.9632, 0.12)),
    _Tabulated(frozenset({"Cu"}), 8.96, _Parameters(4.4190, -0.0254, 3.2792, 0.14339, 2.9044, 0.08)),
    _Tabulated(frozenset({"Sn"}), 7.31, _Parameters(5.5340, 0.2879, 3.2959, 0.18689, 2.8576, 0.14)),
    _Tabulated(frozenset({"W"}), 19.3, _Parameters(5.4059, 0.2167, 3.4960, 0.15509, 2.8447, 0.14)),
    _Tabulated(frozenset({"Pb"}), 11.35, _Parameters(6.2018, 0.3776, 3.8073, 0.09359, 3.1608, 0.14)),
    _Tabulated(frozenset({"U"}), 18.95, _Parameters(5.8694, 0.2260, 3.3721, 0.19677, 2.8171, 0.14)),
    # the plastics of scintillators and light guides
    _Tabulated(frozenset({"C", "H"}), 1.032, _Parameters(3.1997, 0.1464, 2.4855, 0.16101, 3.2393, 0.0)),
    _Tabulated(frozenset({"C", "H"}), 1.06, _Parameters(3.2999, 0.1647, 2.5031, 0.16454, 3.2224, 0.0)),
)


def density_effect(material: Material, beta_gamma: FloatArray) -> FloatArray:
    """Density-effect correction delta of Bethe's formula, no unit, for values of beta gamma of any shape.

    From the table of Sternheimer, Berger and Seltzer where the material is in it, else by the general formula of
    Sternheimer and Peierls for solids and liquids from I and the plasma energy.

    References:
        R. M. Sternheimer and R. F. Peierls, Phys. Rev. B 3 (1971) 3681; PDG Review "Passage of particles through
        matter", eq. 34.7.
    """
    p = _parameters(material)
    x = np.log10(beta_gamma)
    delta = 2 * math.log(10) * x - p.c + p.a * np.maximum(p.x1 - x, 0) ** p.k
    return np.asarray(np.where(x >= p.x0, delta, p.delta0 * 10 ** (2 * np.minimum(x - p.x0, 0))))


def shell_correction(material: Material, beta_gamma: FloatArray) -> FloatArray:
    """Shell correction C/Z of Bethe's formula, no unit, averaged over the electrons of a compound.

    Below beta gamma = 0.13, where the formula ends, it falls with the logarithm of the energy, to 0 at 2 MeV
    for protons.

    References:
        W. H. Barkas and M. J. Berger, NASA SP-3013 (1964); GEANT 3.21 manual, CERN W5013 (1994), PHYS 430.
    """
    inverse = 1 / np.maximum(beta_gamma, _BARKAS_LOWEST) ** 2
    second = 1e-6 * inverse * (0.422377 + inverse * (0.0304043 - inverse * 0.00038106))
    third = 1e-9 * inverse * (3.858019 + inverse * (-0.1667989 + inverse * 0.00157955))
    total = np.zeros_like(inverse)
    for symbol, share in _electron_shares(material).items():
        excitation = ELEMENTS[symbol].excitation_energy
        total += share / ELEMENTS[symbol].z * (second * excitation**2 + third * excitation**3)
    fading = np.log(np.maximum(beta_gamma, _SHELL_END) / _SHELL_END) / math.log(_BARKAS_LOWEST / _SHELL_END)
    return np.asarray(total * np.minimum(fading, 1))


def _electron_shares(material: Material) -> dict[str, float]:
    per_gram = {s: w * ELEMENTS[s].z / ELEMENTS[s].a for s, w in material.mass_fractions.items()}
    total = sum(per_gram.values())
    return {s: n / total for s, n in per_gram.items()}


def _parameters(material: Material) -> _Parameters:
    elements = frozenset(s for s, w in material.mass_fractions.items() if w > 0)
    for one in _TABLE:
        if one.elements == elements and abs(material.density / one.density - 1) < 0.02:
            return one.effect
    excitation = material.mean_excitation_energy
    z_over_a = sum(w * ELEMENTS[s].z / ELEMENTS[s].a for s, w in material.mass_fractions.items())
    c = 1 + 2 * math.log(excitation / (_PLASMA * math.sqrt(material.density * z_over_a)))
    if excitation < 100:
        x0, x1 = (0.2, 2.0) if c < 3.681 else (0.326 * c - 1.0, 2.0)
    else:
        x0, x1 = (0.2, 3.0) if c < 5.215 else (0.326 * c - 1.5, 3.0)
    return _Parameters(c, x0, x1, (c - 2 * math.log(10) * x0) / (x1 - x0) ** 3, 3.0, 0.0)
