"""Cross sections of electrons, positrons and photons: published formulae, vectorised over energies.

Per atom in mm^2 and per volume in 1/mm; energies in MeV. A compound counts as one medium with averaged screening
numbers, as in EGS4.

References:
    W. R. Nelson, H. Hirayama and D. W. O. Rogers, "The EGS4 code system", SLAC-265 (1985), section 2.
    Geant4 Collaboration, "Physics reference manual".
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from showercal.detectors import ELEMENTS, Material
from showercal.simulation.fast._constants import AVOGADRO
from showercal.simulation.fast._density_effect import density_effect
from showercal.simulation.fast._em_corrections import elastic_correction, photoelectric, radiative_correction

FloatArray = NDArray[np.float64]

ELECTRON_MASS: Final = 0.51099895069  # [MeV], CODATA 2022
RADIUS: Final = 2.8179403205e-12  # classical electron radius, [mm], CODATA 2022
ALPHA: Final = 7.2973525643e-3  # CODATA 2022

COLLISION_CONSTANT: Final = 2 * np.pi * RADIUS**2 * ELECTRON_MASS  # 2 pi r_e^2 m c^2, [MeV mm^2]


def atoms_per_volume(material: Material) -> dict[int, float]:
    """Atomic number -> atoms per volume, [1/mm^3]."""
    return {
        ELEMENTS[symbol].z: w * AVOGADRO / ELEMENTS[symbol].a * material.density * 1e-3
        for symbol, w in material.mass_fractions.items()
    }


def coulomb_correction(z: float) -> float:
    """f(Z) of Davies, Bethe and Maximon, Phys. Rev. 93 (1954) 788."""
    u = (ALPHA * z) ** 2
    return u * (1 / (1 + u) + 0.20206 - 0.0369 * u + 0.0083 * u**2 - 0.002 * u**3)


# ---------------------------------------------------------------------------------------------- screening (EGS4 2.7)
def screening_functions(delta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """phi_1 and phi_2 of the Thomas-Fermi atom, fits of Butcher and Messel.

    References:
        J. C. Butcher and H. Messel, Nucl. Phys. 20 (1960) 15; SLAC-265 eqs. 2.7.14-2.7.15.
    """
    delta = np.minimum(delta, 1e3)  # far beyond the end of the spectrum both are negative
    high = 21.12 - 4.184 * np.log(delta + 0.952)
    first = np.where(delta > 1, high, 20.867 - 3.242 * delta + 0.625 * delta**2)
    second = np.where(delta > 1, high, 20.209 - 1.930 * delta - 0.086 * delta**2)
    return first, second


def screening_numbers(material: Material) -> tuple[float, float]:
    """(Z^(1/3), 4/3 ln Z) of a medium, averaged with the weights Z (Z + 1) of its atoms."""
    atoms = atoms_per_volume(material)
    weights = np.array([n * z * (z + 1) for z, n in atoms.items()])
    mean_log = float(np.average(np.log(list(atoms)), weights=weights))
    return float(np.exp(mean_log / 3)), 4 * mean_log / 3


def radiator_strength(material: Material) -> float:
    """alpha r_e^2 sum n Z (Z + xi(Z)), [1/mm]: the factor of bremsstrahlung and pairs (SLAC-265 eq. 2.7.17)."""
    total = 0.0
    for z, n in atoms_per_volume(material).items():
        xi = np.log(1440 * z ** (-2 / 3)) / (np.log(183 * z ** (-1 / 3)) - coulomb_correction(z))
        total += n * z * (z + xi)
    return float(ALPHA * RADIUS**2 * total)


def mean_coulomb_correction(material: Material) -> float:
    """f(Z) averaged with the weights Z (Z + 1)."""
    atoms = atoms_per_volume(material)
    weights = [n * z * (z + 1) for z, n in atoms.items()]
    return float(np.average([coulomb_correction(z) for z in atoms], weights=weights))


def bremsstrahlung(kinetic: FloatArray, cut: FloatArray | float, material: Material) -> tuple[FloatArray, FloatArray]:
    """`uncorrected_bremsstrahlung` brought to the radiative loss of Seltzer and Berger."""
    hard, soft = uncorrected_bremsstrahlung(kinetic, cut, material)
    factor = radiative_correction(kinetic, screening_numbers(material)[0] ** 3)
    return hard * factor, soft * factor


def bremsstrahlung_shape(total_energy: FloatArray, photon: FloatArray, material: Material) -> FloatArray:
    """k dsigma/dk of bremsstrahlung over the radiator strength, shapes broadcast (SLAC-265 eq. 2.7.7)."""
    cube_root, log_term = screening_numbers(material)
    rest = total_energy - photon
    ratio = rest / total_energy
    delta = 136 * ELECTRON_MASS / cube_root * photon / (total_energy * np.maximum(rest, 1e-9))
    correction = 4 * mean_coulomb_correction(material)
    first, second = screening_functions(delta)
    shape = (1 + ratio**2) * (first - log_term - correction) - 2 / 3 * ratio * (second - log_term - correction)
    return np.where(rest > ELECTRON_MASS, np.maximum(shape, 0.0), 0.0)


def uncorrected_bremsstrahlung(
    kinetic: FloatArray, cut: FloatArray | float, material: Material
) -> tuple[FloatArray, FloatArray]:
    """Photons above the cut per path, and energy loss to photons below it.

    Args:
        kinetic: Kinetic energies, shape (N,), [MeV].
        cut: Photon energy, one or of shape (N,), [MeV].
        material: The medium.

    Returns:
        (Sigma [1/mm], loss [MeV/mm]), shapes (N,).
    """
    nodes, weights = np.polynomial.legendre.leggauss(48)
    cut = np.broadcast_to(cut, kinetic.shape)
    energy = kinetic[:, None] + ELECTRON_MASS
    strength = radiator_strength(material)
    # above the cut in ln k, below it in k
    span = np.log(np.maximum(kinetic / cut, 1.0))[:, None]
    photon = cut[:, None] * np.exp(span * (nodes + 1) / 2)
    hard = strength * np.sum(weights * bremsstrahlung_shape(energy, photon, material), axis=1) * span[:, 0] / 2
    top = np.minimum(cut, kinetic)[:, None]
    soft_photon = top * (nodes + 1) / 2
    soft = strength * np.sum(weights * bremsstrahlung_shape(energy, soft_photon, material), axis=1) * top[:, 0] / 2
    return hard, soft


# ---------------------------------------------------------------------------------------------- collisions
def collision_loss(kinetic: FloatArray, cut: float, material: Material, *, positron: bool) -> FloatArray:
    """Loss to collisions with transfers below the cut, [MeV/mm] (Berger and Seltzer).

    References:
        SLAC-265 eqs. 2.13.5-2.13.10; ICRU Report 37 (1984) eqs. 3.4 ff.
    """
    tau = kinetic / ELECTRON_MASS
    gamma = tau + 1
    beta2 = tau * (tau + 2) / gamma**2
    largest = tau if positron else tau / 2
    d = np.minimum(cut / ELECTRON_MASS, largest)
    if positron:
        y = 1 / (tau + 2)
        f = np.log(tau * d) - beta2 / tau * (
            tau + 2 * d - 1.5 * d**2 * y - (d - d**3 / 3) * y**2 - (d**2 / 2 - tau * d**3 / 3 + d**4 / 4) * y**3
        )
    else:
        f = (
            -1
            - beta2
            + np.log((tau - d) * d)
            + tau / (tau - d)
            + (d**2 / 2 + (2 * tau + 1) * np.log(1 - d / tau)) / gamma**2
        )
    excitation = material.mean_excitation_energy * 1e-6 / ELECTRON_MASS
    beta_gamma = np.sqrt(tau * (tau + 2))
    bracket = np.log(2 * (tau + 2) / excitation**2) + f - density_effect(material, beta_gamma)
    return np.asarray(COLLISION_CONSTANT * material.electron_density / beta2 * np.maximum(bracket, 0.0))


def knock_on(kinetic: FloatArray, cut: float, material: Material, *, positron: bool) -> FloatArray:
    """Collisions with transfers above the cut per path, [1/mm]: Moller or Bhabha (SLAC-265 eqs. 2.10.1, 2.11.1)."""
    gamma = kinetic / ELECTRON_MASS + 1
    beta2 = 1 - 1 / gamma**2
    x = np.minimum(cut / kinetic, 1.0 if positron else 0.5)
    front = COLLISION_CONSTANT * material.electron_density / kinetic
    if positron:
        b1, b2, b3, b4 = bhabha_coefficients(gamma)
        value = (1 / x - 1) / beta2 + b1 * np.log(x) + b2 * (1 - x) - b3 / 2 * (1 - x**2) + b4 / 3 * (1 - x**3)
    else:
        g = (2 * gamma - 1) / gamma**2
        value = ((0.5 - x) * (1 - g) + 1 / x - 1 / (1 - x) - g * np.log((1 - x) / x)) / beta2
    return np.where(kinetic * (1.0 if positron else 0.5) > cut, front * np.maximum(value, 0.0), 0.0)


def bhabha_coefficients(gamma: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """B1 to B4 of Bhabha's cross section (SLAC-265 eq. 2.11.4 ff.)."""
    y = 1 / (gamma + 1)
    z = 1 - 2 * y
    return 2 - y**2, z * (3 + y**2), z**2 + z**3, z**3


def annihilation(kinetic: FloatArray, material: Material) -> FloatArray:
    """Annihilation in flight into two photons per path, [1/mm] (Heitler; SLAC-265 eq. 2.12.6)."""
    gamma = kinetic / ELECTRON_MASS + 1
    root = np.sqrt(gamma**2 - 1)
    bracket = (gamma**2 + 4 * gamma + 1) / (gamma**2 - 1) * np.log(gamma + root) - (gamma + 3) / root
    return np.pi * RADIUS**2 / (gamma + 1) * bracket * material.electron_density


_SEES_THE_NUCLEUS: Final = 15.0  # [MeV], where waves become as short as nuclei are large


def uncorrected_inverse_transport_length(kinetic: FloatArray, material: Material) -> FloatArray:
    """1/lambda_1 of elastic scattering, [1/mm]: mean of 1 - cos(theta) per path; screened Rutherford, Moliere's angle.

    References:
        G. Moliere, Z. Naturforsch. 2a (1947) 133; I. Kawrakow and A. F. Bielajew, Nucl. Instrum. Meth. B 134 (1998)
        325.
    """
    return 2 * _rutherford(kinetic, material)[1]


def _rutherford(kinetic: FloatArray, material: Material) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Screened Rutherford scattering in x = (1 - cos(theta)) / 2: K dx / (x + eta)^2 per path.

    Returns:
        K [1/mm]; the mean of x per path, K (ln(1 + 1/eta) - 1/(1 + eta)) [1/mm]; the mean of ln(eta).
    """
    tau = kinetic / ELECTRON_MASS
    beta2 = tau * (tau + 2) / (tau + 1) ** 2
    momentum2 = tau * (tau + 2)  # (p/mc)^2
    number, total, logarithm = 0.0, np.zeros_like(kinetic), np.zeros_like(kinetic)
    for z, n in atoms_per_volume(material).items():
        thomas_fermi = 0.88534 * z ** (-1 / 3) / ALPHA  # radius in units of hbar/(m c)
        screening = (1.13 + 3.76 * (ALPHA * z) ** 2 / beta2) / (4 * momentum2 * thomas_fermi**2)
        bracket = np.log(1 + 1 / screening) - 1 / (1 + screening)
        number += n * z * (z + 1)
        total += n * z * (z + 1) * bracket
        logarithm += n * z * (z + 1) * np.log(screening)
    front = np.pi * RADIUS**2 / (momentum2 * beta2)
    return front * number, front * total, logarithm / number


def inverse_transport_length(kinetic: FloatArray, material: Material) -> FloatArray:
    """`uncorrected_inverse_transport_length` brought to the partial-wave calculations."""
    return uncorrected_inverse_transport_length(kinetic, material) * _elastic_correction(kinetic, material)


def single_scattering(kinetic: FloatArray, material: Material) -> tuple[FloatArray, FloatArray]:
    """How far single collisions reach: (hardness, most).

    Hardness is what 1/x^2 of x = (1 - cos(theta)) / 2 must be multiplied by to give collisions per path, over the mean
    of x per path; most is the largest x, which the size of the nucleus limits at high energies.
    """
    strength, mean, log_screening = _rutherford(kinetic, material)
    correction = _elastic_correction(kinetic, material)
    # below, the correction is one of the strength; above, one of the largest angle
    strength = np.where(kinetic < _SEES_THE_NUCLEUS, strength * correction, strength)
    hardness = strength / (mean * correction)
    most = np.where(kinetic < _SEES_THE_NUCLEUS, 1.0, np.exp(np.minimum(log_screening + 1 / hardness + 1, 0.0)))
    return hardness, most


def _elastic_correction(kinetic: FloatArray, material: Material) -> FloatArray:
    return elastic_correction(kinetic, screening_numbers(material)[0] ** 3)


# ---------------------------------------------------------------------------------------------- photons
def photoelectric_effect(energy: FloatArray, material: Material) -> FloatArray:
    """Photoelectric effect per path, [1/mm]."""
    return np.asarray(sum(n * photoelectric(energy, z) for z, n in atoms_per_volume(material).items()))


def compton(energy: FloatArray, material: Material) -> FloatArray:
    """Klein-Nishina on free electrons per path, [1/mm] (PDG; SLAC-265 section 2.9)."""
    k = energy / ELECTRON_MASS
    log = np.log1p(2 * k)
    exact = (1 + k) / k**2 * (2 * (1 + k) / (1 + 2 * k) - log / k) + log / (2 * k) - (1 + 3 * k) / (1 + 2 * k) ** 2
    return 2 * np.pi * RADIUS**2 * exact * material.electron_density


_PAIR_F1: Final = (8.7842e2, -1.9625e3, 1.2949e3, -2.0028e2, 1.2575e1, -2.8333e-1)
_PAIR_F2: Final = (-1.0342e1, 1.7692e1, -8.2381, 1.3063, -9.0815e-2, 2.3586e-3)
_PAIR_F3: Final = (-4.5263e2, 1.1161e3, -8.6749e2, 2.1773e2, -2.0467e1, 6.5372e-1)
_MICROBARN: Final = 1e-28 * 1e-6 * 1e6  # [mm^2]
_PAIR_FIT: Final = (1.5, 80e3)  # where the fit holds, [MeV]


def pair_production(energy: FloatArray, material: Material) -> FloatArray:
    """Pair production in the field of nucleus and electrons per path, [1/mm].

    The fit of Geant4's Bethe-Heitler model to the tables of Hubbell, Gimm and Overbo, within 5 % (mean 2.2 %).

    References:
        Geant4 physics reference manual, "Gamma conversion"; J. H. Hubbell et al., J. Phys. Chem. Ref. Data 9 (1980)
        1023.
    """
    threshold = 2 * ELECTRON_MASS
    low, high = _PAIR_FIT
    x = np.log(np.clip(energy, low, high) / ELECTRON_MASS)
    total = np.zeros_like(energy)
    f1, f2, f3 = (np.polynomial.polynomial.polyval(x, c) for c in (_PAIR_F1, _PAIR_F2, _PAIR_F3))
    for z, n in atoms_per_volume(material).items():
        total += n * (z + 1) * z * (f1 + f2 * z + f3 / z) * _MICROBARN
    # below 1.5 MeV as in Geant4: the square of the distance to the threshold
    rise = np.clip((energy - threshold) / (low - threshold), 0.0, 1.0) ** 2
    return np.maximum(total, 0.0) * rise
