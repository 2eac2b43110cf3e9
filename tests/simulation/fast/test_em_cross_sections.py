"""Cross sections against published numbers, and sampling against the formulae it claims to follow."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from showercal.detectors import MATERIALS, Material
from showercal.simulation.fast import _em_cross_sections as sections
from showercal.simulation.fast._electrons import _deflection
from showercal.simulation.fast._em_tables import energy_of_range
from showercal.simulation.fast._photons import compton_scatter
from showercal.simulation.fast._random import seed_state

COPPER, LEAD, CARBON = MATERIALS["copper"], MATERIALS["lead"], Material("C", 2.0, {"C": 1.0})


# Berger, Hubbell et al., XCOM (NIST 8): mass attenuation without coherent scattering, [cm2/g].
@pytest.mark.parametrize(
    ("material", "energy", "expected"),
    [
        (COPPER, 0.1, 0.4270),
        (COPPER, 1.0, 0.0589),
        (COPPER, 10.0, 0.03101),
        (LEAD, 0.5, 0.1520),
        (LEAD, 1.0, 0.0687),
        (LEAD, 10.0, 0.04971),
        (CARBON, 1.0, 0.0636),
        (CARBON, 10.0, 0.01959),
    ],
)
def test_photon_attenuation(material, energy, expected):
    grid = np.array([energy])
    total = sections.compton(grid, material) + sections.pair_production(grid, material)
    total = total + sections.photoelectric_effect(grid, material)
    assert total[0] * 10 / material.density == pytest.approx(expected, rel=0.04)


# Geant4 11.4 (Berger-Seltzer with Sternheimer's density effect; Seltzer and Berger): stopping powers, [MeV cm2/g].
@pytest.mark.parametrize(
    ("material", "energy", "collision", "radiative"),
    [
        (COPPER, 1.0, 1.263, 0.0457),
        (COPPER, 10.0, 1.437, 0.560),
        (LEAD, 1.0, 0.9945, 0.1284),
        (LEAD, 10.0, 1.200, 1.202),
        (MATERIALS["plastic-scintillator"], 1.0, 1.810, 0.01005),
    ],
)
def test_stopping_powers(material, energy, collision, radiative):
    grid = np.array([energy])
    per_mass = 10 / material.density
    loss = sections.collision_loss(grid, np.inf, material, positron=False)[0] * per_mass
    assert loss == pytest.approx(collision, rel=0.02)
    assert sections.bremsstrahlung(grid, 1e9, material)[1][0] * per_mass == pytest.approx(radiative, rel=0.02)


@pytest.mark.parametrize("positron", [False, True])
def test_a_lower_cut_moves_loss_from_continuous_to_discrete(positron):
    """d(restricted loss)/d(cut) is the cut times the rate per transfer."""
    energy, cut, step = np.array([20.0]), 0.5, 1e-4
    losses = [
        sections.collision_loss(energy, c, COPPER, positron=positron)[0] for c in (cut * (1 - step), cut * (1 + step))
    ]
    rates = [sections.knock_on(energy, c, COPPER, positron=positron)[0] for c in (cut * (1 - step), cut * (1 + step))]
    assert losses[1] - losses[0] == pytest.approx(cut * (rates[0] - rates[1]), rel=0.02)


def test_bremsstrahlung_of_high_energies_is_one_per_radiation_length():
    """dE/dx = E / X0 in the limit of full screening (PDG eq. 34.29), within the 2 % of the correction used."""
    energy = np.array([1e5])
    loss = sections.bremsstrahlung(energy, 1e9, LEAD)[1][0]
    assert loss * LEAD.radiation_length == pytest.approx(1e5, rel=0.02)


def test_pair_production_of_high_energies_is_seven_ninths():
    assert sections.pair_production(np.array([5e4]), LEAD)[0] * LEAD.radiation_length == pytest.approx(7 / 9, rel=0.03)


def test_production_cut_is_geant4s():
    assert energy_of_range(0.7, COPPER) == pytest.approx(1.034, rel=0.06)  # Geant4 11.4, by its own approximate range


@njit
def _compton(energy, n):
    rng = np.empty(4, np.uint64)
    seed_state(rng, np.uint64(5))
    after = np.empty(n)
    for k in range(n):
        after[k], _ = compton_scatter(rng, energy)
    return after


@pytest.mark.parametrize("energy", [0.1, 1.0, 30.0])
def test_compton_spectrum_is_klein_nishina(energy):
    k, n = energy / sections.ELECTRON_MASS, 40_000
    after = _compton(energy, n)
    grid = np.linspace(energy / (1 + 2 * k), energy, 2001)
    ratio = grid / energy
    t = (1 - ratio) / (k * ratio)
    density = (ratio + 1 / ratio - t * (2 - t)) / energy  # dsigma/dk'
    cumulative = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(grid))])
    cumulative /= cumulative[-1]
    distance = np.abs(np.interp(np.sort(after), grid, cumulative) - (np.arange(n) + 0.5) / n).max()
    assert distance < 1.95 / np.sqrt(n)  # Kolmogorov-Smirnov, p = 0.001


@pytest.mark.parametrize("energy", [0.3, 5.0, 100.0])
@pytest.mark.parametrize("optical", [1e-4, 0.03, 0.3])
def test_hard_collisions_leave_the_mean_deflection(energy, optical):
    """The mean of 1 - cos(theta) is 1 - exp(-s / lambda_1) with the tail and without; it narrows the core."""
    hardness, most = (float(v[0]) for v in sections.single_scattering(np.array([energy]), MATERIALS["lead"]))

    @njit
    def sample(n, hardness, most):
        rng = np.empty(4, np.uint64)
        seed_state(rng, 11)
        angle = np.empty(n)
        for k in range(n):
            angle[k] = 1.0 - _deflection(rng, optical, hardness, most)
        return angle

    soft, both = sample(200_000, 0.0, 1.0), sample(1_000_000, hardness, most)
    expected = -np.expm1(-optical)
    assert soft.mean() == pytest.approx(expected, rel=0.01)
    assert both.mean() == pytest.approx(expected, abs=4 * both.std() / 1e3 + 0.02 * expected)
    if optical < 0.01:
        assert np.median(both) < 0.95 * np.median(soft)


def test_the_nucleus_limits_single_scattering():
    """Waves shorter than a nucleus of lead, 5.4 fm, are scattered by no more than about 1 / (p R)."""
    energies = np.array([1.0, 10.0, 1000.0])
    _, most = sections.single_scattering(energies, MATERIALS["lead"])
    assert most[0] == most[1] == 1
    angle = 2 * np.sqrt(most[2])
    assert 0.5 < angle / (197.327 / 1000 / 5.4) < 2.5
