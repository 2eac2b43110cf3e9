"""What the GFLASH parametrisation needs to know of a calorimeter, slab by slab, and its constants fitted to Geant4."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from showercal.detectors import ELEMENTS, BoxCalorimeter, Material
from showercal.simulation.fast._medium import MAX_SLABS
from showercal.simulation.fast._records import new_record

FloatArray = NDArray[np.float64]

_WINDOW: Final = 20.0  # a shower feels the mean material of this depth behind its start, [X0]
_THIN: Final = 0.3  # an active slab thinner than this, between absorbers, is crossed track by track, [X0]
_QUANTILES: Final = 512


class GflashConstants(NamedTuple):
    """Constants that the publication does not give, fitted to Geant4 by ``docs/fit_gflash.py``.

    Attributes:
        shift_maximum, shift_alpha: Added to T and alpha in sampling calorimeters, times ln(E_c / 8.9 MeV): lead needs
            nothing, showers in brass and copper are deeper and longer than published.
        response: Factor on the published e/mip.
        width_maximum, width_alpha: Factors on the published sigma(ln T) and sigma(ln alpha).
        pairs: Share of crossings that come two at a time, from a photon's conversion just in front of the layer.
        compton: Electrons that photons free per crossing, per g/cm2 of the active layer and per t / T + 0.3: photons
            outlive the tracks.
        albedo: Electrons in the first layer that come from behind, per sqrt(E / E_c).
    """

    shift_maximum: float = 0.279
    shift_alpha: float = 0.3
    response: float = 0.998
    width_maximum: float = 1.08
    width_alpha: float = 1.14
    pairs: float = 0.366
    compton: float = 1.5
    albedo: float = 0.077


FITTED: Final = GflashConstants()


# A calorimeter for `gflash_shower`; fields of shape MAX_SLABS are per slab.
GFLASH: Final = np.dtype(
    [
        ("is_used", np.int8),  # whether showers are parametrised at all
        ("has_sampled", np.int8),  # whether any slab is sampled
        ("radiation_length", np.float64, MAX_SLABS),  # [mm]
        ("rossi_loss", np.float64, MAX_SLABS),  # loss of a track at the critical energy, E_c / X0, [MeV/mm]
        ("mass", np.float64, MAX_SLABS),  # mass per area and depth, [g/cm2 per mm]
        ("own_energy", np.float64, MAX_SLABS),  # critical energy of the slab's own material, [MeV]
        ("is_sampled", np.int8, MAX_SLABS),  # a thin active slab in a calorimeter with absorbers
        ("e_over_mip", np.float64, MAX_SLABS),  # visible energy of a shower over that of a muon with the same deposit
        ("z", np.float64, MAX_SLABS),  # of the mean material over the next 20 X0, with its critical energy [MeV] ...
        ("critical_energy", np.float64, MAX_SLABS),
        ("moliere_radius", np.float64, MAX_SLABS),  # ... Molière radius [mm]
        ("mean_radiation_length", np.float64, MAX_SLABS),  # ... and X0 [mm]
        ("typical_e_over_mip", np.float64, MAX_SLABS),  # published e/mip of the sampled layers over the next 20 X0
        ("crossing_length", np.float64, MAX_SLABS),  # mean path of a track that enters, over the thickness
        ("compton_energy", np.float64, MAX_SLABS),  # mean energy of an electron that a photon frees, [MeV]
        ("compton_yield", np.float64, MAX_SLABS),  # number of these per crossing and t / T + 0.3, per g/cm2
        # at even steps of probability: energy of a track that enters over rossi_loss times thickness, ...
        ("crossing_quantiles", np.float64, _QUANTILES),
        ("compton_quantiles", np.float64, _QUANTILES),  # ... energy of an electron that a photon frees over its mean
        *((name, np.float64) for name in GflashConstants._fields),
    ],
    align=True,
)


# Energies of tracks in scintillator behind brass, from Geant4's sandwich, layers 1-5 (docs/fit_gflash.py tracks):
# cumulative probability; track that enters, over E_c / X0 times thickness; electron freed by a photon, over its mean.
# The same within errors for 5 mm behind 15 mm of copper.
_PROBABILITY: Final = (
    0, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975,
    0.99, 0.997, 1,
)  # fmt: skip
_CROSSING: Final = (
    0, 0, 0.154, 0.501, 0.641, 0.660, 0.685, 0.707, 0.745, 0.787, 0.837, 0.906, 1.005, 1.080, 1.193, 1.423, 1.839,
    2.142, 2.619, 3.439, 4.647, 6.650, 8.5,
)  # fmt: skip
_COMPTON: Final = (
    0, 0.0062, 0.0135, 0.0254, 0.0379, 0.0529, 0.0842, 0.120, 0.197, 0.294, 0.421, 0.590, 0.871, 1.080, 1.396, 1.868,
    2.377, 3.020, 3.900, 5.711, 8.481, 12.35, 16.0,
)  # fmt: skip
STRAIGHT: Final = 0.7  # of a straight track, minimum ionising
MEAN_CROSSING: Final = 1.09


def build_gflash(calorimeter: BoxCalorimeter, constants: GflashConstants = FITTED) -> Any:
    """Tables of a calorimeter, a record of layout `GFLASH`.

    Args:
        calorimeter: A box.
        constants: Other values than the fitted ones, for a fit.
    """
    slabs = [
        (calorimeter.material(name), thickness, is_active)
        for layer in calorimeter.layers
        for name, thickness, is_active in (
            (layer.active, layer.active_thickness, True),
            (layer.absorber, layer.absorber_thickness, False),
        )
        if name is not None
    ]
    of_slab = [material for material, _, _ in slabs]
    thickness = np.array([one for _, one, _ in slabs])
    is_absorber = np.array([not is_active for _, _, is_active in slabs])
    x0 = np.array([m.radiation_length for m in of_slab])
    mass = np.array([m.density / 10 for m in of_slab])
    own_energy = np.array([m.critical_energy for m in of_slab])
    own_z = np.array([_mean_z(m) for m in of_slab])
    depth = np.concatenate([[0.0], np.cumsum(thickness / x0)])
    is_sampled = ~is_absorber & np.any(is_absorber) & (thickness / x0 < _THIN)

    n_slabs = len(thickness)
    z, energy, radius, mean_x0, absorber_z, typical = (np.empty(n_slabs) for _ in range(6))
    for k in range(n_slabs):
        near = _window(depth, k)
        weight = (mass * thickness)[near]
        # PDG eq. 34.38 and the publication's eqs. for sampling calorimeters: means by mass, lengths by density
        z[k] = np.sum(weight * own_z[near]) / weight.sum()
        steps = (thickness / x0)[near]
        energy[k] = np.sum(steps * own_energy[near]) / steps.sum()
        mean_x0[k] = thickness[near].sum() / steps.sum()
        radius[k] = 21.2052 * thickness[near].sum() / np.sum(steps * own_energy[near])
        absorbers = near & is_absorber
        absorber_z[k] = np.average(own_z[absorbers], weights=(mass * thickness)[absorbers]) if absorbers.any() else z[k]
        sampled = near & is_sampled
        typical[k] = _e_over_mip(absorber_z[k], own_z[sampled].mean()) if sampled.any() else 1.0
    sampled_z = np.where(is_sampled, absorber_z, own_z)
    e_over_mip = np.where(is_sampled, constants.response * _e_over_mip(sampled_z, own_z), 1.0)
    area = mass * thickness
    relative_z = sampled_z / 29
    tables = new_record(GFLASH)
    tables.is_used, tables.has_sampled = True, is_sampled.any()
    per_slab = {
        "radiation_length": x0,
        "rossi_loss": own_energy / x0,
        "mass": mass,
        "own_energy": own_energy,
        "is_sampled": is_sampled,
        "e_over_mip": e_over_mip,
        "z": z,
        "critical_energy": energy,
        "moliere_radius": radius,
        "mean_radiation_length": mean_x0,
        "typical_e_over_mip": typical,
        # measured in Geant4: 1.10 behind brass (0.38 g/cm2), 1.08 copper (0.52), 1.20 lead (0.52), 1.27 lead (0.56),
        # 1.77 tungsten (0.12): thin layers see the slant tracks whole, high Z makes more of them
        "crossing_length": 1.0 + 0.08 * relative_z * (0.516 / area) ** 0.8,
        # measured: 0.15 MeV behind brass, 0.3 behind lead, which absorbs the softer photons and leaves fewer
        "compton_energy": 0.146 * relative_z**0.7,
        "compton_yield": constants.compton * relative_z**-0.3,
    }
    for name, values in per_slab.items():
        tables[name][:n_slabs] = values
    tables.crossing_quantiles[:] = _even(_CROSSING)
    tables.compton_quantiles[:] = _normalised(_even(_COMPTON))
    for name, value in constants._asdict().items():
        tables[name] = value
    return tables


def _mean_z(material: Material) -> float:
    """Z of a compound by mass fractions, as in the publication."""
    return sum(w * ELEMENTS[s].z for s, w in material.mass_fractions.items())


def _e_over_mip(absorber_z: FloatArray | float, active_z: FloatArray | float) -> FloatArray | float:
    """The publication's estimate of e/mip, 1 / (1 + 0.007 (Z_passive - Z_active))."""
    return 1 / (1 + 0.007 * (absorber_z - active_z))


def _window(depth: FloatArray, slab: int) -> NDArray[np.bool_]:
    """The slabs that a shower from this one sees; near the end the last ones in front of it count too."""
    start = min(depth[slab], max(0.0, depth[-1] - _WINDOW))
    return np.asarray((depth[1:] > start) & (depth[:-1] < start + _WINDOW))


def _even(quantiles: tuple[float, ...]) -> FloatArray:
    """Quantiles at the middles of even steps of probability."""
    return np.interp((np.arange(_QUANTILES) + 0.5) / _QUANTILES, _PROBABILITY, quantiles)


def _normalised(quantiles: FloatArray) -> FloatArray:
    return np.asarray(quantiles / quantiles.mean())
