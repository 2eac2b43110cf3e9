"""Collisions of hadrons with nuclei: final states drawn from the library, elastic recoils."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from showercal.simulation.fast._cells import INVISIBLE, NO_TRACK, deposit_point
from showercal.simulation.fast._compiled import compiled
from showercal.simulation.fast._hadron_library import DEUTERON, N_QUANTILES, N_REACTIONS, REST_PION
from showercal.simulation.fast._hadron_nuclei import leave_nucleus, stop_nucleus
from showercal.simulation.fast._hadron_particles import FREE_MASS
from showercal.simulation.fast._random import uniform
from showercal.simulation.fast._stack import PION_MINUS, PROTON, push
from showercal.simulation.fast._vectors import turn

# Secondaries above this kinetic energy, or above this share of the projectile's, take part when a final state is moved
# to another energy; the slow ones come out of the excited nucleus and know nothing of the projectile.
_FAST: Final = 30.0  # [MeV]
_FAST_SHARE: Final = 0.1
_STRETCH: Final = 3.0  # beyond which all secondaries are scaled alike
COSINES: Final = np.cos(2 * np.pi * (np.arange(256) + 0.5) / 256)
SINES: Final = np.sin(2 * np.pi * (np.arange(256) + 0.5) / 256)
# Recoils below the production threshold of Geant4 (0.7 mm: 0.07 MeV) are left with the neutron's step there.
_RECOIL_TRACK: Final = 0.07
_SHORT_PROTON: Final = 0.5  # a recoil proton that stops within micrometres is not put on the stack, [MeV]


@compiled
def new_track(rng):
    """A number of a track of its own for a nucleus that is followed at once: none of those that the engine deals."""
    return -2 - int(uniform(rng) * 1e15)


@compiled
def _choose_node(hadrons, rng, reaction, nucleus, kinetic):
    """A node of the library near an energy, in proportion to the nearness; -1 where there is none."""
    n_nuclei = (hadrons.first_node.shape[0] - 1) // N_REACTIONS
    key = reaction * n_nuclei + nucleus
    first, end = hadrons.first_node[key], hadrons.first_node[key + 1]
    if first == end:
        return -1
    if kinetic <= hadrons.node_energy[first] or first + 1 == end:
        return first
    if kinetic >= hadrons.node_energy[end - 1]:
        return end - 1
    node = first + 1
    while hadrons.node_energy[node] < kinetic:
        node += 1
    low, high = hadrons.node_energy[node - 1], hadrons.node_energy[node]
    if uniform(rng) * (high - low) > kinetic - low:
        return node - 1
    return node


@compiled
def final_state(
    medium, cells, stack, hadrons, rng, reaction, material, element, slab, kinetic, available, x, y, z, ux, uy, uz, time
):
    """Draw a final state and put its particles on the stack.

    What is fast takes all the difference between the projectile's energy and that of the node, so that the energy which
    the nucleus swallowed stays what it was.

    Args:
        kinetic: Kinetic energy of the projectile, [MeV].
        available: The same with what it brings along beside, `FREE_MASS`; what does not come out again is counted as
            invisible.
    """
    node = _choose_node(hadrons, rng, reaction, hadrons.nucleus[material, element], kinetic)
    if node < 0:
        cells.sums[INVISIBLE] += available
        return
    first_collision = hadrons.node_collision[node]
    n_collisions = hadrons.node_collision[node + 1] - first_collision
    collision = first_collision + int(uniform(rng) * n_collisions)
    first, end = hadrons.collision_secondary[collision], hadrons.collision_secondary[collision + 1]
    at = hadrons.node_energy[node]
    threshold = min(_FAST, _FAST_SHARE * at)
    fast, slow = 0.0, 0.0
    for k in range(first, end):
        if PION_MINUS <= hadrons.secondary[k].kind < DEUTERON and hadrons.secondary[k].energy > threshold:
            fast += hadrons.secondary[k].energy
        else:
            slow += hadrons.secondary[k].energy
    stretch_fast, stretch_slow = 1.0, 1.0
    if reaction < REST_PION and kinetic != at:
        if fast > 0.0:
            stretch_fast = 1.0 + (kinetic - at) / fast
        if fast == 0.0 or not 1.0 / _STRETCH < stretch_fast < _STRETCH:
            stretch_fast = kinetic / at
            stretch_slow = stretch_fast
    shift = int(uniform(rng) * 256)
    for k in range(first, end):
        kind = int(hadrons.secondary[k].kind)
        energy = float(hadrons.secondary[k].energy)
        energy *= stretch_fast if PION_MINUS <= kind < DEUTERON and energy > threshold else stretch_slow
        available -= energy + FREE_MASS[kind]
        turned = (4 * int(hadrons.secondary[k].azimuth) + shift) & 255
        vx, vy, vz = turn(ux, uy, uz, float(hadrons.secondary[k].cosine), COSINES[turned], SINES[turned])
        if kind < DEUTERON:
            push(stack, kind, energy, x, y, z, vx, vy, vz, time)
        else:
            target_z, target_a = hadrons.z[material, element], hadrons.a[material, element]
            track = new_track(rng)
            leave_nucleus(
                medium, cells, hadrons, slab, kind, energy, target_z, target_a, x, y, z, vx, vy, vz, track, time
            )
    cells.sums[INVISIBLE] += available


@compiled
def recoil_share(hadrons, rng, group, recoil, node):
    """Recoil energy over the largest possible one, by the quantiles of a node of the library."""
    u = uniform(rng) * N_QUANTILES - 0.5
    k = min(max(int(math.floor(u)), 0), N_QUANTILES - 2)
    low = hadrons.recoil_quantiles[group, recoil, node, k]
    high = hadrons.recoil_quantiles[group, recoil, node, k + 1]
    return min(max(0.0, low + (u - k) * (high - low)), 1.0)


@compiled
def recoil_node(hadrons, rng, group, kinetic):
    """The node of elastic recoils near an energy, in proportion to the nearness; -1 below the lowest."""
    node, n = 0, hadrons.recoil_energies.shape[1]
    while node < n and hadrons.recoil_energies[group, node] <= kinetic:
        node += 1
    if node in (0, n) or hadrons.recoil_energies[group, node] == math.inf:
        return node - 1
    low, high = hadrons.recoil_energies[group, node - 1], hadrons.recoil_energies[group, node]
    return node - 1 if uniform(rng) * (high - low) > kinetic - low else node


@compiled
def recoil_energy(hadrons, rng, group, recoil, mass, target, kinetic):
    """Kinetic energy of the nucleus after an elastic collision, [MeV].

    Below the lowest energy of the library isotropic in the centre of mass, above its highest with the momentum transfer
    of the highest.

    Args:
        group: 0 for pions, 1 for nucleons.
    """
    node = recoil_node(hadrons, rng, group, kinetic)
    if node < 0:
        return uniform(rng) * _largest_recoil(mass, target, kinetic)
    last = node + 1 == hadrons.recoil_energies.shape[1] or hadrons.recoil_energies[group, node + 1] == math.inf
    at = min(kinetic, hadrons.recoil_energies[group, node]) if last else kinetic
    return recoil_share(hadrons, rng, group, recoil, node) * _largest_recoil(mass, target, at)


@compiled
def _largest_recoil(mass, target, kinetic):
    momentum2 = kinetic * (kinetic + 2.0 * mass)
    return 2.0 * target * momentum2 / (mass * mass + target * target + 2.0 * target * (kinetic + mass))


@compiled
def scatter(
    medium, cells, stack, hadrons, rng, group, material, element, slab, mass, kinetic, x, y, z, ux, uy, uz, time
):
    """Elastic collision with a nucleus; returns the new (kinetic energy, direction)."""
    target = hadrons.mass[material, element]
    largest = _largest_recoil(mass, target, kinetic)
    taken = recoil_energy(hadrons, rng, group, hadrons.recoil[material, element], mass, target, kinetic)
    taken = min(taken, largest, kinetic)
    left = kinetic - taken
    before = math.sqrt(kinetic * (kinetic + 2.0 * mass))
    after = math.sqrt(left * (left + 2.0 * mass))
    recoil = math.sqrt(taken * (taken + 2.0 * target))
    cosine = 1.0
    if after > 0.0:
        cosine = min(1.0, max(-1.0, (before * before + after * after - recoil * recoil) / (2.0 * before * after)))
    turned = int(uniform(rng) * 256)
    vx, vy, vz = turn(ux, uy, uz, cosine, COSINES[turned], SINES[turned])
    rx, ry, rz = before * ux - after * vx, before * uy - after * vy, before * uz - after * vz
    leave_recoil(medium, cells, stack, hadrons, rng, material, element, slab, taken, x, y, z, rx, ry, rz, time)
    return left, vx, vy, vz


@compiled
def leave_recoil(medium, cells, stack, hadrons, rng, material, element, slab, energy, x, y, z, rx, ry, rz, time):
    """The nucleus hit by an elastic collision, along (rx, ry, rz) of any length.

    Fast protons go to the stack, all others stop where they are; what is too slow for a track of its own is deposited.
    """
    z_target, a_target = hadrons.z[material, element], hadrons.a[material, element]
    if energy <= _RECOIL_TRACK:
        deposit_point(medium, cells, slab, x, y, energy, NO_TRACK, time)
    elif a_target < 1.5 and energy > _SHORT_PROTON:
        norm = 1.0 / math.sqrt(rx * rx + ry * ry + rz * rz)
        push(stack, PROTON, energy, x, y, z, rx * norm, ry * norm, rz * norm, time)
    else:
        stop_nucleus(medium, cells, hadrons, slab, z_target, a_target, energy, x, y, z, new_track(rng), time)
