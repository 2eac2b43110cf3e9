"""Materials: composition and density as data; the lengths and energies that rule showers computed from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from showercal.errors import GeometryError

_AVOGADRO: Final = 6.02214076e23  # [1/mol], exact
_ALPHA: Final = 7.2973525693e-3  # fine-structure constant, CODATA 2018
_X0_CONSTANT: Final = (
    716.408  # A / (4 alpha r_e^2 N_A) for A = 1 g/mol, [g/cm^2], PDG Review "Passage of particles", eq. 34.25
)


@dataclass(frozen=True)
class Element:
    """A chemical element.

    Args:
        z: Atomic number.
        a: Standard atomic weight, [g/mol].
        interaction_length: Nuclear interaction length, [g/cm^2], from the PDG's table of atomic and nuclear properties.
        excitation_energy: Mean excitation energy I, [eV].
    """

    z: int
    a: float
    interaction_length: float
    excitation_energy: float


_SCALE_ENERGY: Final = 21.2052  # E_s = sqrt(4 pi / alpha) m_e c^2, [MeV], PDG Review "Passage of particles", eq. 34.37

# Atomic weights and nuclear interaction lengths: Particle Data Group, "Atomic and nuclear properties of materials".
# Mean excitation energies: ICRU Report 37 (1984), the values for elements in condensed form where they have one.
ELEMENTS: Final[Mapping[str, Element]] = MappingProxyType(
    {
        "H": Element(1, 1.008, 52.0, 19.2),
        "C": Element(6, 12.0107, 85.8, 81.0),
        "N": Element(7, 14.007, 89.7, 82.0),
        "O": Element(8, 15.999, 90.2, 95.0),
        "Al": Element(13, 26.9815, 107.2, 166.0),
        "Si": Element(14, 28.0855, 108.4, 173.0),
        "Ar": Element(18, 39.948, 119.7, 188.0),
        "Ti": Element(22, 47.867, 126.2, 233.0),
        "Cr": Element(24, 51.9961, 129.5, 257.0),
        "Mn": Element(25, 54.938, 131.4, 272.0),
        "Fe": Element(26, 55.845, 132.1, 286.0),
        "Ni": Element(28, 58.6934, 134.1, 311.0),
        "Cu": Element(29, 63.546, 137.3, 322.0),
        "Zn": Element(30, 65.38, 138.5, 330.0),
        "Sn": Element(50, 118.710, 166.7, 488.0),
        "W": Element(74, 183.84, 191.9, 727.0),
        "Pb": Element(82, 207.2, 199.6, 823.0),
        "U": Element(92, 238.02891, 209.0, 890.0),
    }
)

# Tsai's radiation logarithms for light elements, PDG Review table 34.2: Z -> (L_rad, L'_rad).
_LIGHT_RADIATION_LOGARITHMS: Final = {1: (5.31, 6.144), 2: (4.79, 5.621), 3: (4.74, 5.805), 4: (4.71, 5.924)}


def element_radiation_length(symbol: str) -> float:
    """Radiation length of an element, [g/cm^2], by Tsai's formula.

    1/X0 = {Z^2 [L_rad - f(Z)] + Z L'_rad} / (716.408 g/cm^2 / A), with f(Z) the Coulomb correction of Davies, Bethe and
    Maximon.

    References:
        Y.-S. Tsai, Rev. Mod. Phys. 46 (1974) 815; PDG Review "Passage of particles through matter", eqs. 34.25-34.26.

    Example:
        >>> round(element_radiation_length("Pb"), 2)  # PDG: 6.37
        6.37
    """
    z, a = ELEMENTS[symbol].z, ELEMENTS[symbol].a
    if z in _LIGHT_RADIATION_LOGARITHMS:
        elastic, inelastic = _LIGHT_RADIATION_LOGARITHMS[z]
    else:
        elastic, inelastic = math.log(184.15 * z ** (-1 / 3)), math.log(1194 * z ** (-2 / 3))
    u = (_ALPHA * z) ** 2
    coulomb = u * (1 / (1 + u) + 0.20206 - 0.0369 * u + 0.0083 * u**2 - 0.002 * u**3)
    return _X0_CONSTANT * a / (z**2 * (elastic - coulomb) + z * inelastic)


def element_critical_energy(symbol: str) -> float:
    """Critical energy of an element for electrons, solid or liquid, [MeV]: 610 MeV / (Z + 1.24), in Rossi's sense.

    The PDG's fit to its own table; the table lies within about 4 % of it.

    References:
        PDG Review "Passage of particles through matter", fig. 34.14.

    Example:
        >>> round(element_critical_energy("Pb"), 2)  # PDG's table: 7.43
        7.33
    """
    return 610.0 / (ELEMENTS[symbol].z + 1.24)


@dataclass(frozen=True)
class Material:
    """A homogeneous material.

    Args:
        name: Its name here and in geometry files.
        density: [g/cm^3].
        mass_fractions: Element symbol -> fraction by mass; they sum to 1.
        excitation_energy: Measured mean excitation energy I, [eV]; None takes Bragg's rule.

    Raises:
        GeometryError: If the density is not above 0, an element is unknown, or the fractions do not sum to 1.
    """

    name: str
    density: float
    mass_fractions: Mapping[str, float]
    excitation_energy: float | None = None

    def __post_init__(self) -> None:
        if not self.density > 0:
            raise GeometryError(f"material {self.name!r}: density must be > 0 g/cm3; got {self.density}")
        unknown = sorted(set(self.mass_fractions) - set(ELEMENTS))
        if unknown:
            raise GeometryError(f"material {self.name!r}: unknown elements {unknown}; known: {', '.join(ELEMENTS)}")
        total = sum(self.mass_fractions.values())
        if abs(total - 1) > 1e-3 or min(self.mass_fractions.values()) < 0:
            raise GeometryError(
                f"material {self.name!r}: mass fractions must be >= 0 and sum to 1; they sum to {total}"
            )

    @property
    def radiation_length(self) -> float:
        """X0, [mm], by Bragg additivity 1/X0 = sum w_i / X_i (PDG eq. 34.27)."""
        inverse = sum(w / element_radiation_length(s) for s, w in self.mass_fractions.items())
        return 10 / (inverse * self.density)

    @property
    def electron_density(self) -> float:
        """Electrons per volume, [1/mm^3]."""
        per_gram = sum(w * ELEMENTS[s].z / ELEMENTS[s].a for s, w in self.mass_fractions.items())
        return per_gram * _AVOGADRO * self.density * 1e-3

    @property
    def mean_excitation_energy(self) -> float:
        """I, [eV]: measured, or by Bragg's rule, the average of ln I over electrons (PDG eq. 34.9 ff.).

        Example:
            >>> round(MATERIALS["lead"].mean_excitation_energy)
            823
        """
        if self.excitation_energy is not None:
            return self.excitation_energy
        electrons = {s: w * ELEMENTS[s].z / ELEMENTS[s].a for s, w in self.mass_fractions.items()}
        logarithm = sum(n * math.log(ELEMENTS[s].excitation_energy) for s, n in electrons.items())
        return math.exp(logarithm / sum(electrons.values()))

    @property
    def interaction_length(self) -> float:
        """Nuclear interaction length lambda_I, [mm], by the same additivity from the PDG's values of the elements."""
        inverse = sum(w / ELEMENTS[s].interaction_length for s, w in self.mass_fractions.items())
        return 10 / (inverse * self.density)

    @property
    def moliere_radius(self) -> float:
        """Molière radius R_M, [mm], 1/R_M = 1/E_s sum w_i E_c,i / X_i with E_s = 21.2 MeV (PDG eq. 34.38)."""
        inverse = sum(
            w * element_critical_energy(s) / element_radiation_length(s) for s, w in self.mass_fractions.items()
        )
        return 10 * _SCALE_ENERGY / (inverse * self.density)

    @property
    def critical_energy(self) -> float:
        """Critical energy E_c of electrons, [MeV], from R_M = E_s X0 / E_c (PDG eq. 34.37)."""
        return _SCALE_ENERGY * self.radiation_length / self.moliere_radius


def from_formula(
    name: str, density: float, atoms: Mapping[str, float], excitation_energy: float | None = None
) -> Material:
    """A compound from its numbers of atoms, e.g. ``{"Pb": 1, "W": 1, "O": 4}``."""
    mass = {s: n * ELEMENTS[s].a for s, n in atoms.items()}
    total = sum(mass.values())
    return Material(name, density, {s: m / total for s, m in mass.items()}, excitation_energy)


_ALL: Final = (
    # Polyvinyltoluene C9H10, the base of plastic scintillators (PDG: 1.032 g/cm3). Mean excitation energies: PDG.
    from_formula("plastic-scintillator", 1.032, {"C": 9, "H": 10}, 64.7),
    from_formula("polystyrene", 1.06, {"C": 8, "H": 8}, 68.7),
    from_formula("PbWO4", 8.28, {"Pb": 1, "W": 1, "O": 4}, 600.7),
    # Cartridge brass, 70/30.
    Material("brass", 8.53, {"Cu": 0.70, "Zn": 0.30}),
    # Composition of the NIST-like entry G4_STAINLESS-STEEL of Geant4.
    Material("stainless-steel", 8.00, {"Fe": 0.7462, "Cr": 0.1690, "Ni": 0.0848}),
    Material("iron", 7.874, {"Fe": 1.0}),
    Material("copper", 8.96, {"Cu": 1.0}),
    Material("lead", 11.35, {"Pb": 1.0}),
    Material("tungsten", 19.30, {"W": 1.0}),
    Material("silicon", 2.329, {"Si": 1.0}),
    Material("aluminium", 2.699, {"Al": 1.0}),
    Material("liquid-argon", 1.396, {"Ar": 1.0}),
)

MATERIALS: Final[Mapping[str, Material]] = MappingProxyType({m.name: m for m in _ALL})
