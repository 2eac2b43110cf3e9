"""What hadrons need to know of the materials of a calorimeter, ready for compiled code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from showercal.detectors import ELEMENTS, Material
from showercal.errors import GeometryError
from showercal.simulation.fast._compiled import compiled
from showercal.simulation.fast._constants import AVOGADRO, PROTON_MASS
from showercal.simulation.fast._em_tables import energy_of_range
from showercal.simulation.fast._grid import ENERGIES, LOWEST, N_ENERGIES, place
from showercal.simulation.fast._hadron_library import (
    ATOMIC_MASS,
    HADRON_ENERGIES,
    N_PROJECTILES,
    NEUTRON_ENERGIES,
    Library,
    load_library,
)
from showercal.simulation.fast._ionisation import IONISATION, build_ionisation, restricted_loss
from showercal.simulation.fast._medium import MAX_MATERIALS
from showercal.simulation.fast._random import uniform
from showercal.simulation.fast._records import new_record

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Neutrons up to 16 MeV have tables on the common grid moved down by this factor, 7.5e-9 MeV to 16 MeV.
SLOW_SCALE: Final = 2.0**20
SLOW_LIMIT: Final = ENERGIES[-1] / SLOW_SCALE
_PER_BARN: Final = AVOGADRO * 1e-24 / 10  # atoms per mm and barn of 1 g/cm^3 of A = 1
MAX_ELEMENTS: Final = len(ELEMENTS)
_SECONDARY: Final = np.dtype(
    [("energy", np.float32), ("cosine", np.float32), ("kind", np.uint8), ("azimuth", np.uint8)], align=True
)
# Nuclear capture of muons, Z -> rate [1/s]: T. Suzuki, D. F. Measday and J. P. Roalsvig, Phys. Rev. C 35 (1987) 2212.
_MUON_CAPTURE: Final = ((1, 6, 14, 26, 29, 82), (4.5e2, 3.88e4, 8.71e5, 4.41e6, 5.67e6, 1.345e7))


def _layout(library: Library) -> np.dtype[Any]:
    """Layout of the tables: as many nodes, collisions and secondaries as the library holds."""
    states = library.final_states
    return np.dtype(
        [
            ("n_elements", np.int64, MAX_MATERIALS),
            # which nucleus of the final states, and which element of the elastic recoils, stands for an element
            ("nucleus", np.int64, (MAX_MATERIALS, MAX_ELEMENTS)),
            ("recoil", np.int64, (MAX_MATERIALS, MAX_ELEMENTS)),
            ("mass", np.float64, (MAX_MATERIALS, MAX_ELEMENTS)),  # of its nucleus, [MeV]
            ("z", np.float64, (MAX_MATERIALS, MAX_ELEMENTS)),
            ("a", np.float64, (MAX_MATERIALS, MAX_ELEMENTS)),
            # which atom catches a negative particle that stops: atoms times Z (Fermi and Teller); hydrogen hands it on
            ("capture_weight", np.float64, (MAX_MATERIALS, MAX_ELEMENTS)),
            ("muon_capture", np.float64, (MAX_MATERIALS, MAX_ELEMENTS)),  # rate, [1/ns]
            # collisions per mm on `ENERGIES`, and those of element and process (inelastic, elastic)
            ("total", np.float64, (N_PROJECTILES, MAX_MATERIALS, N_ENERGIES)),
            ("channel", np.float32, (N_PROJECTILES, MAX_MATERIALS, 2 * MAX_ELEMENTS, N_ENERGIES)),
            # the same of slow neutrons on `ENERGIES` / SLOW_SCALE (inelastic, elastic, capture)
            ("slow_total", np.float64, (MAX_MATERIALS, N_ENERGIES)),
            ("slow_channel", np.float32, (MAX_MATERIALS, 3 * MAX_ELEMENTS, N_ENERGIES)),
            ("recoil_energies", np.float64, library.recoil_energies.shape),
            ("recoil_quantiles", np.float64, library.recoil_quantiles.shape),
            ("proton_range", np.float64, (MAX_MATERIALS, N_ENERGIES)),  # [mm]; others' follow by mass and charge
            ("cut", np.float64, MAX_MATERIALS),  # energy above which knock-on electrons are followed, [MeV]
            ("slowest_loss", np.float64, MAX_MATERIALS),  # least dE/dx, [MeV/mm]
            ("ionisation", IONISATION),
            ("first_node", np.int64, states.first_node.shape),
            ("node_energy", np.float64, states.node_energy.shape),
            ("node_collision", np.int64, states.node_collision.shape),
            ("collision_secondary", np.int64, states.collision_secondary.shape),
            ("secondary", _SECONDARY, states.kind.shape),
        ],
        align=True,
    )


def build_hadrons(materials: Sequence[Material], *, cut: float = 0.7) -> Any:
    """Tables of some materials, a record; their order is the index that the compiled functions take.

    Args:
        materials: Of the calorimeter.
        cut: Knock-on electrons of a shorter range than this are not followed, [mm].

    Raises:
        GeometryError: If there are more materials than the tables hold.
    """
    if len(materials) > MAX_MATERIALS:
        raise GeometryError(
            f"the fast simulator takes calorimeters of up to {MAX_MATERIALS} materials; got {len(materials)}: "
            f"{', '.join(material.name for material in materials)}"
        )
    library = load_library()
    hadrons = new_record(_layout(library))
    ionisation = build_ionisation(materials)
    for name in IONISATION.names or ():
        hadrons.ionisation[name][:] = ionisation[name]
    for i, material in enumerate(materials):
        _fill_material(hadrons, i, material, library)
        loss = np.array([restricted_loss(ionisation, i, PROTON_MASS, t, np.inf, True) for t in ENERGIES])
        hadrons.proton_range[i] = _range(loss)
        hadrons.slowest_loss[i] = loss.min()
        hadrons.cut[i] = energy_of_range(cut, material)
    hadrons.recoil_energies[:] = library.recoil_energies
    hadrons.recoil_quantiles[:] = library.recoil_quantiles
    states = library.final_states
    for name in ("first_node", "node_energy", "node_collision", "collision_secondary"):
        hadrons[name][:] = getattr(states, name)
    for name in _SECONDARY.names or ():
        hadrons.secondary[name] = getattr(states, name)
    return hadrons


def _fill_material(hadrons: Any, i: int, material: Material, library: Library) -> None:
    """Elements and cross sections of material i."""
    hadrons.n_elements[i] = len(material.mass_fractions)
    for e, (symbol, fraction) in enumerate(material.mass_fractions.items()):
        element = ELEMENTS[symbol]
        hadrons.z[i, e], hadrons.a[i, e] = element.z, element.a
        hadrons.mass[i, e] = element.a * ATOMIC_MASS
        hadrons.nucleus[i, e] = _nearest(symbol, library.nuclei)
        hadrons.recoil[i, e] = _nearest(symbol, library.recoil_elements)
        hadrons.capture_weight[i, e] = fraction / element.a * element.z * (symbol != "H")
        capture = np.interp(np.log(element.z), np.log(_MUON_CAPTURE[0]), np.log(_MUON_CAPTURE[1]))
        hadrons.muon_capture[i, e] = np.exp(capture) * 1e-9
        atoms = _PER_BARN * material.density * fraction / element.a
        row = library.elements.index(symbol)
        for process in range(2):
            for p in range(N_PROJECTILES):
                sigma = np.interp(ENERGIES, HADRON_ENERGIES, library.cross_sections[p, process, row])
                hadrons.channel[p, i, 2 * e + process] = atoms * sigma
        for process in range(3):
            sigma = library.neutron_cross_sections[process, row]
            hadrons.slow_channel[i, 3 * e + process] = atoms * np.interp(ENERGIES / SLOW_SCALE, NEUTRON_ENERGIES, sigma)
    hadrons.total[:, i] = hadrons.channel[:, i].sum(axis=1)
    hadrons.slow_total[i] = hadrons.slow_channel[i].sum(axis=0)


def _nearest(symbol: str, among: tuple[str, ...]) -> int:
    """The element nearest in ln A; hydrogen only for itself."""
    if symbol == "H":
        return among.index("H")
    heavy = [s for s in among if s != "H"]
    best = min(heavy, key=lambda s: abs(math.log(ELEMENTS[s].a / ELEMENTS[symbol].a)))
    return among.index(best)


def _range(loss: FloatArray) -> FloatArray:
    """Range by the trapezium rule; below the grid dE/dx goes as 1/velocity, so the range there is 2/3 T/(dE/dx)."""
    steps = np.diff(ENERGIES) * 0.5 * (1 / loss[1:] + 1 / loss[:-1])
    return np.asarray(2 / 3 * LOWEST / loss[0] + np.concatenate([[0.0], np.cumsum(steps)]))


@compiled
def range_of(hadrons, material, mass, charge2, kinetic):
    """Range by ionisation, [mm]: that of a proton of the same velocity, times mass over charge squared."""
    t = kinetic * PROTON_MASS / mass
    scale = mass / (PROTON_MASS * charge2)
    if t < LOWEST:
        return scale * hadrons.proton_range[material, 0] * (t / LOWEST) ** 1.5
    k, f = place(t)
    low = hadrons.proton_range[material, k]
    return scale * (low + f * (hadrons.proton_range[material, k + 1] - low))


@compiled
def kinetic_of_range(hadrons, material, mass, charge2, distance):
    """Kinetic energy of a range, [MeV]; the inverse of `range_of`."""
    r = distance * PROTON_MASS * charge2 / mass
    if r <= 0.0:
        return 0.0
    shortest = hadrons.proton_range[material, 0]
    if r < shortest:
        return mass / PROTON_MASS * LOWEST * (r / shortest) ** (2.0 / 3.0)
    low, high = 0, N_ENERGIES - 1
    while high - low > 1:
        middle = (low + high) >> 1
        if hadrons.proton_range[material, middle] <= r:
            low = middle
        else:
            high = middle
    start = hadrons.proton_range[material, low]
    f = min(1.0, (r - start) / (hadrons.proton_range[material, high] - start))
    return mass / PROTON_MASS * (ENERGIES[low] + f * (ENERGIES[high] - ENERGIES[low]))


@compiled
def ion_length(hadrons, material, z, a, kinetic):
    """Path on which a slow nucleus stops, [mm]: T / (dE/dx) at half its energy, from protons by the effective charge.

    References:
        L. C. Northcliffe, Annu. Rev. Nucl. Sci. 13 (1963) 67: z_eff = z (1 - exp(-125 beta z^(-2/3))).
    """
    per_nucleon = 0.5 * kinetic / a
    beta = math.sqrt(2.0 * per_nucleon / 931.5)
    effective = 1.0 if z < 1.5 else z * (1.0 - math.exp(-125.0 * beta * z ** (-2.0 / 3.0)))
    # a proton's dE/dx from its range: dR/dT, by the form R ~ T^1.5 of slow ones and the table's slope of fast ones
    k, _ = place(per_nucleon)
    if per_nucleon < LOWEST:
        slope = 1.5 * hadrons.proton_range[material, 0] / LOWEST * math.sqrt(per_nucleon / LOWEST)
    else:
        step = hadrons.proton_range[material, k + 1] - hadrons.proton_range[material, k]
        slope = step / (ENERGIES[k + 1] - ENERGIES[k])
    return kinetic * slope / (effective * effective)


@compiled
def collision_rate(hadrons, projectile, material, k, f):
    """Collisions per mm of a projectile in a material, at a place of the grid."""
    low = hadrons.total[projectile, material, k]
    return low + f * (hadrons.total[projectile, material, k + 1] - low)


@compiled
def choose_channel(hadrons, rng, projectile, material, k):
    """(element, process) of a collision at a point of the grid; inelastic 0, elastic 1."""
    pick = uniform(rng) * hadrons.total[projectile, material, k]
    last = 2 * hadrons.n_elements[material] - 1
    for channel in range(last):
        pick -= hadrons.channel[projectile, material, channel, k]
        if pick < 0.0:
            return channel // 2, channel % 2
    return last // 2, last % 2


@compiled
def slow_rate(hadrons, material, k, f):
    """Collisions per mm of a slow neutron, at a place of the slow grid."""
    low = hadrons.slow_total[material, k]
    return low + f * (hadrons.slow_total[material, k + 1] - low)


@compiled
def choose_slow_channel(hadrons, rng, material, k):
    """(element, process) of a collision of a slow neutron; inelastic 0, elastic 1, capture 2."""
    pick = uniform(rng) * hadrons.slow_total[material, k]
    last = 3 * hadrons.n_elements[material] - 1
    for channel in range(last):
        pick -= hadrons.slow_channel[material, channel, k]
        if pick < 0.0:
            return channel // 3, channel % 3
    return last // 3, last % 3
