"""Decays in flight and what becomes of hadrons and muons that stop."""

from __future__ import annotations

import math
from typing import Final

from showercal.simulation.fast._cells import INVISIBLE
from showercal.simulation.fast._compiled import compiled
from showercal.simulation.fast._constants import KAON_LIFETIME, MUON_LIFETIME, MUON_MASS, PION_LIFETIME
from showercal.simulation.fast._hadron_collisions import final_state
from showercal.simulation.fast._hadron_library import REST_ANTIPROTON, REST_KAON, REST_MUON, REST_PION
from showercal.simulation.fast._hadron_particles import FREE_MASS, MASS
from showercal.simulation.fast._random import azimuth, exponential, isotropic, uniform
from showercal.simulation.fast._stack import (
    ANTIPROTON,
    ELECTRON,
    KAON_LONG,
    KAON_MINUS,
    KAON_PLUS,
    KAON_SHORT,
    MUON_MINUS,
    MUON_PLUS,
    PHOTON,
    PION_MINUS,
    PION_PLUS,
    PION_ZERO,
    POSITRON,
    PROTON,
    push,
)
from showercal.simulation.fast._vectors import turn

_NEUTRINO: Final = -1
# Branching fractions (PDG 2022); the three-body decays of kaons are taken as pion and pion pair of equal energies.
_K_TO_MUON: Final = 0.6356
_K_TO_PIONS: Final = 0.2067
_KS_TO_CHARGED: Final = 0.6920


@compiled
def decay(medium, cells, stack, rng, kind, kinetic, x, y, z, ux, uy, uz, time):
    """Decay in flight; two bodies isotropic in the rest frame.

    Charged kaons: muon and neutrino, two pions, and the rest as two pions too. Long-lived kaons likewise to a charged
    pion pair. Muons: the electron's spectrum, the neutrinos invisible.
    """
    if kind == PION_ZERO:
        _two_body(cells, stack, rng, kind, PHOTON, PHOTON, kinetic, x, y, z, ux, uy, uz, time)
    elif kind in (PION_MINUS, PION_PLUS):
        muon = MUON_MINUS if kind == PION_MINUS else MUON_PLUS
        _two_body(cells, stack, rng, kind, muon, _NEUTRINO, kinetic, x, y, z, ux, uy, uz, time)
    elif kind in (KAON_MINUS, KAON_PLUS):
        if uniform(rng) < _K_TO_MUON:
            muon = MUON_MINUS if kind == KAON_MINUS else MUON_PLUS
            _two_body(cells, stack, rng, kind, muon, _NEUTRINO, kinetic, x, y, z, ux, uy, uz, time)
        else:
            pion = PION_MINUS if kind == KAON_MINUS else PION_PLUS
            _two_body(cells, stack, rng, kind, pion, PION_ZERO, kinetic, x, y, z, ux, uy, uz, time)
    elif kind == KAON_SHORT and uniform(rng) > _KS_TO_CHARGED:
        _two_body(cells, stack, rng, kind, PION_ZERO, PION_ZERO, kinetic, x, y, z, ux, uy, uz, time)
    elif kind in (KAON_SHORT, KAON_LONG):
        _two_body(cells, stack, rng, kind, PION_PLUS, PION_MINUS, kinetic, x, y, z, ux, uy, uz, time)
    else:
        _muon_decay(cells, stack, rng, kind, kinetic, x, y, z, time)


@compiled
def _mass(kind):
    return 0.0 if kind == _NEUTRINO else MASS[kind]


@compiled
def _two_body(cells, stack, rng, kind, first, second, kinetic, x, y, z, ux, uy, uz, time):
    mass, m1, m2 = MASS[kind], _mass(first), _mass(second)
    e1 = (mass * mass + m1 * m1 - m2 * m2) / (2.0 * mass)
    p = math.sqrt(max(0.0, e1 * e1 - m1 * m1))
    gamma = 1.0 + kinetic / mass
    beta_gamma = math.sqrt(kinetic * (kinetic + 2.0 * mass)) / mass
    cosine = 2.0 * uniform(rng) - 1.0
    c, s = azimuth(rng)
    for which in range(2):
        sign = 1.0 if which == 0 else -1.0
        daughter = first if which == 0 else second
        m, e = (m1, e1) if which == 0 else (m2, mass - e1)
        along = gamma * sign * p * cosine + beta_gamma * e
        across = p * math.sqrt(1.0 - cosine * cosine)
        total = gamma * e + beta_gamma * sign * p * cosine
        momentum = math.sqrt(along * along + across * across)
        if daughter == _NEUTRINO:
            cells.sums[INVISIBLE] += total
            continue
        vx, vy, vz = turn(ux, uy, uz, max(-1.0, min(1.0, along / momentum)), sign * c, sign * s)
        push(stack, daughter, max(total - m, 0.0), x, y, z, vx, vy, vz, time)


@compiled
def _muon_decay(cells, stack, rng, kind, kinetic, x, y, z, time):
    """An electron in any direction: muons that decay here have nearly stopped."""
    energy = michel_share(rng) * 0.5 * MUON_MASS
    ux, uy, uz = isotropic(rng)
    push(stack, ELECTRON if kind == MUON_MINUS else POSITRON, energy, x, y, z, ux, uy, uz, time)
    cells.sums[INVISIBLE] += kinetic + MUON_MASS - energy


@compiled
def michel_share(rng):
    """Energy of the electron of a muon that decays at rest over the largest, x: Michel's spectrum x^2 (3 - 2 x)."""
    while True:
        share = uniform(rng)
        if uniform(rng) < share * share * (3.0 - 2.0 * share):
            return share


@compiled
def stop(medium, hadrons, cells, stack, rng, slab, kind, x, y, z, time):
    """A charged particle at rest: negative ones are captured by a nucleus, positive ones decay."""
    material = medium.material[slab]
    if kind == PROTON:
        return
    if kind in (PION_PLUS, KAON_PLUS):
        lifetime = PION_LIFETIME if kind == PION_PLUS else KAON_LIFETIME
        decay(medium, cells, stack, rng, kind, 0.0, x, y, z, 0.0, 0.0, 1.0, time + lifetime * exponential(rng))
        return
    if kind == MUON_PLUS:
        _muon_decay(cells, stack, rng, kind, 0.0, x, y, z, time + MUON_LIFETIME * exponential(rng))
        return
    element = _capturing_element(hadrons, rng, material)
    ux, uy, uz = isotropic(rng)
    reaction = REST_PION
    if kind == MUON_MINUS:
        capture = hadrons.muon_capture[material, element]
        time += exponential(rng) / (capture + 1.0 / MUON_LIFETIME)
        if uniform(rng) * (capture + 1.0 / MUON_LIFETIME) > capture:
            _muon_decay(cells, stack, rng, kind, 0.0, x, y, z, time)
            return
        reaction = REST_MUON
    elif kind == KAON_MINUS:
        reaction = REST_KAON
    elif kind == ANTIPROTON:
        reaction = REST_ANTIPROTON
    final_state(
        medium,
        cells,
        stack,
        hadrons,
        rng,
        reaction,
        material,
        element,
        slab,
        0.0,
        FREE_MASS[kind],
        x,
        y,
        z,
        ux,
        uy,
        uz,
        time,
    )


@compiled
def _capturing_element(hadrons, rng, material):
    n = hadrons.n_elements[material]
    total = 0.0
    for element in range(n):
        total += hadrons.capture_weight[material, element]
    pick = uniform(rng) * total
    for element in range(n - 1):
        pick -= hadrons.capture_weight[material, element]
        if pick < 0.0:
            return element
    return n - 1
