"""Pack what `collect.py` collected into the library of collisions that the fast simulator draws from.

    GEANT4_DATA_DIR=build/g4 python docs/hadrons/pack.py build/hadrons src/showercal/simulation/fast/hadron_library.npz

Cross sections are smoothed over the elements (ln sigma quadratic in ln A, from carbon up) and, where they have no
structure, over the energies; those of neutrons are read from Geant4's own tables (G4PARTICLEXS). Secondaries are kept
as kind, kinetic energy, polar angle and azimuth in 8, 12, 12 and 6 bits.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import numpy as np
from collect import COLLISION_ENERGIES, CROSS_SECTION_ELEMENTS, FINAL_STATE_ELEMENTS
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from showercal.detectors import ELEMENTS
from showercal.simulation.fast import _hadron_library as library

_BARN: Final = 1.66053907  # A [g/mol] / lambda [g/cm^2] of a cross section of 1 barn
_PARTICLES: Final = tuple(COLLISION_ENERGIES)
_KIND_OF_PDG: Final = {
    **{11: 0, -11: 1, 22: 2, 13: 3, -13: 4, -211: 5, 211: 6, 111: 7, -321: 8, 321: 9, 130: 10, 310: 11},
    **{2212: 12, -2212: 13, 2112: 14, -2112: 15, 1000010020: 16, 1000010030: 17, 1000020030: 18, 1000020040: 19},
}
_LOWEST_PHOTON: Final = 0.01  # [MeV]: X-rays and Auger electrons stop where they start
_NUCLEON_MASS: Final = 938.92
_MASSES: Final = {"pi-": 139.57, "pi+": 139.57, "proton": 938.272, "neutron": 939.565}

# Pion interaction lengths at high energy, [g/cm^2], known to a per cent: PDG, "Atomic and nuclear properties".
_PION_LENGTHS: Final = {"C": 117.8, "Si": 137.7, "Fe": 160.8, "Cu": 165.9, "Pb": 226.2}
_PION_LENGTHS_AT: Final = 1e5  # [MeV]
_SMOOTH_PIONS: Final = 1000  # [MeV]: the resonances of pion and nucleon lie below

FloatArray = NDArray[np.float64]


def neutron_table(name: str, z: int) -> FloatArray:
    """Cross sections [barn] of neutrons on `library.NEUTRON_ENERGIES`, from Geant4's table of an element."""
    path = Path(os.environ["GEANT4_DATA_DIR"]) / "G4PARTICLEXS4.2" / "neutron" / f"{name}{z}"
    words = np.array(path.read_text(encoding="ascii").split(), dtype=np.float64)[4:]
    energy, barn = words[0::2], words[1::2] * 1e22
    table = np.interp(library.NEUTRON_ENERGIES, energy, barn, left=0.0 if name == "inel" else None)
    if name == "cap":
        below = energy[0] > library.NEUTRON_ENERGIES
        table[below] = barn[0] * np.sqrt(energy[0] / library.NEUTRON_ENERGIES[below])  # 1/v
        table[energy[-1] < library.NEUTRON_ENERGIES] = 0.0
    return np.asarray(table)


def measured(rows: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """ln A, ln E, ln of the (inelastic, elastic) cross sections [barn], shape (2, rows), and their weights."""
    mass = np.array([ELEMENTS[CROSS_SECTION_ELEMENTS[int(e)]].a for e in rows[:, 1]])
    total = _BARN * mass / rows[:, 3]
    share = np.clip(rows[:, 4], 0.5 / rows[:, 5], 1 - 0.5 / rows[:, 5])
    sigma = np.log(np.stack([total * (1 - share), total * share]))
    weight = np.sqrt(rows[:, 5] * np.stack([1 - share, share]))
    return np.log(mass), np.log(rows[:, 2]), sigma, weight


def basis(mass: FloatArray, energy: FloatArray) -> FloatArray:
    """Powers of ln A and ln E up to the second, shape (rows, 6)."""
    x, y = mass - 4, energy - 8
    return np.stack([np.ones_like(x), x, x * x, y, y * y, x * y], axis=-1)


def smooth(rows: FloatArray, energies: FloatArray) -> FloatArray:
    """ln of cross sections without structure in energy, shape (2, elements, energies); hydrogen for itself."""
    mass, energy, sigma, weight = measured(rows)
    everything = np.log([element.a for element in ELEMENTS.values()])
    found = np.empty((2, len(everything), len(energies)))
    for is_hydrogen in (False, True):
        mine = (mass < 1) == is_hydrogen
        columns = [0, 3, 4] if is_hydrogen else list(range(6))
        table = basis(mass[mine], energy[mine])[:, columns]
        for k in range(2):
            w = weight[k, mine]
            answer = np.linalg.lstsq(table * w[:, None], sigma[k, mine] * w, rcond=None)[0]
            for e in np.flatnonzero((everything < 1) == is_hydrogen):
                at = basis(np.full(len(energies), everything[e]), np.log(energies))[:, columns]
                found[k, e] = at @ answer
    return found


def fast_pions(rows: FloatArray, energies: FloatArray) -> FloatArray:
    """ln of cross sections of pions above the resonances, shape (2, elements, energies).

    A constant and a falling power of the energy: ln sigma = q(ln A) + ln(1 + exp(c(ln A)) E^-d), q and c quadratic.
    Hydrogen as in `smooth`. The PDG's lengths at high energy are points of the fit.
    """
    found = smooth(rows, energies)
    mass, energy, sigma, weight = measured(rows)
    everything = np.log([element.a for element in ELEMENTS.values()])
    heavy = mass > 1

    def model(points: FloatArray, *p: float) -> FloatArray:
        x, e = points[0] - 4, points[1] / 1000
        falling = np.exp(p[3] + p[4] * x + p[5] * x * x) * e ** -p[6]
        return np.asarray(p[0] + p[1] * x + p[2] * x * x + np.log1p(falling))

    for k in range(2):
        points, values, errors = np.stack([mass[heavy], np.exp(energy[heavy])]), sigma[k, heavy], 1 / weight[k, heavy]
        if k == 0:
            known = np.array([(ELEMENTS[symbol].a, length) for symbol, length in _PION_LENGTHS.items()])
            at = np.stack([np.log(known[:, 0]), np.full(len(known), _PION_LENGTHS_AT)])
            points = np.concatenate([points, at], axis=1)
            values = np.concatenate([values, np.log(_BARN * known[:, 0] / known[:, 1])])
            errors = np.concatenate([errors, np.full(len(known), 0.01)])
        start = (np.log(0.6), 0.7, 0.0, -1.0, -0.2, 0.0, 0.7)
        answer, _ = curve_fit(model, points, values, start, sigma=errors, maxfev=20000)
        for e in np.flatnonzero(everything > 1):
            found[k, e] = model(np.stack([np.full(len(energies), everything[e]), energies]), *answer)
    return found


def over_elements(rows: FloatArray) -> FloatArray:
    """ln of cross sections at one energy, shape (2, elements): quadratic in ln A, hydrogen for itself."""
    mass, _, sigma, weight = measured(rows)
    everything = np.log([element.a for element in ELEMENTS.values()])
    heavy = mass > 1
    found = np.empty((2, len(everything)))
    for k in range(2):
        found[k] = np.polyval(np.polyfit(mass[heavy], sigma[k, heavy], 2, w=weight[k, heavy]), everything)
        found[k, everything < 1] = sigma[k, ~heavy][0]
    return found


def cross_sections(lengths: FloatArray) -> FloatArray:
    """Shape (particles, 2, elements, `library.HADRON_ENERGIES`), [barn].

    Pions up to 850 MeV and protons up to 280 MeV from one energy to the next; above, and for the rarer hadrons, smooth
    in both ln A and ln E. Positive pions are taken as negative ones above 1 GeV, protons as neutrons above 280 MeV.
    """
    tables = np.empty((len(_PARTICLES), 2, len(ELEMENTS), len(library.HADRON_ENERGIES)))
    grid = np.asarray(library.HADRON_ENERGIES)
    pions = lengths[(lengths[:, 0] < 2) & (lengths[:, 2] >= _SMOOTH_PIONS)]
    for p, particle in enumerate(_PARTICLES):
        rows = lengths[lengths[:, 0] == p]
        if particle == "neutron":
            for e, element in enumerate(ELEMENTS.values()):
                for k, name in enumerate(("inel", "el")):
                    tables[p, k, e] = np.interp(grid, library.NEUTRON_ENERGIES, neutron_table(name, element.z))
            continue
        if particle not in ("pi-", "pi+", "proton"):
            tables[p] = np.exp(smooth(rows, np.clip(grid, rows[:, 2].min(), rows[:, 2].max())))
            continue
        energies = np.unique(rows[:, 2])
        if particle != "proton":
            energies = energies[energies < _SMOOTH_PIONS]
        sigma = np.array([over_elements(rows[rows[:, 2] == energy]) for energy in energies])
        for k in range(2):
            for e in range(len(ELEMENTS)):
                tables[p, k, e] = np.exp(np.interp(np.log(grid), np.log(energies), sigma[:, k, e]))
        if particle != "proton":
            fast = grid >= _SMOOTH_PIONS
            tables[p][..., fast] = np.exp(fast_pions(pions, grid[fast]))
    proton, neutron = _PARTICLES.index("proton"), _PARTICLES.index("neutron")
    fast = grid >= 280
    tables[proton][..., fast] = tables[neutron][..., fast]
    return tables


def recoil_quantiles(recoils: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Share of the largest possible recoil energy in elastic scattering of pions and of nucleons.

    Returns energies, shape (2, nodes) padded with infinity, and quantiles, shape (2, elements, nodes, Q).
    """
    classes = (("pi-", "pi+"), ("proton", "neutron"))
    n_nodes = 24
    energies = np.full((2, n_nodes), np.inf)
    quantiles = np.zeros((2, len(CROSS_SECTION_ELEMENTS), n_nodes, library.N_QUANTILES))
    middles = (np.arange(library.N_QUANTILES) + 0.5) / library.N_QUANTILES
    for c, names in enumerate(classes):
        mine = recoils[np.isin(recoils[:, 0], [_PARTICLES.index(n) for n in names])]
        found, counts = np.unique(mine[:, 2], return_counts=True)
        found = found[counts >= 1000]
        energies[c, : len(found)] = found
        for e, symbol in enumerate(CROSS_SECTION_ELEMENTS):
            target = ELEMENTS[symbol].a * library.ATOMIC_MASS
            for k, energy in enumerate(found):
                rows = mine[mine[:, 2] == energy]
                seen = np.unique(rows[:, 1])
                lost = rows[rows[:, 1] == seen[np.argmin(np.abs(seen - e))], 3]
                mass = _MASSES[names[0]]
                largest = library.largest_recoil(mass, target, energy)
                quantiles[c, e, k] = np.quantile(np.clip(lost / largest, 0, 1), middles)
    return energies, quantiles


def pack_collisions(found: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.generic]]:
    """Nodes sorted by particle, element and energy, and their secondaries in the same order."""
    nodes, counts = found["nodes"], found["counts"].astype(int)
    last = np.cumsum(counts)
    first_collision = np.cumsum(nodes[:, 3].astype(int)) - nodes[:, 3].astype(int)
    rows, pieces, lengths = [], [], []
    for k in np.lexsort((nodes[:, 2], nodes[:, 1], nodes[:, 0])):
        p, e, energy, n = nodes[k]
        first = int(first_collision[k])
        kept = [j for j in range(first, first + int(n)) if counts[j] > 0]
        rows.append((p, e, energy, len(kept)))
        for j in kept:
            one = found["secondaries"][last[j] - counts[j] : last[j]]
            packed = pack_secondaries(one)
            lengths.append(len(packed[0]))
            pieces.append(packed)
    kinds, energies, angles, azimuths = (np.concatenate(part) for part in zip(*pieces, strict=True))
    table = np.array(rows)
    return {
        "node_particle": table[:, 0].astype(np.int16),
        "node_element": table[:, 1].astype(np.int16),
        "node_energy": table[:, 2].astype(np.float32),
        "node_collisions": table[:, 3].astype(np.int16),
        "collision_secondaries": np.array(lengths, dtype=np.uint16),
        "kind": kinds,
        "energy": energies,
        "angle": angles,
        "azimuth": azimuths,
    }


def pack_secondaries(
    one: FloatArray,
) -> tuple[NDArray[np.uint8], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint8]]:
    """Kind, energy, polar angle and azimuth of the secondaries of a collision that a calorimeter can see."""
    kinds = np.array(
        [_KIND_OF_PDG.get(int(pdg), library.FRAGMENT if pdg > 1e9 else -1) for pdg in one[:, 0]], dtype=np.int64
    )
    kept = (kinds >= 0) & (one[:, 1] > 0) & ((kinds > 2) | (one[:, 1] > _LOWEST_PHOTON))
    one, kinds = one[kept], kinds[kept]
    return (
        kinds.astype(np.uint8),
        library.encode_energy(one[:, 1]),
        library.encode_angle(np.arccos(np.clip(one[:, 4], -1, 1))),
        np.floor((np.arctan2(one[:, 3], one[:, 2]) / (2 * np.pi) % 1) * 64).astype(np.uint8),
    )


def main() -> None:
    """Pack both files."""
    folder, target = Path(sys.argv[1]), Path(sys.argv[2])
    lengths, collisions = np.load(folder / "lengths.npz"), dict(np.load(folder / "collisions.npz"))
    energies, quantiles = recoil_quantiles(lengths["recoils"])
    neutrons = [[neutron_table(n, e.z) for e in ELEMENTS.values()] for n in ("inel", "el", "cap")]
    np.savez_compressed(
        target,
        elements=np.array(list(ELEMENTS)),
        cross_sections=cross_sections(lengths["lengths"]).astype(np.float32),
        neutron_cross_sections=np.array(neutrons, dtype=np.float32),
        recoil_elements=np.array(CROSS_SECTION_ELEMENTS),
        recoil_energies=energies,
        recoil_quantiles=quantiles.astype(np.float32),
        collision_elements=np.array(FINAL_STATE_ELEMENTS),
        **pack_collisions(collisions),
    )
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
