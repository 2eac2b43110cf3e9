"""Neutrons: from the collision that made them until they are captured, leave or are too late to be seen."""

from __future__ import annotations

import math
from typing import Final

from showercal.simulation._particles import SPEED_OF_LIGHT
from showercal.simulation.fast._cells import INVISIBLE
from showercal.simulation.fast._compiled import compiled
from showercal.simulation.fast._constants import NEUTRON_MASS
from showercal.simulation.fast._grid import place
from showercal.simulation.fast._hadron_collisions import (
    COSINES,
    SINES,
    final_state,
    leave_recoil,
    recoil_node,
    recoil_share,
    scatter,
)
from showercal.simulation.fast._hadron_library import NEUTRON_CAPTURE, P_NEUTRON
from showercal.simulation.fast._hadron_tables import (
    SLOW_LIMIT,
    SLOW_SCALE,
    choose_channel,
    choose_slow_channel,
    collision_rate,
    slow_rate,
)
from showercal.simulation.fast._photons import leave, wall_distance
from showercal.simulation.fast._random import exponential, uniform
from showercal.simulation.fast._vectors import turn

_THERMAL: Final = 2.5e-8  # [MeV]: slower than that the nuclei give back what they take
_INELASTIC: Final = 0
_ELASTIC: Final = 1


@compiled
def transport_neutron(  # noqa: PLR0912 (one loop, as for electrons)
    medium, hadrons, cells, stack, rng, slab, kinetic, x, y, z, ux, uy, uz, time
):
    """Follow a neutron through its collisions.

    Elastic ones leave a recoil (protons of hydrogen on the stack), inelastic ones a new neutron and photons on the
    stack, captures photons.
    """
    while True:
        is_slow = kinetic < SLOW_LIMIT
        k, f = place(kinetic * SLOW_SCALE if is_slow else kinetic)
        if is_slow:
            velocity = SPEED_OF_LIGHT * math.sqrt(2.0 * kinetic / NEUTRON_MASS)
        else:
            velocity = SPEED_OF_LIGHT * math.sqrt(kinetic * (kinetic + 2.0 * NEUTRON_MASS)) / (kinetic + NEUTRON_MASS)
        path = exponential(rng)
        while True:
            material = medium.material[slab]
            rate = _rate(hadrons, material, is_slow, k, f)
            distance, wall = wall_distance(medium, slab, x, y, z, ux, uy, uz)
            length = path / rate
            if length < distance:
                break
            if leave(medium, cells, slab, wall, kinetic):
                return
            path -= distance * rate
            x, y = x + distance * ux, y + distance * uy
            time += distance / velocity
            slab += wall
            z = medium.z_low[slab] if wall > 0 else medium.z_high[slab]
        x, y, z = x + length * ux, y + length * uy, z + length * uz
        time += length / velocity
        if time > medium.time_cut:
            cells.sums[INVISIBLE] += kinetic
            return
        if is_slow:
            element, process = choose_slow_channel(hadrons, rng, material, k)
        else:
            element, process = choose_channel(hadrons, rng, P_NEUTRON, material, k)
        if process == _ELASTIC:
            if not is_slow:
                kinetic, ux, uy, uz = scatter(
                    medium,
                    cells,
                    stack,
                    hadrons,
                    rng,
                    1,
                    material,
                    element,
                    slab,
                    NEUTRON_MASS,
                    kinetic,
                    x,
                    y,
                    z,
                    ux,
                    uy,
                    uz,
                    time,
                )
            elif kinetic > _THERMAL:
                kinetic, ux, uy, uz = _scatter_slow(
                    medium, cells, stack, hadrons, rng, material, element, slab, kinetic, x, y, z, ux, uy, uz, time
                )
            else:
                uz = 2.0 * uniform(rng) - 1.0
                sine = math.sqrt(1.0 - uz * uz)
                angle = 2.0 * math.pi * uniform(rng)
                ux, uy = sine * math.cos(angle), sine * math.sin(angle)
            kinetic = max(kinetic, _THERMAL)
        else:
            reaction = P_NEUTRON if process == _INELASTIC else NEUTRON_CAPTURE
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
                kinetic,
                kinetic,
                x,
                y,
                z,
                ux,
                uy,
                uz,
                time,
            )
            return


@compiled
def _scatter_slow(medium, cells, stack, hadrons, rng, material, element, slab, kinetic, x, y, z, ux, uy, uz, time):
    """Elastic collision without relativity; returns the new (kinetic energy, direction)."""
    node = -1 if kinetic < hadrons.recoil_energies[1, 0] else recoil_node(hadrons, rng, 1, kinetic)
    share = uniform(rng)
    if node >= 0:
        share = recoil_share(hadrons, rng, 1, hadrons.recoil[material, element], node)
    ratio = hadrons.mass[material, element] / NEUTRON_MASS
    taken = share * 4.0 * ratio / ((1.0 + ratio) * (1.0 + ratio)) * kinetic
    cosine = 1.0 - 2.0 * share
    norm = 1.0 + ratio * ratio + 2.0 * ratio * cosine
    cosine = min(1.0, (1.0 + ratio * cosine) / math.sqrt(norm)) if norm > 1e-12 else 0.0
    turned = int(uniform(rng) * 256)
    vx, vy, vz = turn(ux, uy, uz, cosine, COSINES[turned], SINES[turned])
    left = max(kinetic - taken, 0.0)
    before, after = math.sqrt(kinetic), math.sqrt(left)
    rx, ry, rz = before * ux - after * vx, before * uy - after * vy, before * uz - after * vz
    leave_recoil(medium, cells, stack, hadrons, rng, material, element, slab, taken, x, y, z, rx, ry, rz, time)
    return left, vx, vy, vz


@compiled
def _rate(hadrons, material, is_slow, k, f):
    if is_slow:
        return slow_rate(hadrons, material, k, f)
    return collision_rate(hadrons, P_NEUTRON, material, k, f)
