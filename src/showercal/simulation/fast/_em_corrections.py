"""What no short formula gives: photoelectric cross sections, and corrections to radiative loss and elastic scattering.

Tables by element and energy, interpolated linearly in logarithms of both; printed by ``docs/fit_em_tables.py`` from
Geant4 11.4's models.

References:
    D. E. Cullen, "EPICS2017", IAEA-NDS-224 (photoelectric effect); S. M. Seltzer and M. J. Berger, Atomic Data Nucl.
    Data Tables 35 (1986) 345 (radiative loss); L. Urban, CERN-OPEN-2006-077 (elastic scattering).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_ATOMIC_NUMBERS: Final = np.array([6.0, 13.0, 29.0, 50.0, 82.0])
PHOTON_ENERGIES: Final = np.array([0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0])
ELECTRON_ENERGIES: Final = np.array([0.01, 0.03, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 200.0, 1000.0])

# Per atom, [barn].
_PHOTOELECTRIC: Final = np.array(
    [
        (
            41.4,
            4.338,
            0.437,
            0.06762,
            0.02059,
            0.005395,
            0.002122,
            0.0005949,
            0.0001365,
            2.661e-05,
            7.637e-06,
            2.241e-06,
            1.01e-06,
            9.163e-08,
        ),
        (
            1145,
            138.7,
            15.69,
            2.607,
            0.8242,
            0.2238,
            0.08972,
            0.02575,
            0.006027,
            0.001184,
            0.0003425,
            9.755e-05,
            4.333e-05,
            3.879e-06,
        ),
        (
            2.26e04,
            3489,
            476.9,
            89.67,
            30.33,
            8.808,
            3.683,
            1.109,
            0.2713,
            0.05435,
            0.01547,
            0.004202,
            0.001823,
            0.0001584,
        ),
        (2.676e04, 3968, 3713, 796.4, 288.9, 90.01, 39.34, 12.52, 3.233, 0.6669, 0.1868, 0.04876, 0.02062, 0.001741),
        (4.321e04, 2.879e04, 4592, 998.8, 1809, 624.2, 291.6, 100.9, 28.44, 6.231, 1.734, 0.4349, 0.1791, 0.01461),
    ]
)
# Radiative loss of Seltzer and Berger over the screened Bethe-Heitler formula.
_RADIATIVE: Final = np.array(
    [
        (11.13, 4.4, 1.857, 1.273, 0.9467, 0.8853, 0.893, 0.9309, 0.9509, 0.9617, 0.9674, 0.974, 0.9763),
        (12.97, 5.326, 2.205, 1.481, 1.061, 0.9639, 0.9522, 0.9692, 0.9765, 0.9779, 0.9765, 0.9775, 0.9775),
        (12.55, 5.881, 2.612, 1.764, 1.231, 1.08, 1.034, 1.019, 1.008, 0.9964, 0.9869, 0.9855, 0.9849),
        (11.56, 5.944, 2.936, 2.069, 1.445, 1.234, 1.138, 1.064, 1.027, 1.004, 0.9907, 0.9873, 0.987),
        (10.34, 5.932, 3.325, 2.516, 1.838, 1.526, 1.318, 1.14, 1.063, 1.019, 0.994, 0.9828, 0.9802),
    ]
)
# First transport cross section over the screened Rutherford formula with Moliere's angle.
_ELASTIC: Final = np.array(
    [
        (0.9594, 0.9049, 0.8621, 0.8396, 0.8166, 0.8072, 0.8054, 0.8091, 0.8116, 0.8971, 0.847, 0.6628, 0.5736),
        (1.066, 0.9675, 0.9151, 0.8912, 0.8688, 0.8611, 0.8608, 0.8672, 0.8711, 0.9423, 0.8827, 0.7031, 0.6062),
        (1.384, 1.136, 1.04, 1.003, 0.9714, 0.9581, 0.9531, 0.9528, 0.9524, 0.9803, 0.9039, 0.7204, 0.6183),
        (1.843, 1.284, 1.153, 1.111, 1.072, 1.054, 1.043, 1.032, 1.026, 0.9888, 0.8931, 0.7219, 0.6168),
        (3.084, 1.521, 1.31, 1.279, 1.25, 1.229, 1.205, 1.174, 1.155, 1.001, 0.8721, 0.7166, 0.6083),
    ]
)
_BARN: Final = 1e-22  # [mm^2]


def photoelectric(energy: FloatArray, z: int) -> FloatArray:
    """Photoelectric cross section of an atom, [mm^2]; edges below 0.1 MeV are smeared by the interpolation.

    Args:
        energy: Photon energies, shape (N,), [MeV].
        z: Atomic number.
    """
    return _interpolate(energy, z, PHOTON_ENERGIES, np.log(_PHOTOELECTRIC), exponent=4.5) * _BARN


def radiative_correction(kinetic: FloatArray, z: float) -> FloatArray:
    """Factor on the bremsstrahlung of an electron of that kinetic energy, shape (N,)."""
    return _interpolate(kinetic, z, ELECTRON_ENERGIES, np.log(_RADIATIVE), exponent=0.0)


def elastic_correction(kinetic: FloatArray, z: float) -> FloatArray:
    """Factor on the inverse transport length of an electron of that kinetic energy, shape (N,)."""
    return _interpolate(kinetic, z, ELECTRON_ENERGIES, np.log(_ELASTIC), exponent=0.0)


def _interpolate(energy: FloatArray, z: float, energies: FloatArray, logs: FloatArray, exponent: float) -> FloatArray:
    """Linear in ln E, and in ln Z between the elements of the table; beyond them as Z to a power."""
    by_element = np.array([np.interp(np.log(energy), np.log(energies), row) for row in logs])
    place = np.interp(np.log(z), np.log(_ATOMIC_NUMBERS), np.arange(len(_ATOMIC_NUMBERS)))
    k = min(int(place), len(_ATOMIC_NUMBERS) - 2)
    inside = np.exp(by_element[k] + (place - k) * (by_element[k + 1] - by_element[k]))
    nearest = np.clip(z, _ATOMIC_NUMBERS[0], _ATOMIC_NUMBERS[-1])
    return np.asarray(inside * (z / nearest) ** exponent)
