"""Photons: pair production, Compton scattering and the photoelectric effect, slab by slab."""

from __future__ import annotations

import math
from typing import Final

from showercal.simulation.fast._cells import ABSORBER, LEAK_BACK, LEAK_FRONT, LEAK_SIDE, NO_TRACK, deposit_point
from showercal.simulation.fast._compiled import compiled, inlined
from showercal.simulation.fast._em_cross_sections import ELECTRON_MASS
from showercal.simulation.fast._em_tables import ATTENUATION, COMPTON, PAIR, RANGE, electron_value, photon_value
from showercal.simulation.fast._grid import place
from showercal.simulation.fast._medium import active_distance
from showercal.simulation.fast._random import azimuth, exponential, isotropic, uniform
from showercal.simulation.fast._stack import ELECTRON, PHOTON, POSITRON, push
from showercal.simulation.fast._vectors import turn

# Photons below are absorbed where they are: their free path is far below a millimetre in any absorber.
PHOTON_LOWEST: Final = 0.01  # [MeV]
# Above, what is radiated flies on with its parent: angles of m/E are far below those of multiple scattering.
STRAIGHT_ABOVE: Final = 100.0  # [MeV]
_FAR: Final = 1e30


@inlined
def wall_distance(medium, slab, x, y, z, ux, uy, uz):
    """Distance along a direction to where the slab or the box ends, [mm], and the step in slabs (0 at a side wall)."""
    if uz > 1e-12:
        distance, step = (medium.z_high[slab] - z) / uz, 1
    elif uz < -1e-12:
        distance, step = (medium.z_low[slab] - z) / uz, -1
    else:
        distance, step = _FAR, 0
    # the side walls are far from nearly every particle: no division before it is known to be needed
    ahead_x, ahead_y = x + distance * ux, y + distance * uy
    if abs(ahead_x) > medium.half_x:
        distance, step = (math.copysign(medium.half_x, ux) - x) / ux, 0
        ahead_y = y + distance * uy
    if abs(ahead_y) > medium.half_y:
        distance, step = (math.copysign(medium.half_y, uy) - y) / uy, 0
    return max(distance, 0.0), step


@inlined
def leave(medium, cells, slab, step, energy):
    """Count the energy of a particle that goes over a wall; whether it has left the box."""
    if step == 0:
        cells.sums[LEAK_SIDE] += energy
        return True
    if slab + step < 0:
        cells.sums[LEAK_FRONT] += energy
        return True
    if slab + step >= medium.n_slabs:
        cells.sums[LEAK_BACK] += energy
        return True
    return False


@inlined
def emit_electron(medium, em, cells, stack, rng, slab, kind, energy, x, y, z, ux, uy, uz, time):
    """Put an electron or positron on the stack, unless it cannot reach active material: then it stops where it is."""
    if energy < medium.reject_below and medium.layer[slab] < 0:
        k, f = place(energy)
        if electron_value(em, kind, medium.material[slab], k, f, RANGE) < active_distance(medium, slab, z):
            cells.sums[ABSORBER] += energy
            if kind == POSITRON:
                annihilate_at_rest(stack, rng, x, y, z, time)
            return
    push(stack, kind, energy, x, y, z, ux, uy, uz, time)


@compiled
def annihilate_at_rest(stack, rng, x, y, z, time):
    """Two photons back to back. Their energy, twice the electron's mass, is more than the positron's kinetic energy."""
    ux, uy, uz = isotropic(rng)
    push(stack, PHOTON, ELECTRON_MASS, x, y, z, ux, uy, uz, time)
    push(stack, PHOTON, ELECTRON_MASS, x, y, z, -ux, -uy, -uz, time)


@compiled
def emission_cosine(rng, energy):
    """Angle of radiated photons and of pairs to their parent: theta = u m / E, u from two exponentials.

    References:
        GEANT 3.21, PHYS 211 and 341, a fit to Tsai, Rev. Mod. Phys. 46 (1974) 815.
    """
    slope = 0.625 if uniform(rng) < 0.25 else 1.875
    theta = -math.log(uniform(rng) * uniform(rng)) / slope * ELECTRON_MASS / energy
    return math.cos(min(theta, math.pi))


@compiled
def _screen_one(delta):
    """3 phi_1 - phi_2 (Butcher and Messel)."""
    if delta > 1.0:
        return 42.24 - 8.368 * math.log(delta + 0.952)
    return 42.392 - delta * (7.796 - 1.961 * delta)


@compiled
def _screen_two(delta):
    """(3 phi_1 + phi_2) / 2."""
    if delta > 1.0:
        return 42.24 - 8.368 * math.log(delta + 0.952)
    return 41.405 - delta * (5.828 - 0.8945 * delta)


@compiled
def pair_share(em, material, rng, energy):
    """Share of the photon's energy that one of the pair gets, by the screened Bethe-Heitler formula.

    References:
        J. C. Butcher and H. Messel, Nucl. Phys. 20 (1960) 15; Geant4 physics reference manual, "Gamma conversion".
    """
    lowest = ELECTRON_MASS / energy
    # 136 m / (k Z^(1/3)) and 8/3 ln Z, above 50 MeV with 8 f(Z)
    scale = em.screening[material, 0] / energy
    log_term = 2.0 * em.screening[material, 1]
    if energy > 50.0:
        log_term += 2.0 * em.screening[material, 2]
    largest = math.exp((42.24 - log_term) / 8.368) - 0.952
    smallest = 4.0 * scale
    if energy < 2.0 or smallest >= largest:
        return lowest + (0.5 - lowest) * uniform(rng)
    start = max(lowest, 0.5 - 0.5 * math.sqrt(1.0 - smallest / largest))
    span = 0.5 - start
    one, two = _screen_one(smallest) - log_term, _screen_two(smallest) - log_term
    weight_one, weight_two = max(one * span * span, 0.0), max(1.5 * two, 0.0)
    while True:
        if uniform(rng) * (weight_one + weight_two) < weight_one:
            share = 0.5 - span * uniform(rng) ** (1.0 / 3.0)
            accept = (_screen_one(scale / (share * (1.0 - share))) - log_term) / one
        else:
            share = start + span * uniform(rng)
            accept = (_screen_two(scale / (share * (1.0 - share))) - log_term) / two
        if uniform(rng) < accept:
            return share


@compiled
def compton_scatter(rng, energy):
    """(energy after, cosine) of a photon scattered by a free electron at rest (Klein-Nishina; Geant4's method)."""
    k = energy / ELECTRON_MASS
    least = 1.0 / (1.0 + 2.0 * k)
    a, b = -math.log(least), 0.5 * (1.0 - least * least)
    while True:
        if uniform(rng) * (a + b) < a:
            ratio = math.exp(-a * uniform(rng))
        else:
            ratio = math.sqrt(least * least + (1.0 - least * least) * uniform(rng))
        t = (1.0 - ratio) / (k * ratio)
        if uniform(rng) < 1.0 - ratio * t * (2.0 - t) / (1.0 + ratio * ratio):
            return ratio * energy, 1.0 - t


@compiled
def transport_photon(medium, em, cells, stack, rng, slab, energy, x, y, z, ux, uy, uz, time):
    """Follow a photon to its end; electrons it makes go to the stack."""
    while energy > PHOTON_LOWEST:
        k, f = place(energy)
        depth = exponential(rng)
        while True:
            material = medium.material[slab]
            rate = photon_value(em, material, k, f, ATTENUATION)
            length = depth / rate
            distance, step = wall_distance(medium, slab, x, y, z, ux, uy, uz)
            if length < distance:
                break
            if leave(medium, cells, slab, step, energy):
                return
            depth -= distance * rate
            x += distance * ux
            y += distance * uy
            slab += step
            z = medium.z_low[slab] if step > 0 else medium.z_high[slab]
        x += length * ux
        y += length * uy
        z += length * uz
        pick = uniform(rng)
        if pick < photon_value(em, material, k, f, PAIR):
            _make_pair(medium, em, cells, stack, rng, slab, energy, x, y, z, ux, uy, uz, time)
            return
        if pick >= photon_value(em, material, k, f, COMPTON):
            # the electron goes on as the photon did: at these energies it turns within micrometres
            emit_electron(medium, em, cells, stack, rng, slab, ELECTRON, energy, x, y, z, ux, uy, uz, time)
            return
        after, cosine = compton_scatter(rng, energy)
        c, s = azimuth(rng)
        vx, vy, vz = turn(ux, uy, uz, cosine, c, s)
        kinetic = energy - after
        norm = 1.0 / math.sqrt(kinetic * (kinetic + 2.0 * ELECTRON_MASS))
        ex, ey, ez = (
            (energy * ux - after * vx) * norm,
            (energy * uy - after * vy) * norm,
            (energy * uz - after * vz) * norm,
        )
        emit_electron(medium, em, cells, stack, rng, slab, ELECTRON, kinetic, x, y, z, ex, ey, ez, time)
        energy, ux, uy, uz = after, vx, vy, vz
    deposit_point(medium, cells, slab, x, y, energy, NO_TRACK, time)


@compiled
def _make_pair(medium, em, cells, stack, rng, slab, energy, x, y, z, ux, uy, uz, time):
    share = pair_share(em, medium.material[slab], rng, energy)
    if uniform(rng) < 0.5:
        share = 1.0 - share
    c, s = azimuth(rng)
    if energy > 2.0 * STRAIGHT_ABOVE:
        for kind, total in ((ELECTRON, share * energy), (POSITRON, (1.0 - share) * energy)):
            kinetic = max(total - ELECTRON_MASS, 0.0)
            emit_electron(medium, em, cells, stack, rng, slab, kind, kinetic, x, y, z, ux, uy, uz, time)
        return
    for kind, total, sign in ((ELECTRON, share * energy, 1.0), (POSITRON, (1.0 - share) * energy, -1.0)):
        vx, vy, vz = turn(ux, uy, uz, emission_cosine(rng, total), sign * c, sign * s)
        kinetic = max(total - ELECTRON_MASS, 0.0)
        emit_electron(medium, em, cells, stack, rng, slab, kind, kinetic, x, y, z, vx, vy, vz, time)
