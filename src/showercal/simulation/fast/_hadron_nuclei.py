"""Nuclei that leave a collision: followed to their end at once, because they hardly ever collide again."""

from __future__ import annotations

from typing import Final

from showercal.simulation.fast._cells import ABSORBER, deposit
from showercal.simulation.fast._compiled import compiled
from showercal.simulation.fast._hadron_library import FRAGMENT
from showercal.simulation.fast._hadron_particles import CHARGE, MASS
from showercal.simulation.fast._hadron_tables import ion_length, kinetic_of_range, range_of
from showercal.simulation.fast._medium import active_distance
from showercal.simulation.fast._photons import leave, wall_distance

# Steps near the end of a range as Geant4 takes them, because Birks' law sees the mean dE/dx of a step.
STEP_SHARE: Final = 0.2
STEP_FINAL: Final = 0.1  # [mm]


@compiled
def step_limit(distance):
    """Longest step of a charged particle of this range, [mm]."""
    if distance <= STEP_FINAL:
        return distance
    return STEP_SHARE * distance + STEP_FINAL * (1.0 - STEP_SHARE) * (2.0 - STEP_FINAL / distance)


@compiled
def stop_nucleus(medium, cells, hadrons, slab, z, a, kinetic, x, y, pz, track, time):
    """A nucleus slower than what moves it visibly: its energy along the path on which it stops, for Birks' law."""
    if medium.layer[slab] < 0:
        cells.sums[ABSORBER] += kinetic
        return
    length = ion_length(hadrons, medium.material[slab], z, a, kinetic)
    deposit(medium, cells, slab, x, y, pz, x, y, pz + length, kinetic, track, time)


@compiled
def follow_nucleus(medium, cells, hadrons, slab, kind, kinetic, x, y, z, ux, uy, uz, track, time):
    """A deuteron, triton, helium nucleus or alpha particle, straight on until it stops or leaves."""
    mass, charge2 = MASS[kind], CHARGE[kind] ** 2
    while True:
        material = medium.material[slab]
        distance = range_of(hadrons, material, mass, charge2, kinetic)
        if distance < active_distance(medium, slab, z):
            cells.sums[ABSORBER] += kinetic
            return
        to_face, wall = wall_distance(medium, slab, x, y, z, ux, uy, uz)
        step = step_limit(distance)
        crosses = step >= to_face
        if crosses:
            step = to_face
        left = 0.0 if step >= distance else kinetic_of_range(hadrons, material, mass, charge2, distance - step)
        left = min(left, kinetic)
        x1, y1, z1 = x + ux * step, y + uy * step, z + uz * step
        deposit(medium, cells, slab, x, y, z, x1, y1, z1, kinetic - left, track, time)
        kinetic, x, y, z = left, x1, y1, z1
        if kinetic <= 1e-4:
            return
        if crosses:
            if leave(medium, cells, slab, wall, kinetic):
                return
            slab += wall
            z = medium.z_low[slab] if wall > 0 else medium.z_high[slab]


@compiled
def leave_nucleus(medium, cells, hadrons, slab, kind, kinetic, target_z, target_a, x, y, z, ux, uy, uz, track, time):
    """A nucleus from a collision: fragments of the target stop where they are, light ones are followed."""
    if kind == FRAGMENT:
        stop_nucleus(medium, cells, hadrons, slab, target_z, target_a, kinetic, x, y, z, track, time)
    else:
        follow_nucleus(medium, cells, hadrons, slab, kind, kinetic, x, y, z, ux, uy, uz, track, time)
