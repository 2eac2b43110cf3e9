"""Tables of electrons, positrons and photons by material and energy, from which the cascade reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from showercal.detectors import Material
from showercal.simulation.fast import _em_cross_sections as sections
from showercal.simulation.fast._compiled import inlined
from showercal.simulation.fast._grid import ENERGIES, N_ENERGIES
from showercal.simulation.fast._medium import MAX_MATERIALS
from showercal.simulation.fast._records import new_record
from showercal.simulation.fast._stack import ELECTRON, POSITRON

FloatArray = NDArray[np.float64]

# Columns of `EM_TABLES`'s electron.
LOSS: Final = 0  # continuous loss: collisions and photons below the cuts, [MeV/mm]
RANGE: Final = 1  # the longest path: until all is lost continuously, [mm]
RATE: Final = 2  # all discrete processes, [1/mm]
BREMS: Final = 3  # share of bremsstrahlung in the rate
KNOCK_ON: Final = 4  # share of bremsstrahlung and knock-on; the rest is annihilation
SCATTER: Final = 5  # inverse transport length, [1/mm]
HARDNESS: Final = 6  # strength of single collisions over the mean of all, `single_scattering`; 0 to leave them out
MOST: Final = 7  # their largest (1 - cos) / 2
# Columns of `EM_TABLES`'s photon.
ATTENUATION: Final = 0  # [1/mm]
PAIR: Final = 1  # share of pair production
COMPTON: Final = 2  # share of pair production and Compton scattering; the rest is the photoelectric effect

# Fitted to Geant4 electrons (docs/fast_simulation.md). In layers: scattering, against the exact mean, without hard
# collisions.
_SCATTERING_FIT: Final = 1.15
# In blocks, with hard collisions and no factor: lateral shift within a step, against the exact one. Geant4 shifts
# particles no further than the nearest wall of a cell.
_DISPLACEMENT_FIT: Final = 0.5
# Also fitted: collision loss of electrons in absorbers, against 1 in active material.
_ABSORBER_STOPPING_FIT: Final = 0.968
_PHOTON_CUT_LEAST: Final = 0.03  # [MeV]
_PHOTON_CUT_MOST: Final = 1.0
_PHOTON_CUT_FROM: Final = 100.0
_PHOTON_CUT_RISE: Final = 0.01  # per MeV above that
_BETHE_LOWEST: Final = 1e-3  # [MeV], where integrals of the range begin


# Tables of M materials on the energies of `ENERGIES`, N.
EM_TABLES: Final = np.dtype(
    [
        # electron and positron; columns LOSS to MOST
        ("electron", np.float64, (2, MAX_MATERIALS, N_ENERGIES, 8)),
        ("photon", np.float64, (MAX_MATERIALS, N_ENERGIES, 3)),  # columns ATTENUATION to COMPTON
        ("displacement", np.float64),  # lateral shift within a step, against the exact one
        ("electron_cut", np.float64, MAX_MATERIALS),  # knock-on electrons are followed from this kinetic energy, [MeV]
        ("screening", np.float64, (MAX_MATERIALS, 3)),  # 136 m / Z^(1/3) [MeV], 4/3 ln Z, 4 f(Z)
        ("collision_strength", np.float64, MAX_MATERIALS),  # 2 pi r_e^2 m n_e, [MeV/mm]
    ],
    align=True,
)


@inlined
def electron_value(em, kind, material, k, f, column):
    """An entry of the table of electrons or positrons at a place of the grid."""
    low = em.electron[kind, material, k, column]
    return low + f * (em.electron[kind, material, k + 1, column] - low)


@inlined
def photon_value(em, material, k, f, column):
    """An entry of the table of photons at a place of the grid."""
    low = em.photon[material, k, column]
    return low + f * (em.photon[material, k + 1, column] - low)


@inlined
def photon_cut(kinetic):
    """Photons above are radiated and followed; those below belong to the continuous loss, [MeV].

    Higher for energetic electrons, whose soft photons are many and carry little.
    """
    rise = _PHOTON_CUT_RISE * (kinetic - _PHOTON_CUT_FROM)
    return min(_PHOTON_CUT_LEAST + max(rise, 0.0), _PHOTON_CUT_MOST)


def build_em_tables(materials: Sequence[Material], is_active: Sequence[bool], *, cut: float) -> Any:
    """Tables of some materials, a record of layout `EM_TABLES`.

    Args:
        materials: In the order of the medium's materials.
        is_active: Whether a material is seen.
        cut: Production cut of electrons in range, [mm].
    """
    em = new_record(EM_TABLES)
    is_block = all(is_active)
    em.displacement = _DISPLACEMENT_FIT if is_block else 1.0
    for m, (material, seen) in enumerate(zip(materials, is_active, strict=True)):
        em.electron_cut[m] = energy_of_range(cut, material)
        for kind in (ELECTRON, POSITRON):
            em.electron[kind, m] = _charged(
                material, em.electron_cut[m], is_block=is_block, is_active=seen, positron=kind == POSITRON
            )
        em.photon[m] = _photon(material)
        cube_root, log_term = sections.screening_numbers(material)
        em.screening[m] = (
            136 * sections.ELECTRON_MASS / cube_root,
            log_term,
            4 * sections.mean_coulomb_correction(material),
        )
        em.collision_strength[m] = sections.COLLISION_CONSTANT * material.electron_density
    return em


def energy_of_range(length: float, material: Material) -> float:
    """Kinetic energy of electrons whose range is a length, [MeV]: how a production cut in range becomes an energy.

    Example:
        >>> from showercal.detectors import MATERIALS
        >>> 0.9 < energy_of_range(0.7, MATERIALS["copper"]) < 1.1  # Geant4: 1.03 MeV
        True
    """
    return float(np.interp(length, _range(material, positron=False), ENERGIES))


def _range(
    material: Material, electron_cut: float = np.inf, radiation_cut: float = np.inf, *, positron: bool
) -> FloatArray:
    """Path until all energy is lost to transfers below the cuts, on `ENERGIES`, [mm]; without cuts the usual range."""
    fine = np.concatenate([np.geomspace(_BETHE_LOWEST, ENERGIES[0], 40)[:-1], ENERGIES])
    loss = sections.collision_loss(fine, electron_cut, material, positron=positron)
    loss = loss + sections.bremsstrahlung(fine, radiation_cut, material)[1]
    # 1/loss falls slowly in ln T: trapezes in ln T of T/loss
    steps = np.diff(np.log(fine)) * (fine[1:] / loss[1:] + fine[:-1] / loss[:-1]) / 2
    start = _BETHE_LOWEST / loss[0]
    return np.concatenate([[start], start + np.cumsum(steps)])[-len(ENERGIES) :]


def _charged(material: Material, electron_cut: float, *, is_block: bool, is_active: bool, positron: bool) -> FloatArray:
    stopping = 1.0 if is_active else _ABSORBER_STOPPING_FIT
    cuts = np.array([photon_cut(energy) for energy in ENERGIES])
    hard, soft = sections.bremsstrahlung(ENERGIES, cuts, material)
    knock_on = sections.knock_on(ENERGIES, electron_cut, material, positron=positron)
    flight = sections.annihilation(ENERGIES, material) if positron else np.zeros_like(ENERGIES)
    rate = hard + knock_on + flight
    safe = np.maximum(rate, 1e-300)
    hardness, most = sections.single_scattering(ENERGIES, material)
    columns = {
        LOSS: soft + stopping * sections.collision_loss(ENERGIES, electron_cut, material, positron=positron),
        # the longest path there is: an electron that happens to radiate nothing goes further than the mean
        RANGE: _range(material, electron_cut, _PHOTON_CUT_LEAST, positron=positron),
        RATE: rate,
        BREMS: hard / safe,
        KNOCK_ON: (hard + knock_on) / safe,
        SCATTER: (1.0 if is_block else _SCATTERING_FIT) * sections.inverse_transport_length(ENERGIES, material),
        HARDNESS: hardness if is_block else np.zeros_like(hardness),
        MOST: most,
    }
    return np.stack([columns[k] for k in range(len(columns))], axis=-1)


def _photon(material: Material) -> FloatArray:
    pair = sections.pair_production(ENERGIES, material)
    compton = sections.compton(ENERGIES, material)
    total = pair + compton + sections.photoelectric_effect(ENERGIES, material)
    return np.stack([total, pair / total, (pair + compton) / total], axis=-1)
