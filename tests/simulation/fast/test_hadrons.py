"""Hadron showers: energy is conserved, collisions come at the right depth, and what is known of hadrons holds."""

from __future__ import annotations

import numpy as np
import pytest

from showercal.detectors import MATERIALS, BoxCalorimeter, Layer, Material, detector
from showercal.errors import GeometryError
from showercal.simulation import ParticleGun, parse_spectrum
from showercal.simulation._backend import Chunk, ShowerTask
from showercal.simulation.fast._backend import FastShooter, _pieces
from showercal.simulation.fast._cells import ABSORBER, ACTIVE, INVISIBLE, LEAK_BACK, LEAK_FRONT, LEAK_SIDE
from showercal.simulation.fast._grid import ENERGIES
from showercal.simulation.fast._hadron_library import (
    NEUTRON_CAPTURE,
    P_NEUTRON,
    P_PION_MINUS,
    P_PROTON,
    REST_PION,
    decode_angle,
    decode_energy,
    encode_angle,
    encode_energy,
    load_library,
)
from showercal.simulation.fast._hadron_particles import FREE_MASS
from showercal.simulation.fast._hadron_tables import build_hadrons, kinetic_of_range, range_of
from showercal.simulation.fast._options import FastOptions

PION, PROTON = 139.57039, 938.27208816  # [MeV]


def _shoot(calorimeter, particle, energy, n_events, seed=1, half_width=0.0, **options):
    task = ShowerTask(calorimeter, ParticleGun(particle, parse_spectrum(energy), half_width, half_width), seed)
    shooter = FastShooter(task, FastOptions(**options))
    blocks = [shooter(*piece) for piece in _pieces(task.entering(Chunk(0, 0, n_events)))]
    sums = np.concatenate([block.sums for block in blocks])
    cells = [(block.cell, block.energy, block.tracks) for block in blocks]
    return sums, [np.concatenate(parts) for parts in zip(*cells, strict=True)]


def _block(material, depth, width=4000.0, n_layers=10):
    layers = tuple(Layer(material, depth / n_layers) for _ in range(n_layers))
    return BoxCalorimeter("block", layers, n_x=1, n_y=1, cell_x=width, cell_y=width)


@pytest.fixture(scope="module")
def hadrons():
    return build_hadrons([MATERIALS["copper"], MATERIALS["iron"], MATERIALS["lead"], MATERIALS["plastic-scintillator"]])


@pytest.mark.parametrize(
    ("particle", "free"),
    [
        ("pi-", PION),
        ("proton", 0.0),
        ("neutron", 0.0),
        ("kaon+", 493.677),
        ("kaon0L", 497.611),
        ("anti_proton", 2 * PROTON),
    ],
)
def test_energy_is_conserved(particle, free):
    """Deposits, leakage and what nuclei and neutrinos keep are kinetic energy and free mass together, to pairs.

    Positrons are the exception: the masses of a pair are paid by a photon and come back where the positron annihilates,
    or leave with it.
    """
    sums, _ = _shoot(detector("toy-sandwich"), particle, "4", 20, birks=0.126, time_cut=150.0)
    missing = (4000 + free - sums.sum(axis=1)) / (2 * 0.51099895)
    np.testing.assert_allclose(missing, np.round(missing), atol=1e-3)
    assert np.abs(missing).mean() < 2


def test_an_event_depends_on_its_seed_alone():
    first, _ = _shoot(detector("toy-sandwich"), "pi-", "3", 12, seed=5)
    again, _ = _shoot(detector("toy-sandwich"), "pi-", "3", 12, seed=5)
    other, _ = _shoot(detector("toy-sandwich"), "pi-", "3", 12, seed=6)
    np.testing.assert_array_equal(first, again)
    assert not np.any(first[:, ACTIVE] == other[:, ACTIVE])


def test_the_lengths_of_the_particle_data_group(hadrons):
    """Nuclear interaction lengths of nucleons at 50 GeV within 6 % of the PDG's; those of pions are longer."""
    k = int(np.searchsorted(ENERGIES, 50_000))
    for m, name in enumerate(("copper", "iron", "lead", "plastic-scintillator")):
        length = MATERIALS[name].interaction_length
        inelastic = {p: hadrons.channel[p, m, ::2, k].sum() for p in (P_NEUTRON, P_PROTON, P_PION_MINUS)}
        assert 1 / inelastic[P_NEUTRON] == pytest.approx(length, rel=0.06)
        assert 1 / inelastic[P_PROTON] == pytest.approx(length, rel=0.06)
        assert 1.1 < 1 / inelastic[P_PION_MINUS] / length < 1.45


def test_pions_see_the_delta_resonance(hadrons):
    """Pions of 180 MeV on hydrogen: 200 mb for positive ones, a third of that for negative ones."""
    per_barn = 6.02214076e23 * 1e-25 * 1.032 * 10 * 1.008 / (9 * 12.0107 + 10 * 1.008) / 1.008
    hydrogen = list(MATERIALS["plastic-scintillator"].mass_fractions).index("H")
    k = int(np.searchsorted(ENERGIES, 180))
    negative, positive = hadrons.channel[:2, 3, 2 * hydrogen : 2 * hydrogen + 2, k].sum(axis=1) / per_barn
    assert positive == pytest.approx(0.2, rel=0.15)
    assert negative == pytest.approx(0.068, rel=0.25)


def test_first_collisions_are_exponential_in_depth(hadrons):
    """What crosses one interaction length of iron without any collision left behind all but its ionisation."""
    k = int(np.searchsorted(ENERGIES, 50_000))
    rate = hadrons.total[P_PION_MINUS, 1, k]
    depth = 1.0 / rate
    sums, _ = _shoot(_block("iron", depth, n_layers=5), "pi-", "50", 600, seed=2)
    loss = 50_000 + PION - sums[:, LEAK_BACK]
    untouched = np.mean((loss < 3.0 * depth) & (sums[:, INVISIBLE] == 0.0))
    # elastic scattering leaves less than an MeV with iron: it cannot be told from no collision at all
    elastic = hadrons.channel[P_PION_MINUS, 1, 1, k]
    expected = np.exp(-depth * (rate - elastic))
    assert untouched == pytest.approx(expected, abs=3 * np.sqrt(expected / 600))


def test_a_neutral_pion_is_two_photons():
    """It leaves its whole energy in a block where a charged one loses a fifth to nuclei."""
    block = _block("copper", 1500.0)
    neutral, _ = _shoot(block, "pi0", "5", 60)
    charged, _ = _shoot(block, "pi+", "5", 60)
    energy = 5000.0 + np.array([134.9768, PION])
    assert neutral[:, ACTIVE].mean() / energy[0] > 0.97
    assert neutral[:, INVISIBLE].max() == 0.0
    assert 0.6 < charged[:, ACTIVE].mean() / energy[1] < 0.93


def test_a_sandwich_compensates_too_little():
    """e/h > 1: the sandwich sees less of a pion than of an electron, and the less the lower its energy."""
    box = detector("toy-sandwich")
    seen = {}
    for particle, energy in (("e-", "10"), ("pi-", "10"), ("e-", "40"), ("pi-", "40")):
        _, (_, deposits, _) = _shoot(box, particle, energy, 800, half_width=75.0, birks=0.126, time_cut=150.0)
        seen[particle, energy] = deposits.sum() / float(energy)
    assert 0.6 < seen["pi-", "10"] / seen["e-", "10"] < 0.9
    assert 0.6 < seen["pi-", "40"] / seen["e-", "40"] < 0.95


def test_slow_neutrons_come_late():
    """Some four neutrons per GeV are captured after the cut: nuclei then give back about 8 MeV for each."""
    box = detector("toy-sandwich")
    early, _ = _shoot(box, "pi-", "10", 40, time_cut=150.0)
    ever, _ = _shoot(box, "pi-", "10", 40)
    assert early[:, INVISIBLE].mean() - ever[:, INVISIBLE].mean() > 100


def test_a_stopped_negative_pion_gives_its_mass_a_positive_one_little():
    """Captured: most of 139.6 MeV becomes nucleons and photons. Decayed: 4.1 MeV muon, the rest late or never."""
    block = _block("silicon", 600.0)
    negative, _ = _shoot(block, "pi-", "0.02", 200)
    positive, _ = _shoot(block, "pi+", "0.02", 200, time_cut=150.0)
    seen = [
        sums[:, ACTIVE].mean() + sums[:, [LEAK_SIDE, LEAK_FRONT, LEAK_BACK]].sum(axis=1).mean() - 20
        for sums in (negative, positive)
    ]
    assert 60 < seen[0] < 130
    assert 4 < seen[1] < 60


def test_ranges_are_inverse_to_energies_and_scale_with_mass(hadrons):
    for energy in (0.003, 0.5, 12.0, 300.0):
        reach = range_of(hadrons, 1, PROTON, 1.0, energy)
        assert kinetic_of_range(hadrons, 1, PROTON, 1.0, reach) == pytest.approx(energy, rel=1e-6)
        assert range_of(hadrons, 1, 2 * PROTON, 1.0, 2 * energy) == pytest.approx(2 * reach)
    water = build_hadrons([Material("water", 1.0, {"H": 0.1119, "O": 0.8881})])
    assert range_of(water, 0, PROTON, 1.0, 100.0) / 10 == pytest.approx(7.718, rel=0.02)  # NIST PSTAR, [g/cm^2]


def test_final_states_keep_their_books():
    """No collision but a capture makes energy; on average a nucleus keeps about eight MeV per nucleon that it loses."""
    library = load_library()
    states = library.final_states
    free = FREE_MASS[states.kind]
    total = np.concatenate([[0.0], np.cumsum(states.energy.astype(float) + free)])
    out = np.diff(total[states.collision_secondary])
    nucleons = np.concatenate([[0], np.cumsum(np.isin(states.kind, (12, 14)))])
    released = np.diff(nucleons[states.collision_secondary])
    n_nuclei = len(library.nuclei)
    copper = library.nuclei.index("Cu")
    for reaction, mass in ((P_PION_MINUS, PION), (P_PROTON, 0.0), (P_NEUTRON, 0.0)):
        nodes = slice(*states.first_node[reaction * n_nuclei + copper + np.arange(2)])
        for node in range(nodes.start, nodes.stop):
            energy = states.node_energy[node]
            if not 100 < energy < 5000:
                continue
            rows = slice(*states.node_collision[node : node + 2])
            lost = energy + mass - out[rows]
            assert lost.min() > -0.02 * energy - 1.0
            assert 4 < lost.mean() / max(1.0, released[rows].mean()) < 25
    (capture,) = range(*states.first_node[NEUTRON_CAPTURE * n_nuclei + copper + np.arange(2)])
    assert out[slice(*states.node_collision[capture : capture + 2])].mean() == pytest.approx(7.7, abs=0.5)
    (rest,) = range(*states.first_node[REST_PION * n_nuclei + copper + np.arange(2)])
    assert 70 < out[slice(*states.node_collision[rest : rest + 2])].mean() < 125


def test_codes_of_energies_and_angles():
    energy, angle = np.geomspace(1.1e-3, 1e6, 400), np.linspace(1e-3, np.pi, 400)
    np.testing.assert_allclose(decode_energy(encode_energy(energy)), energy, rtol=0.003)
    np.testing.assert_allclose(decode_angle(encode_angle(angle)), angle, atol=8e-4)


def test_too_many_materials_are_refused():
    many = [Material(f"iron-{k}", 7.0 + k, {"Fe": 1.0}) for k in range(9)]
    with pytest.raises(GeometryError, match="up to 8 materials; got 9: iron-0, iron-1"):
        build_hadrons(many)


def test_absorbers_hold_most():
    sums, _ = _shoot(detector("toy-sandwich"), "pi-", "20", 40)
    assert 0.6 < sums[:, ABSORBER].mean() / 20_000 < 0.95
    assert 0.005 < sums[:, ACTIVE].mean() / 20_000 < 0.02
