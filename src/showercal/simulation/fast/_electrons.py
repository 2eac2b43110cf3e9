"""Electrons and positrons: condensed steps with a random hinge, bremsstrahlung, knock-on electrons, annihilation."""

from __future__ import annotations

import math
from typing import Final

from showercal.simulation.fast._cells import ABSORBER, deposit, deposit_point
from showercal.simulation.fast._compiled import compiled, inlined
from showercal.simulation.fast._em_cross_sections import ELECTRON_MASS
from showercal.simulation.fast._em_tables import (
    BREMS,
    HARDNESS,
    KNOCK_ON,
    LOSS,
    MOST,
    RANGE,
    RATE,
    SCATTER,
    electron_value,
    photon_cut,
)
from showercal.simulation.fast._grid import LOWEST, place
from showercal.simulation.fast._medium import active_distance
from showercal.simulation.fast._photons import (
    STRAIGHT_ABOVE,
    annihilate_at_rest,
    emission_cosine,
    emit_electron,
    leave,
    wall_distance,
)
from showercal.simulation.fast._random import azimuth, exponential, normal, poisson, uniform
from showercal.simulation.fast._stack import ELECTRON, PHOTON, POSITRON, push
from showercal.simulation.fast._vectors import CURVATURE, bend, turn

_LOSS_PER_STEP: Final = 0.15  # largest share of the energy that a step may take
_COARSE_LOSS: Final = 0.4
_TURN_PER_STEP: Final = 0.15  # largest step in transport lengths
_BEND_PER_STEP: Final = 0.3  # largest turn in the field, [rad]
_HARDLY: Final = 1e-3  # mean 1 - cos of a step that needs no hinge: 2.5 degrees ...
_NOT_AT_ALL: Final = 1e-9  # ... and no turn
_HARD_SHARE: Final = 0.25  # of the steps have a hard elastic collision, ...
_MOST_HARD: Final = 0.8  # ... unless that were more of the mean angle by hard ones, in steps of few collisions
_BEYOND: Final = 1e-6  # [mm] over a wall, so that what flies straight on is over it
_SMALL_TRANSFER: Final = 0.01  # [MeV]: collisions in thin layers are drawn one by one from here on


@compiled
def transport_electron(  # noqa: PLR0912, PLR0915 (one loop: Numba copies what a call takes)
    medium, em, cells, stack, rng, slab, kind, energy, x, y, z, ux, uy, uz, time, track
):
    """Follow an electron or positron to its end; photons and knock-on electrons go to the stack.

    A step has its deflection, by scattering and by the field, at a random place along it (the hinge), which gives both
    the lateral shift and the path length in the mean; a displacement below 1 moves the hinge towards the end.

    References:
        J. M. Fernandez-Varea et al., Nucl. Instrum. Meth. B 73 (1993) 447 (random hinge, PENELOPE).
    """
    charge = -1.0 if kind == ELECTRON else 1.0
    free_paths = exponential(rng)
    while True:
        material = medium.material[slab]
        k, f = place(energy)
        reach = electron_value(em, kind, material, k, f, RANGE)
        if medium.layer[slab] >= 0:
            if reach < medium.stop_range:
                deposit_point(medium, cells, slab, x, y, energy, track, time)
                break
        elif reach < active_distance(medium, slab, z):
            x, y, z, is_gone = _stop(medium, em, cells, stack, rng, slab, kind, energy, x, y, z, ux, uy, uz, time)
            if is_gone:
                return
            break
        loss = electron_value(em, kind, material, k, f, LOSS)
        rate = electron_value(em, kind, material, k, f, RATE)
        scatter = electron_value(em, kind, material, k, f, SCATTER)
        length = min(_LOSS_PER_STEP * energy / loss, _TURN_PER_STEP / scatter)
        if medium.field_strength > 0.0:
            momentum = math.sqrt(energy * (energy + 2.0 * ELECTRON_MASS))
            length = min(length, _BEND_PER_STEP * momentum / (CURVATURE * medium.field_strength))
        is_hard = free_paths < rate * length
        if is_hard:
            length = free_paths / rate
        if em.displacement < 1.0:
            # a hinge that is not anywhere with the same chance must not be cut off by a wall
            distance, _ = wall_distance(medium, slab, x, y, z, ux, uy, uz)
            if distance + _BEYOND < length:
                length, is_hard = distance + _BEYOND, False
        # a step that hardly turns needs no hinge
        turns = medium.field_strength > 0.0 or length * scatter > _HARDLY
        hinge = (1.0 - em.displacement * uniform(rng)) * length if turns else length
        done, step = 0.0, 2
        for part in range(2):
            piece = hinge if part == 0 else length - hinge
            distance, wall = wall_distance(medium, slab, x, y, z, ux, uy, uz)
            is_over = distance < piece
            if is_over:
                piece = distance
            lost = loss * piece
            if medium.is_thin[slab]:
                lost = _fluctuate(em, material, rng, lost, piece, energy)
            lost = min(lost, energy)
            x1, y1, z1 = x + piece * ux, y + piece * uy, z + piece * uz
            deposit(medium, cells, slab, x, y, z, x1, y1, z1, lost, track, time)
            energy -= lost
            x, y, z = x1, y1, z1
            done += piece
            if is_over:
                step = wall
                break
            if part == 0:
                if not turns and length * scatter < _NOT_AT_ALL:
                    break
                hardness = electron_value(em, kind, material, k, f, HARDNESS)
                most = electron_value(em, kind, material, k, f, MOST)
                cosine = _deflection(rng, length * scatter, hardness, most)
                c, s = azimuth(rng)
                ux, uy, uz = turn(ux, uy, uz, cosine, c, s)
                if medium.field_strength > 0.0:
                    momentum = math.sqrt(energy * (energy + 2.0 * ELECTRON_MASS))
                    ux, uy, uz = bend(medium.field, ux, uy, uz, charge, momentum, length)
                if not turns:
                    break
        if energy < LOWEST:
            deposit_point(medium, cells, slab, x, y, energy, track, time)
            break
        free_paths -= done * rate
        if step != 2:
            if leave(medium, cells, slab, step, energy):
                return
            slab += step
            z = medium.z_low[slab] if step > 0 else medium.z_high[slab]
            continue
        if not is_hard:
            continue
        free_paths = exponential(rng)
        pick = uniform(rng)
        if pick < electron_value(em, kind, material, k, f, BREMS):
            energy, ux, uy, uz = _radiate(em, material, stack, rng, energy, x, y, z, ux, uy, uz, time)
        elif pick < electron_value(em, kind, material, k, f, KNOCK_ON):
            energy, ux, uy, uz = _knock_on(medium, em, cells, stack, rng, slab, kind, energy, x, y, z, ux, uy, uz, time)
        else:
            _annihilate_in_flight(stack, rng, energy, x, y, z, ux, uy, uz, time)
            return
    if kind == POSITRON:
        annihilate_at_rest(stack, rng, x, y, z, time)


@compiled
def _stop(medium, em, cells, stack, rng, slab, kind, energy, x, y, z, ux, uy, uz, time):
    """End an electron that cannot reach active material: only the photons that it still radiates matter.

    Steps are as long as the loss allows, and collisions are continuous: nothing that they make can be seen.

    Returns:
        (x, y, z, whether it was annihilated in flight): where it ends.
    """
    material = medium.material[slab]
    free_paths = exponential(rng)
    while energy > medium.reject_below:
        k, f = place(energy)
        loss = electron_value(em, kind, material, k, f, LOSS)
        scatter = electron_value(em, kind, material, k, f, SCATTER)
        rate = electron_value(em, kind, material, k, f, RATE)
        length = _COARSE_LOSS * energy / loss
        is_hard = free_paths < rate * length
        if is_hard:
            length = free_paths / rate
        free_paths -= rate * length
        lost = min(loss * length, energy)
        cells.sums[ABSORBER] += lost
        energy -= lost
        hardness = electron_value(em, kind, material, k, f, HARDNESS)
        most = electron_value(em, kind, material, k, f, MOST)
        cosine = _deflection(rng, min(length * scatter, 2.0), hardness, most)
        c, s = azimuth(rng)
        vx, vy, vz = turn(ux, uy, uz, cosine, c, s)
        # as if the whole deflection were in the middle of the step
        half = 0.5 * length
        x, y, z = x + half * (ux + vx), y + half * (uy + vy), z + half * (uz + vz)
        ux, uy, uz = vx, vy, vz
        if not is_hard:
            continue
        free_paths = exponential(rng)
        pick = uniform(rng)
        if pick < electron_value(em, kind, material, k, f, BREMS):
            energy, ux, uy, uz = _radiate(em, material, stack, rng, energy, x, y, z, ux, uy, uz, time)
        elif pick < electron_value(em, kind, material, k, f, KNOCK_ON):
            energy, ux, uy, uz = _knock_on(medium, em, cells, stack, rng, slab, kind, energy, x, y, z, ux, uy, uz, time)
        else:
            _annihilate_in_flight(stack, rng, energy, x, y, z, ux, uy, uz, time)
            return x, y, z, True
    cells.sums[ABSORBER] += energy
    return x, y, z, False


@inlined
def _deflection(rng, optical, hardness, most):
    """Cosine of the angle after a step whose mean of 1 - cos is 1 - exp(-s / lambda_1), as the exact theory asks.

    Many soft collisions make a core exp(a cos). Where the tables give a hardness, a share of the steps has a hard one
    too, from the tail 1 / (1 - cos)^2 of single scattering, and the core is as much narrower.

    References:
        H. W. Lewis, Phys. Rev. 78 (1950) 526 (the mean); L. Urban, CERN-OPEN-2006-077 (the exponential core);
        J. M. Fernandez-Varea et al., Nucl. Instrum. Meth. B 73 (1993) 447 (hard and soft collisions).
    """
    if optical < _NOT_AT_ALL:
        return 1.0
    soft = -math.expm1(-optical)
    chance, span = 0.0, 0.0
    if hardness > 0.0:
        # collisions beyond a cut in x = (1 - cos) / 2 number strength * span, span = 1 / cut - 1 / most, and have their
        # share of the mean
        strength = 0.5 * soft * hardness
        span = _HARD_SHARE / strength
        share = hardness * math.log(most * span + 1.0)
        if share > _MOST_HARD:
            share = _MOST_HARD
            span = math.expm1(share / hardness) / most
        chance = strength * span
        soft = 1.0 - (1.0 - soft) / (1.0 - share * soft)  # cosines of both multiply in the mean
    # the mean of 1 - cos is 1/a - 2/(exp(2a) - 1); a few steps of iteration are enough for steps this short
    a = 1.0 / soft
    if soft > 0.15:
        for _ in range(4):
            a = 1.0 / (soft + 2.0 / math.expm1(2.0 * a))
    u = uniform(rng)
    cosine = max(-1.0, min(1.0, 1.0 + math.log(u + (1.0 - u) * math.exp(-2.0 * a)) / a))
    if chance > 0.0 and uniform(rng) < chance:
        single = 1.0 - 2.0 / (1.0 / most + span * uniform(rng))
        c, _ = azimuth(rng)
        sines = max((1.0 - cosine * cosine) * (1.0 - single * single), 0.0)
        cosine = max(-1.0, min(1.0, cosine * single + c * math.sqrt(sines)))
    return cosine


@compiled
def _fluctuate(em, material, rng, mean, length, energy):
    """Loss in a thin layer: collisions above 10 keV drawn from 1/T^2 up to the cut, those below as a normal.

    References:
        L. Landau, J. Phys. USSR 8 (1944) 201 (the spectrum); N. Bohr, Mat. Fys. Medd. 18 (1948) 8 (the variance
        of the rest).
    """
    gamma = 1.0 + energy / ELECTRON_MASS
    xi = em.collision_strength[material] * length / (1.0 - 1.0 / (gamma * gamma))
    highest = min(em.electron_cut[material], 0.5 * energy)
    if highest <= _SMALL_TRANSFER:
        return mean
    small, span = 1.0 / _SMALL_TRANSFER, 1.0 / _SMALL_TRANSFER - 1.0 / highest
    lost = mean - xi * math.log(highest / _SMALL_TRANSFER) + normal(rng) * math.sqrt(xi * _SMALL_TRANSFER)
    for _ in range(poisson(rng, xi * span)):
        lost += 1.0 / (small - uniform(rng) * span)
    return max(lost, 0.05 * mean)


@inlined
def _radiate(em, material, stack, rng, energy, x, y, z, ux, uy, uz, time):
    """Bremsstrahlung: the photon to the stack; energy and direction of the electron after it.

    Photon energies from 1/k between the cut and the whole energy, kept by the rest of the screened Bethe-Heitler
    formula (SLAC-265 eq. 2.7.7).
    """
    total = energy + ELECTRON_MASS
    cut = photon_cut(energy)
    if energy <= cut:
        return energy, ux, uy, uz
    scale, log_term = em.screening[material, 0], em.screening[material, 1] + em.screening[material, 2]
    span = math.log(energy / cut)
    # (1 + r^2) phi_1 - 2/3 r phi_2 is largest for soft photons, where r = 1 and delta is smallest
    highest = 2.0 * (20.867 - log_term) - 2.0 / 3.0 * (20.209 - log_term) + 0.5
    while True:
        photon = cut * math.exp(span * uniform(rng))
        rest = total - photon
        ratio = rest / total
        delta = scale * photon / (total * rest)
        if delta > 1.0:
            one = 21.12 - 4.184 * math.log(delta + 0.952)
            two = one
        else:
            one = 20.867 - delta * (3.242 - 0.625 * delta)
            two = 20.209 - delta * (1.930 + 0.086 * delta)
        value = (1.0 + ratio * ratio) * (one - log_term) - 2.0 / 3.0 * ratio * (two - log_term)
        if uniform(rng) * highest < value:
            break
    if total > STRAIGHT_ABOVE:
        push(stack, PHOTON, photon, x, y, z, ux, uy, uz, time)
        return energy - photon, ux, uy, uz
    c, s = azimuth(rng)
    vx, vy, vz = turn(ux, uy, uz, emission_cosine(rng, total), c, s)
    push(stack, PHOTON, photon, x, y, z, vx, vy, vz, time)
    momentum = math.sqrt(energy * (energy + 2.0 * ELECTRON_MASS))
    px, py, pz = momentum * ux - photon * vx, momentum * uy - photon * vy, momentum * uz - photon * vz
    norm = math.sqrt(px * px + py * py + pz * pz)
    if norm > 0.0:
        ux, uy, uz = px / norm, py / norm, pz / norm
    return energy - photon, ux, uy, uz


@compiled
def _knock_on(medium, em, cells, stack, rng, slab, kind, energy, x, y, z, ux, uy, uz, time):
    """Moller or Bhabha scattering above the cut: the electron that is hit, then energy and direction of the other.

    References:
        SLAC-265 sections 2.10 and 2.11; sampling as in the Geant4 physics reference manual, "Ionization".
    """
    cut = em.electron_cut[medium.material[slab]]
    least, most = cut / energy, (0.5 if kind == ELECTRON else 1.0)
    if least >= most:
        return energy, ux, uy, uz
    gamma = 1.0 + energy / ELECTRON_MASS
    if kind == ELECTRON:
        g = (2.0 * gamma - 1.0) / (gamma * gamma)
        highest = 1.0 - g * most + most * most * (1.0 - g + (1.0 - g * (1.0 - most)) / (1.0 - most) ** 2)
    else:
        beta2 = 1.0 - 1.0 / (gamma * gamma)
        y1 = 1.0 / (gamma + 1.0)
        w = 1.0 - 2.0 * y1
        b1, b2, b3, b4 = 2.0 - y1 * y1, w * (3.0 + y1 * y1), w * w + w * w * w, w * w * w
        highest = 1.0 + beta2 * (least**4 * b4 - least**3 * b3 + least**2 * b2 - least * b1)
    while True:
        q = uniform(rng)
        share = least * most / (least * (1.0 - q) + most * q)
        if kind == ELECTRON:
            rest = 1.0 - share
            value = 1.0 - g * share + share * share * (1.0 - g + (1.0 - g * rest) / (rest * rest))
        else:
            value = 1.0 + beta2 * (share**4 * b4 - share**3 * b3 + share**2 * b2 - share * b1)
        if uniform(rng) * highest < value:
            break
    hit = share * energy
    momentum = math.sqrt(energy * (energy + 2.0 * ELECTRON_MASS))
    hit_momentum = math.sqrt(hit * (hit + 2.0 * ELECTRON_MASS))
    cosine = hit * (energy + 2.0 * ELECTRON_MASS) / (momentum * hit_momentum)
    c, s = azimuth(rng)
    vx, vy, vz = turn(ux, uy, uz, min(cosine, 1.0), c, s)
    emit_electron(medium, em, cells, stack, rng, slab, ELECTRON, hit, x, y, z, vx, vy, vz, time)
    px, py, pz = momentum * ux - hit_momentum * vx, momentum * uy - hit_momentum * vy, momentum * uz - hit_momentum * vz
    norm = math.sqrt(px * px + py * py + pz * pz)
    if norm > 0.0:
        ux, uy, uz = px / norm, py / norm, pz / norm
    return energy - hit, ux, uy, uz


@compiled
def _annihilate_in_flight(stack, rng, energy, x, y, z, ux, uy, uz, time):
    """Two photons by Heitler's cross section (SLAC-265 section 2.12; sampling as in the Geant4 manual)."""
    gamma = 1.0 + energy / ELECTRON_MASS
    half_span = 0.5 * math.sqrt((gamma - 1.0) / (gamma + 1.0))
    least, log_span = 0.5 - half_span, math.log((0.5 + half_span) / (0.5 - half_span))
    while True:
        share = least * math.exp(log_span * uniform(rng))
        if uniform(rng) < 1.0 - share + (2.0 * gamma * share - 1.0) / (share * (gamma + 1.0) ** 2):
            break
    cosine = (share * (gamma + 1.0) - 1.0) / (share * math.sqrt(gamma * gamma - 1.0))
    total = energy + 2.0 * ELECTRON_MASS
    first = share * total
    c, s = azimuth(rng)
    vx, vy, vz = turn(ux, uy, uz, max(-1.0, min(1.0, cosine)), c, s)
    push(stack, PHOTON, first, x, y, z, vx, vy, vz, time)
    momentum = math.sqrt(energy * (energy + 2.0 * ELECTRON_MASS))
    px, py, pz = momentum * ux - first * vx, momentum * uy - first * vy, momentum * uz - first * vz
    norm = 1.0 / math.sqrt(px * px + py * py + pz * pz)
    push(stack, PHOTON, total - first, x, y, z, px * norm, py * norm, pz * norm, time)
