"""Hadrons on their way: ionisation, scattering, decay, and collisions with nuclei."""

from __future__ import annotations

import math
from typing import Final

from showercal.simulation._particles import SPEED_OF_LIGHT
from showercal.simulation.fast._cells import ABSORBER, deposit
from showercal.simulation.fast._compiled import compiled
from showercal.simulation.fast._grid import place
from showercal.simulation.fast._hadron_collisions import final_state, scatter
from showercal.simulation.fast._hadron_decays import decay, stop
from showercal.simulation.fast._hadron_library import P_KAON_LONG, P_NEUTRON, P_PROTON
from showercal.simulation.fast._hadron_nuclei import STEP_FINAL, step_limit
from showercal.simulation.fast._hadron_particles import (
    CHARGE,
    DECAY_LENGTH,
    FREE_MASS,
    IS_SPIN_HALF,
    MASS,
    PROJECTILE,
)
from showercal.simulation.fast._hadron_tables import choose_channel, collision_rate, kinetic_of_range, range_of
from showercal.simulation.fast._ionisation import (
    knock_on_rate,
    largest_transfer,
    restricted_loss,
    sample_knock_on,
    sample_straggling,
    scattering_variance,
)
from showercal.simulation.fast._medium import active_distance
from showercal.simulation.fast._neutrons import transport_neutron
from showercal.simulation.fast._photons import leave, wall_distance
from showercal.simulation.fast._random import azimuth, exponential, poisson, uniform
from showercal.simulation.fast._stack import ELECTRON, NEUTRON, PION_ZERO, push
from showercal.simulation.fast._vectors import bend, turn

_STEP_IN_ABSORBER: Final = 0.3  # of the range, so that cross sections follow the energy
_LONGEST_TURN: Final = 0.5  # widest angle of scattering of one step, [rad]
_STOPPED: Final = 1e-3  # [MeV]


@compiled
def transport_hadron(medium, hadrons, cells, stack, rng, slab, kind, kinetic, x, y, z, ux, uy, uz, time, track):
    """Follow a hadron (or a muon of a hadron shower) to its end; what it makes goes to the stack."""
    if kind == NEUTRON:
        transport_neutron(medium, hadrons, cells, stack, rng, slab, kinetic, x, y, z, ux, uy, uz, time)
    elif kind == PION_ZERO:
        decay(medium, cells, stack, rng, kind, kinetic, x, y, z, ux, uy, uz, time)
    elif CHARGE[kind] == 0.0:
        _transport_neutral(medium, hadrons, cells, stack, rng, slab, kind, kinetic, x, y, z, ux, uy, uz, time)
    else:
        _transport_charged(medium, hadrons, cells, stack, rng, slab, kind, kinetic, x, y, z, ux, uy, uz, time, track)


@compiled
def _transport_neutral(medium, hadrons, cells, stack, rng, slab, kind, kinetic, x, y, z, ux, uy, uz, time):
    """Neutral kaons and antineutrons: straight to their decay or collision."""
    mass = MASS[kind]
    while True:
        path = exponential(rng)
        k, f = place(kinetic)
        gamma_beta = math.sqrt(kinetic * (kinetic + 2.0 * mass)) / mass
        decay_rate = 1.0 / (gamma_beta * DECAY_LENGTH[kind])
        velocity = SPEED_OF_LIGHT * gamma_beta / (1.0 + kinetic / mass)
        while True:
            material = medium.material[slab]
            collisions = collision_rate(hadrons, PROJECTILE[kind], material, k, f)
            rate = collisions + decay_rate
            distance, wall = wall_distance(medium, slab, x, y, z, ux, uy, uz)
            length = path / rate
            if length < distance:
                break
            if leave(medium, cells, slab, wall, kinetic + FREE_MASS[kind]):
                return
            path -= distance * rate
            x, y = x + distance * ux, y + distance * uy
            time += distance / velocity
            slab += wall
            z = medium.z_low[slab] if wall > 0 else medium.z_high[slab]
        x, y, z = x + length * ux, y + length * uy, z + length * uz
        time += length / velocity
        if uniform(rng) * rate > collisions:
            decay(medium, cells, stack, rng, kind, kinetic, x, y, z, ux, uy, uz, time)
            return
        kinetic, ux, uy, uz = collide(
            medium, hadrons, cells, stack, rng, slab, kind, kinetic, x, y, z, ux, uy, uz, time
        )
        if kinetic <= 0.0:
            return


@compiled
def _transport_charged(  # noqa: PLR0912, PLR0915 (one loop, as for electrons)
    medium, hadrons, cells, stack, rng, slab, kind, kinetic, x, y, z, ux, uy, uz, time, track
):
    """Steps to the next wall, collision or share of the range, with multiple scattering half way along.

    In an absorber a particle whose range ends before the nearest active material is not followed in steps: it collides
    or stops.
    """
    mass, charge, projectile, is_spin_half = MASS[kind], CHARGE[kind], PROJECTILE[kind], IS_SPIN_HALF[kind]
    free_paths = exponential(rng)
    depth = 0.0  # traversed so far, in X0
    while True:
        material = medium.material[slab]
        is_active = medium.layer[slab] >= 0
        reach = range_of(hadrons, material, mass, 1.0, kinetic)
        momentum = math.sqrt(kinetic * (kinetic + 2.0 * mass))
        beta = momentum / (kinetic + mass)
        collisions = 0.0
        if projectile >= 0:
            k, f = place(kinetic)
            collisions = collision_rate(hadrons, projectile, material, k, f)
        rate = collisions + mass / (momentum * DECAY_LENGTH[kind])
        if is_active:
            step = step_limit(reach)
        elif reach < active_distance(medium, slab, z):
            step = max(_STEP_IN_ABSORBER * reach, STEP_FINAL)
        else:
            step = max(_STEP_IN_ABSORBER * reach, 1.0)
        step = min(step, reach)
        collides = rate * step > free_paths
        if collides:
            step = free_paths / rate
        scatter_x0 = hadrons.ionisation.inverse_x0[material]
        wide = 13.6 / (beta * momentum)
        longest = (_LONGEST_TURN / wide) ** 2 / scatter_x0
        if step > longest and reach > STEP_FINAL:
            step, collides = max(longest, 0.1 * STEP_FINAL), False
        # turned half at the start of the step and half at its end, which moves it sideways as scattering does
        variance = scattering_variance(momentum, beta, depth, depth + step * scatter_x0)
        width = math.sqrt(max(0.0, 0.5 * variance))
        ux, uy, uz = _deflect(rng, ux, uy, uz, width)
        distance, wall = wall_distance(medium, slab, x, y, z, ux, uy, uz)
        crosses = distance <= step
        if crosses:
            step, collides = distance, False
        cut = hadrons.cut[material]
        lost = _mean_loss(hadrons, material, mass, kinetic, reach, step, cut, is_spin_half)
        if is_active and lost < 0.5 * kinetic:
            lost = sample_straggling(rng, hadrons.ionisation, material, mass, kinetic, cut, step, lost)
        lost = min(lost, kinetic)
        x1, y1, z1 = x + step * ux, y + step * uy, z + step * uz
        deposit(medium, cells, slab, x, y, z, x1, y1, z1, lost, track, time)
        if largest_transfer(mass, kinetic) > cut:
            lost += _knock_on(
                medium,
                hadrons,
                cells,
                stack,
                rng,
                slab,
                mass,
                kinetic,
                cut,
                is_spin_half,
                step,
                x,
                y,
                z,
                ux,
                uy,
                uz,
                time,
            )
        kinetic = max(kinetic - lost, 0.0)
        x, y, z = x1, y1, z1
        time += step / (beta * SPEED_OF_LIGHT)
        depth += step * scatter_x0
        free_paths -= step * rate
        if kinetic < _STOPPED:
            stop(medium, hadrons, cells, stack, rng, slab, kind, x, y, z, time)
            return
        ux, uy, uz = _deflect(rng, ux, uy, uz, width)
        if medium.field_strength > 0.0:
            ux, uy, uz = bend(medium.field, ux, uy, uz, charge, momentum, step)
        if crosses:
            if leave(medium, cells, slab, wall, kinetic + FREE_MASS[kind]):
                return
            slab += wall
            z = medium.z_low[slab] if wall > 0 else medium.z_high[slab]
        elif collides:
            if uniform(rng) * rate > collisions:
                decay(medium, cells, stack, rng, kind, kinetic, x, y, z, ux, uy, uz, time)
                return
            kinetic, ux, uy, uz = collide(
                medium, hadrons, cells, stack, rng, slab, kind, kinetic, x, y, z, ux, uy, uz, time
            )
            if kinetic <= 0.0:
                return
            free_paths = exponential(rng)
            depth = 0.0


@compiled
def _deflect(rng, ux, uy, uz, width):
    """Turned by a small angle with this width in each of two planes."""
    if width < 1e-6:
        return ux, uy, uz
    theta = width * math.sqrt(2.0 * exponential(rng))
    c, s = azimuth(rng)
    return turn(ux, uy, uz, math.cos(min(theta, math.pi)), c, s)


@compiled
def _mean_loss(hadrons, material, mass, kinetic, reach, step, cut, is_spin_half):
    """Mean loss of a step by transfers below the cut."""
    if step >= reach:
        return kinetic
    if largest_transfer(mass, kinetic) <= cut or step > 0.1 * reach:
        return kinetic - kinetic_of_range(hadrons, material, mass, 1.0, reach - step)
    return restricted_loss(hadrons.ionisation, material, mass, kinetic, cut, is_spin_half) * step


@compiled
def _knock_on(
    medium, hadrons, cells, stack, rng, slab, mass, kinetic, cut, is_spin_half, step, x, y, z, ux, uy, uz, time
):
    """Energy of the knock-on electrons of a step, [MeV]; those that cannot reach active material stop at once."""
    material = medium.material[slab]
    rate = knock_on_rate(hadrons.ionisation, material, mass, kinetic, cut, is_spin_half)
    given = 0.0
    for _ in range(poisson(rng, rate * step)):
        energy, cosine = sample_knock_on(rng, mass, kinetic, cut, is_spin_half)
        if given + energy > 0.5 * kinetic:
            break
        given += energy
        at = uniform(rng) * step
        at_z = z + at * uz
        if energy < active_distance(medium, slab, at_z) * hadrons.slowest_loss[material]:
            cells.sums[ABSORBER] += energy
            continue
        c, s = azimuth(rng)
        vx, vy, vz = turn(ux, uy, uz, cosine, c, s)
        push(stack, ELECTRON, energy, x + at * ux, y + at * uy, at_z, vx, vy, vz, time)
    return given


@compiled
def collide(medium, hadrons, cells, stack, rng, slab, kind, kinetic, x, y, z, ux, uy, uz, time):
    """A collision with a nucleus of the material; (kinetic energy, direction) after it, 0 where the hadron is gone."""
    material, projectile = medium.material[slab], PROJECTILE[kind]
    k, _ = place(kinetic)
    element, process = choose_channel(hadrons, rng, projectile, material, k)
    if process == 1:
        group = 1 if projectile in (P_PROTON, P_NEUTRON) or projectile > P_KAON_LONG else 0
        return scatter(
            medium,
            cells,
            stack,
            hadrons,
            rng,
            group,
            material,
            element,
            slab,
            MASS[kind],
            kinetic,
            x,
            y,
            z,
            ux,
            uy,
            uz,
            time,
        )
    final_state(
        medium,
        cells,
        stack,
        hadrons,
        rng,
        projectile,
        material,
        element,
        slab,
        kinetic,
        kinetic + FREE_MASS[kind],
        x,
        y,
        z,
        ux,
        uy,
        uz,
        time,
    )
    return 0.0, ux, uy, uz
