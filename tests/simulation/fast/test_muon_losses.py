"""How muons lose energy: published tables, Geant4's numbers, and the tables from which losses are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from scipy.optimize import brentq

from showercal.detectors import ELEMENTS, MATERIALS
from showercal.simulation.fast import _muon_tables as tables
from showercal.simulation.fast._constants import MUON_MASS
from showercal.simulation.fast._ionisation import build_ionisation, restricted_loss
from showercal.simulation.fast._muon_losses import (
    bremsstrahlung,
    knock_on,
    macroscopic,
    pair_production,
    photonuclear,
    radiative_correction,
    radiative_loss,
)
from showercal.simulation.fast._muon_transport import sample_transfer
from showercal.simulation.fast._random import seed_state

SPECTRA = (knock_on, bremsstrahlung, pair_production, photonuclear)
PBWO4 = MATERIALS["PbWO4"]
CUT = 1.0


# Tables of dE/dx by bremsstrahlung, pairs and nuclear interaction, [MeV cm2/g], with the same models as D. E. Groom,
# N. V. Mokhov and S. I. Striganov, Atomic Data Nucl. Data Tables 78 (2001) 183, but for the nuclear interaction: made
# with PUMAS 1.00 (V. Niess et al., Comput. Phys. Commun. 229 (2018) 54), published at github.com/niess/pumas-materials.
@pytest.mark.parametrize(
    ("name", "energy", "expected"),
    [
        ("iron", 1e5, (0.2218, 0.3158, 0.03384)),
        ("iron", 1e6, (2.863, 4.174, 0.3481)),
        ("iron", 1e7, (31.80, 45.05, 4.141)),
        ("copper", 1e5, (0.2400, 0.3427, 0.03349)),
        ("copper", 1e6, (3.094, 4.517, 0.3439)),
        ("copper", 1e7, (34.32, 48.69, 4.089)),
        ("lead", 1e5, (0.5366, 0.7905, 0.03053)),
        ("lead", 1e6, (6.861, 10.15, 0.3075)),
        ("lead", 1e7, (75.32, 108.3, 3.637)),
        ("PbWO4", 1e5, (0.4569, 0.6711, 0.03160)),
        ("PbWO4", 1e6, (5.848, 8.640, 0.3207)),
        ("PbWO4", 1e7, (64.28, 92.28, 3.801)),
    ],
)
def test_mean_losses_are_the_tables(name: str, energy: float, expected: tuple[float, float, float]) -> None:
    total = np.array([energy + MUON_MASS])
    ours = np.array([radiative_loss(spectrum, MATERIALS[name], total)[0] * total[0] for spectrum in SPECTRA[1:]])
    assert ours[0] == pytest.approx(expected[0], rel=0.012)
    assert ours[1] == pytest.approx(expected[1], rel=0.005)
    assert ours[2] == pytest.approx(expected[2], rel=0.15)  # another model
    assert ours.sum() == pytest.approx(sum(expected), rel=0.015)


# Geant4 11.4.1, G4EmCalculator: muBrems and muPairProd without a cut, [MeV cm2/g].
@pytest.mark.parametrize(
    ("name", "kinetic", "radiated", "pairs"),
    [
        ("iron", 97914.836, 0.21875, 0.30845),
        ("iron", 986050.14, 2.8435, 4.1211),
        ("iron", 9930005.8, 31.81, 44.289),
        ("lead", 97914.836, 0.52611, 0.77245),
        ("lead", 986050.14, 6.7831, 10.018),
        ("lead", 9930005.8, 75.038, 106.46),
        ("PbWO4", 97914.836, 0.44826, 0.65583),
        ("PbWO4", 986050.14, 5.7851, 8.5292),
        ("PbWO4", 9930005.8, 64.074, 90.747),
    ],
)
def test_mean_losses_are_geant4s(name: str, kinetic: float, radiated: float, pairs: float) -> None:
    energy = np.array([kinetic + MUON_MASS])
    assert radiative_loss(bremsstrahlung, MATERIALS[name], energy)[0] * energy[0] == pytest.approx(radiated, rel=1e-3)
    assert radiative_loss(pair_production, MATERIALS[name], energy)[0] * energy[0] == pytest.approx(pairs, rel=0.015)


@pytest.mark.parametrize(("name", "critical"), [("iron", 347), ("copper", 317), ("silicon", 582), ("aluminium", 612)])
def test_losses_by_radiation_and_ionisation_meet_at_the_critical_energy(name: str, critical: float) -> None:
    """Muon critical energies of the PDG's table of atomic and nuclear properties, [GeV]."""
    material, ionisation = MATERIALS[name], build_ionisation([MATERIALS[name]])

    def excess(energy: float) -> float:
        radiation = sum(radiative_loss(spectrum, material, np.array([energy]))[0] for spectrum in SPECTRA[1:])
        collisions = restricted_loss(ionisation, 0, MUON_MASS, energy - MUON_MASS, 1e12, True)
        transfer = np.geomspace(0.1, energy, 400)
        correction = radiative_correction(np.array(energy), transfer)
        spectrum = macroscopic(knock_on, material, np.array(energy), transfer) * correction / (1 + correction)
        collisions += np.trapezoid(spectrum, transfer)
        return float(radiation * energy - collisions / material.density * 10)

    assert brentq(excess, 1e5, 1e6) / 1e3 == pytest.approx(critical, rel=0.025)


def test_nothing_is_lost_beyond_the_limits() -> None:
    energy = np.array([[1e3], [1e5], [1e7]])
    for spectrum in SPECTRA:
        for transfer in (energy * 1.0001, energy * 0 + 1e-9 if spectrum is pair_production else energy * 2):
            assert np.all(spectrum(ELEMENTS["Pb"], energy, transfer) == 0), spectrum.__name__
        assert np.all(spectrum(ELEMENTS["Pb"], energy, energy * np.geomspace(1e-6, 0.999, 50)) >= 0)


@njit
def many_transfers(muons, process, k, f, n, seed):
    rng = np.empty(4, np.uint64)
    seed_state(rng, seed)
    out = np.empty(n)
    for j in range(n):
        out[j] = sample_transfer(rng, muons, 0, process, k, f)
    return out


@pytest.fixture(scope="module")
def muons():
    return tables.build_muon_tables([PBWO4], [CUT], nuclear=True)


@pytest.mark.parametrize("process", range(4))
@pytest.mark.parametrize("place", [28.0, 40.5, 51.25])
def test_transfers_follow_the_differential_cross_section(muons, process: int, place: float) -> None:
    k, f = int(place), place % 1
    kinetic = tables.LOWEST * np.exp(place / tables.PER_FOLD)
    transfers = many_transfers(muons, process, k, f, 50_000, 8)
    fine = np.geomspace(CUT, kinetic, 30 * 40 + 1)
    density = macroscopic(SPECTRA[process], PBWO4, np.array(kinetic + MUON_MASS), fine)
    pieces = (density[1:] + density[:-1]) / 2
    expected = pieces.reshape(30, 40).sum(axis=1)
    expected *= len(transfers) / expected.sum()
    counts = np.histogram(transfers, fine[::40])[0]
    use = expected > 15
    # 50,000 losses show deviations of 1 % of a bin: linear interpolation in a table adds a permille or two
    deviation = np.abs(counts - expected)[use] / np.sqrt(expected[use] + (0.015 * expected[use]) ** 2)
    assert deviation.max() < 4.5
    assert np.sqrt(np.mean(deviation**2)) < 1.4


@pytest.mark.parametrize("k", [30, 40, 50])
def test_soft_and_hard_losses_add_up_to_the_mean_loss(muons, k: int) -> None:
    kinetic = tables.ENERGIES[k]
    energy = np.array([kinetic + MUON_MASS])
    rates = np.diff(np.asarray(muons.rate)[0, k], prepend=0.0)
    soft = restricted_loss(build_ionisation([PBWO4]), 0, MUON_MASS, kinetic, CUT, True) + muons.soft[0, k]
    logarithm = np.log(tables.SHARES)
    hard = 0.0
    for process in range(4):
        transfer = CUT * np.exp(np.asarray(muons.transfer)[0, process, k])
        # between two columns ln(transfer) is linear in ln(share)
        exponent = np.diff(np.log(transfer)) / -np.diff(logarithm)
        ends = transfer * tables.SHARES
        mean = np.sum((ends[:-1] - ends[1:]) / (1 - exponent))
        hard += rates[process] * mean
    collisions = restricted_loss(build_ionisation([PBWO4]), 0, MUON_MASS, kinetic, 1e12, True)
    transfers = np.geomspace(0.1, kinetic, 2000)
    correction = radiative_correction(energy, transfers)
    with_photons = macroscopic(knock_on, PBWO4, energy, transfers) * correction / (1 + correction)
    radiation = sum(radiative_loss(s, PBWO4, energy)[0] for s in SPECTRA[1:]) * energy[0] * PBWO4.density / 10
    expected = collisions + np.trapezoid(with_photons, transfers) + radiation
    assert soft + hard == pytest.approx(expected, rel=0.005)


def test_nuclear_interactions_are_an_option() -> None:
    without = tables.build_muon_tables([PBWO4], [CUT], nuclear=False)
    rate = np.asarray(without.rate)[0]
    assert np.all(rate[:, tables.NUCLEAR] == rate[:, tables.PAIRS])
