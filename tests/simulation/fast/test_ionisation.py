"""Ionisation by heavy charged particles: Bethe's formula against tables, Landau's peak, Rossi's spectrum, Highland."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit

from showercal.detectors import MATERIALS, Material
from showercal.simulation.fast._constants import ELECTRON_MASS
from showercal.simulation.fast._density_effect import density_effect
from showercal.simulation.fast._ionisation import (
    build_ionisation,
    knock_on_rate,
    largest_transfer,
    restricted_loss,
    sample_knock_on,
    sample_straggling,
    scattering_variance,
)
from showercal.simulation.fast._random import poisson, seed_state

MUON, PION, PROTON = 105.6583755, 139.57039, 938.27209
NAMES = ("iron", "copper", "lead", "PbWO4", "plastic-scintillator", "silicon", "liquid-argon")
TABLES = build_ionisation([MATERIALS[name] for name in NAMES])
INFINITE = 1e12


def loss(name: str, mass: float, kinetic: float, cut: float = INFINITE, spin_half: bool = True) -> float:
    """[MeV cm2/g]."""
    return restricted_loss(TABLES, NAMES.index(name), mass, kinetic, cut, spin_half) / MATERIALS[name].density * 10


# Minimum ionisation of muons, [MeV cm2/g]: PDG, "Atomic and nuclear properties of materials".
@pytest.mark.parametrize(
    ("name", "minimum"),
    [
        ("iron", 1.451),
        ("copper", 1.403),
        ("lead", 1.122),
        ("plastic-scintillator", 1.956),
        ("silicon", 1.664),
        ("liquid-argon", 1.508),
    ],
)
def test_minimum_ionisation_is_the_tables(name: str, minimum: float) -> None:
    lowest = min(loss(name, MUON, kinetic) for kinetic in np.geomspace(100, 1000, 200))
    assert lowest == pytest.approx(minimum, rel=0.01)


# Ionisation of muons and protons in Geant4 11.4.1 (G4EmCalculator: muIoni, hIoni of the standard electromagnetic
# physics), [MeV cm2/g], without and with a cut of 1 MeV. Its PbWO4 has I = 543 eV by Bragg, not the 601 eV of the PDG.
@pytest.mark.parametrize(
    ("name", "mass", "kinetic", "cut", "geant4"),
    [
        ("iron", MUON, 304.244, 1.0, 1.3145),
        ("iron", MUON, 9722.95, 1.0, 1.3851),
        ("iron", MUON, 304.244, INFINITE, 1.45),
        ("iron", MUON, 9722.95, INFINITE, 1.9351),
        ("iron", PROTON, 138.95, 1.0, 3.9889),
        ("iron", PROTON, 7196.86, 1.0, 1.3102),
        ("iron", PROTON, 138.95, INFINITE, 3.9889),
        ("iron", PROTON, 7196.86, INFINITE, 1.5526),
        ("lead", MUON, 304.244, 1.0, 1.0089),
        ("lead", MUON, 9722.95, 1.0, 1.1365),
        ("lead", MUON, 304.244, INFINITE, 1.1241),
        ("lead", MUON, 9722.95, INFINITE, 1.604),
        ("lead", PROTON, 138.95, 1.0, 2.8466),
        ("lead", PROTON, 7196.86, 1.0, 1.0317),
        ("lead", PROTON, 138.95, INFINITE, 2.8466),
        ("lead", PROTON, 7196.86, INFINITE, 1.2377),
        ("PbWO4", MUON, 304.244, 1.0, 1.1254),
        ("PbWO4", MUON, 9722.95, 1.0, 1.2329),
        ("PbWO4", MUON, 304.244, INFINITE, 1.2456),
        ("PbWO4", MUON, 9722.95, INFINITE, 1.721),
        ("PbWO4", PROTON, 138.95, 1.0, 3.2223),
        ("PbWO4", PROTON, 7196.86, 1.0, 1.144),
        ("PbWO4", PROTON, 138.95, INFINITE, 3.2223),
        ("PbWO4", PROTON, 7196.86, INFINITE, 1.359),
        ("plastic-scintillator", MUON, 304.244, 1.0, 1.7976),
        ("plastic-scintillator", MUON, 9722.95, 1.0, 1.7872),
        ("plastic-scintillator", MUON, 304.244, INFINITE, 1.9551),
        ("plastic-scintillator", MUON, 9722.95, INFINITE, 2.4271),
        ("plastic-scintillator", PROTON, 138.95, 1.0, 5.7083),
        ("plastic-scintillator", PROTON, 7196.86, 1.0, 1.7586),
        ("plastic-scintillator", PROTON, 138.95, INFINITE, 5.7083),
        ("plastic-scintillator", PROTON, 7196.86, INFINITE, 2.0405),
    ],
)
def test_losses_agree_with_geant4(name: str, mass: float, kinetic: float, cut: float, geant4: float) -> None:
    assert loss(name, mass, kinetic, cut) == pytest.approx(geant4, rel=0.025)


def test_loss_does_not_depend_on_the_cut_once_knock_on_electrons_are_added() -> None:
    kinetic, cuts = 20_000.0, (0.1, 1.0, 20.0)
    totals = []
    for cut in cuts:
        energy = np.geomspace(cut, largest_transfer(PION, kinetic), 2001)
        rates = [knock_on_rate(TABLES, 0, PION, kinetic, t, False) for t in energy]
        # mean transfer per path above the cut: rate integrated over the energy, and the rate at the cut times the cut
        above = np.trapezoid(rates, energy) + cut * rates[0]
        totals.append(restricted_loss(TABLES, 0, PION, kinetic, cut, False) + above)
    assert np.ptp(totals) / totals[0] < 2e-4
    assert totals[0] == pytest.approx(restricted_loss(TABLES, 0, PION, kinetic, INFINITE, False), rel=2e-4)


def test_slow_particles_lose_more_the_slower_they_are() -> None:
    values = [loss("iron", PROTON, kinetic) for kinetic in np.geomspace(1e-3, 100, 60)]
    assert np.all(np.diff(values) < 0)


@pytest.mark.parametrize("name", NAMES)
def test_density_effect_reaches_its_limit(name: str) -> None:
    """At high energy delta = 2 ln(plasma energy / I) + 2 ln(beta gamma) - 1, whatever the material (PDG eq. 34.6)."""
    material = MATERIALS[name]
    plasma = 28.816 * math.sqrt(material.density * TABLES.strength[NAMES.index(name)] / material.density / 0.01535375)
    limit = 2 * math.log(plasma / material.mean_excitation_energy) + 2 * math.log(1e6) - 1
    assert density_effect(material, np.array([1e6]))[0] == pytest.approx(limit, rel=3e-3)


def test_a_material_of_its_own_gets_a_general_density_effect() -> None:
    """The general formula meets the table of a material that has both: the loss in iron within 2 %."""
    own = build_ionisation([Material("light-iron", 7.6, {"Fe": 1.0})])
    for kinetic in (300.0, 3e3, 1e5):
        per_density = restricted_loss(own, 0, MUON, kinetic, INFINITE, True) / 7.6
        assert per_density == pytest.approx(loss("iron", MUON, kinetic) / 10, rel=0.02)


@njit
def many_losses(tables, material, mass, kinetic, cut, length, n, seed):
    """Losses in layers, with the knock-on electrons above the cut."""
    rng = np.empty(4, np.uint64)
    seed_state(rng, seed)
    mean = restricted_loss(tables, material, mass, kinetic, cut, True) * length
    rate = knock_on_rate(tables, material, mass, kinetic, cut, True) * length
    out = np.empty(n)
    soft = np.empty(n)
    for k in range(n):
        soft[k] = sample_straggling(rng, tables, material, mass, kinetic, cut, length, mean)
        out[k] = soft[k]
        for _ in range(poisson(rng, rate)):
            out[k] += sample_knock_on(rng, mass, kinetic, cut, True)[0]
    return soft, out


@pytest.mark.parametrize(("name", "length"), [("PbWO4", 3.75), ("plastic-scintillator", 3.7), ("silicon", 0.3)])
@pytest.mark.parametrize("cut", [0.3, 1.0])
def test_layers_show_landaus_peak(name: str, length: float, cut: float) -> None:
    """Most probable loss and width of a layer by Landau's theory, whatever the cut.

    xi (ln(2 m_e beta^2 gamma^2 xi / I^2) + 0.2 - beta^2 - delta), full width at half maximum 4.02 xi (PDG eq. 34.11).
    """
    material, kinetic = NAMES.index(name), 10_000.0
    _, losses = many_losses(TABLES, material, MUON, kinetic, cut, length, 60_000, 5)
    gamma = 1 + kinetic / MUON
    beta2 = 1 - 1 / gamma**2
    xi = TABLES.strength[material] * length / beta2
    excitation = MATERIALS[name].mean_excitation_energy * 1e-6
    delta = density_effect(MATERIALS[name], np.array([math.sqrt(gamma**2 - 1)]))[0]
    peak = xi * (math.log(2 * ELECTRON_MASS * (gamma**2 - 1) * xi / excitation**2) + 0.2 - beta2 - delta)
    counts, edges = np.histogram(losses, np.linspace(peak - 3 * xi, peak + 6 * xi, 91))
    middle = (edges[1:] + edges[:-1]) / 2
    top = np.polynomial.Polynomial.fit(middle[counts > 0.7 * counts.max()], counts[counts > 0.7 * counts.max()], 4)
    fine = np.linspace(*top.domain, 2000)
    found = fine[np.argmax(top(fine))]
    above = middle[counts > top(found) / 2]
    assert found == pytest.approx(peak, abs=0.03 * peak)
    assert 0.75 < np.ptp(above) / xi / 4.02 < 1.35  # the shells of atoms widen thin layers


@pytest.mark.parametrize(
    ("name", "mass", "kinetic", "cut", "length"),
    [
        ("PbWO4", MUON, 1e5, 1.0, 40.0),
        ("PbWO4", MUON, 1e5, 1.0, 3.75),
        ("plastic-scintillator", PION, 5e3, 0.3, 3.7),
        ("iron", PROTON, 100.0, 1.0, 0.5),
        ("lead", PROTON, 300.0, 1.0, 5.0),
    ],
)
def test_straggling_has_the_mean_and_the_width_of_the_collisions(
    name: str, mass: float, kinetic: float, cut: float, length: float
) -> None:
    """Variance s L / beta^2 (T - beta^2 T^2 / 2 T_max) of Rutherford collisions up to T."""
    material = NAMES.index(name)
    soft, _ = many_losses(TABLES, material, mass, kinetic, cut, length, 40_000, 6)
    mean = restricted_loss(TABLES, material, mass, kinetic, cut, True) * length
    energy = kinetic + mass
    beta2 = 1 - (mass / energy) ** 2
    t_max = largest_transfer(mass, kinetic)
    t = min(cut, t_max)
    variance = TABLES.strength[material] * length / beta2 * (t - beta2 * t * t / 2 / t_max)
    assert soft.min() >= 0
    assert soft.mean() == pytest.approx(mean, rel=0.01)
    assert soft.std() == pytest.approx(math.sqrt(variance), rel=0.15)


@njit
def many_knock_ons(mass, kinetic, cut, spin_half, n, seed):
    rng = np.empty(4, np.uint64)
    seed_state(rng, seed)
    out = np.empty((n, 2))
    for k in range(n):
        out[k] = sample_knock_on(rng, mass, kinetic, cut, spin_half)
    return out


@pytest.mark.parametrize(("mass", "kinetic", "spin_half"), [(MUON, 5e4, True), (PION, 3e3, False), (PROTON, 1e4, True)])
def test_knock_on_electrons_have_rossis_spectrum(mass: float, kinetic: float, spin_half: bool) -> None:
    energies = many_knock_ons(mass, kinetic, 1.0, spin_half, 100_000, 3)[:, 0]
    edges = np.geomspace(1, largest_transfer(mass, kinetic), 21)
    rates = np.array([knock_on_rate(TABLES, 0, mass, kinetic, t, spin_half) for t in edges])
    expected = -np.diff(rates) / rates[0] * len(energies)
    counts = np.histogram(energies, edges)[0]
    assert counts.sum() == len(energies)
    use = expected > 10
    assert np.sum((counts - expected)[use] ** 2 / expected[use]) < 45  # 20 bins: 0.1 %


def test_knock_on_electrons_fly_as_elastic_scattering_says() -> None:
    """The struck electron and the particle share energy and momentum: the particle keeps its mass."""
    kinetic = 3000.0
    energy, momentum = kinetic + PION, math.sqrt(kinetic * (kinetic + 2 * PION))
    for transfer, cosine in many_knock_ons(PION, kinetic, 1.0, False, 200, 4):
        p = math.sqrt(transfer * (transfer + 2 * ELECTRON_MASS))
        rest2 = (energy - transfer) ** 2 - (momentum - p * cosine) ** 2 - p * p * (1 - cosine * cosine)
        assert rest2 == pytest.approx(PION**2, rel=1e-6)


def test_scattering_adds_up_over_steps_of_any_length() -> None:
    momentum, depth = 10_000.0, 20.0
    whole = scattering_variance(momentum, 1.0, 0.0, depth)
    ends = np.cumsum(np.geomspace(1e-3, 1, 400))
    ends *= depth / ends[-1]
    steps = sum(scattering_variance(momentum, 1.0, a, b) for a, b in zip([0.0, *ends[:-1]], ends, strict=True))
    assert steps == pytest.approx(whole, rel=1e-9)
    assert math.sqrt(whole) == pytest.approx(13.6 / momentum * math.sqrt(depth) * (1 + 0.038 * math.log(depth)))
