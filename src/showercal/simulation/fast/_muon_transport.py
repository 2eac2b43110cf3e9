"""Muons along their curved track: continuous loss, scattering, and hard losses that make showers."""

from __future__ import annotations

import math
from typing import Final

from showercal.simulation._particles import SPEED_OF_LIGHT
from showercal.simulation.fast._cells import deposit, deposit_point
from showercal.simulation.fast._compiled import compiled
from showercal.simulation.fast._constants import ELECTRON_MASS, MUON_LIFETIME, MUON_MASS, PION_MASS
from showercal.simulation.fast._hadron_decays import michel_share
from showercal.simulation.fast._ionisation import (
    restricted_loss,
    sample_straggling,
    scattering_variance,
)
from showercal.simulation.fast._muon_tables import (
    BREMSSTRAHLUNG,
    DEPTH,
    KNOCK_ON,
    LOWEST,
    N_ENERGIES,
    N_PROCESSES,
    N_SHARES,
    PAIRS,
    PER_FOLD,
)
from showercal.simulation.fast._photons import emission_cosine, emit_electron, leave, wall_distance
from showercal.simulation.fast._random import azimuth, exponential, isotropic, uniform
from showercal.simulation.fast._stack import ELECTRON, MUON_PLUS, PHOTON, PION_MINUS, PION_PLUS, POSITRON, push
from showercal.simulation.fast._vectors import CURVATURE, bend, turn

_STOPPED: Final = 0.2  # kinetic energy below which a muon ends, its range being micrometres, [MeV]
_LOSS_PER_STEP: Final = 0.1  # largest share of the kinetic energy that a step may take
_TURN_PER_STEP: Final = 0.05  # largest turn in the field in one step, [rad]
_LARGEST_DECAY_ENERGY: Final = 52.83  # of the electron from a muon at rest, [MeV]
_TWO_PIONS: Final = 1000.0  # transfer above which a nuclear interaction is that of a rho meson, [MeV]


@compiled
def transport_muon(  # noqa: PLR0915 (one loop, like that of electrons)
    world, cells, stack, rng, slab, kind, energy, x, y, z, ux, uy, uz, time, track
):
    """Follow a muon to its end; what its hard losses make goes to the stack.

    Within a step the energy is that at its beginning: it changes by permille between two losses, or by a tenth where a
    slow muon stops. Decay in flight is left out: of muons of 1 GeV one in 3000 decays within 2 m. A muon that has
    stopped decays; capture by nuclei is left out.
    """
    medium, ionisation, muons = world.medium, world.ionisation, world.muons
    charge = 1.0 if kind == MUON_PLUS else -1.0
    free_paths = exponential(rng)
    depth = 0.0  # path so far, in X0
    while energy > _STOPPED:
        material = medium.material[slab]
        total = energy + MUON_MASS
        momentum = math.sqrt(energy * (energy + 2.0 * MUON_MASS))
        k, f = _row(energy)
        cut = muons.cut[material]
        loss = restricted_loss(ionisation, material, MUON_MASS, energy, cut, True)
        loss += muons.soft[material, k] + f * (muons.soft[material, k + 1] - muons.soft[material, k])
        rate = _rate(muons, material, k, f, N_PROCESSES - 1)
        length = _LOSS_PER_STEP * energy / loss
        if medium.field_strength > 0.0:
            length = min(length, _TURN_PER_STEP * momentum / (CURVATURE * medium.field_strength))
        is_hard = free_paths < rate * length
        if is_hard:
            length = free_paths / rate
        vx, vy, vz = ux, uy, uz
        if medium.field_strength > 0.0:
            # the chord of an arc points where the track points in its middle
            distance, wall = wall_distance(medium, slab, x, y, z, ux, uy, uz)
            middle = 0.5 * min(length, distance)
            ux, uy, uz = bend(medium.field, vx, vy, vz, charge, momentum, middle)
        distance, wall = wall_distance(medium, slab, x, y, z, ux, uy, uz)
        is_over = distance < length
        if is_over:
            length, is_hard = distance, False
        lost = loss * length
        lost = min(sample_straggling(rng, ionisation, material, MUON_MASS, energy, cut, length, lost), energy)
        x1, y1, z1 = x + length * ux, y + length * uy, z + length * uz
        deposit(medium, cells, slab, x, y, z, x1, y1, z1, lost, track, time)
        if medium.field_strength > 0.0:
            ux, uy, uz = bend(medium.field, vx, vy, vz, charge, momentum, length)
        x, y, z = x1, y1, z1
        after = depth + length * ionisation.inverse_x0[material]
        variance = scattering_variance(momentum, momentum / total, depth, after)
        depth = after
        c, s = azimuth(rng)
        ux, uy, uz = turn(ux, uy, uz, math.cos(math.sqrt(2.0 * variance * exponential(rng))), c, s)
        time += length * total / (momentum * SPEED_OF_LIGHT)
        energy -= lost
        free_paths -= length * rate
        if is_over:
            if leave(medium, cells, slab, wall, energy):
                return
            slab += wall
            z = medium.z_low[slab] if wall > 0 else medium.z_high[slab]
        elif is_hard:
            free_paths = exponential(rng)
            energy, ux, uy, uz = _collide(world, cells, stack, rng, slab, k, f, energy, x, y, z, ux, uy, uz, time)
    deposit_point(medium, cells, slab, x, y, energy, track, time)
    _decay(stack, rng, kind, x, y, z, time)


@compiled
def _row(energy):
    """(k, f) with ln energy = (1 - f) ln ENERGIES[k] + f ln ENERGIES[k + 1], clipped to the table."""
    place = PER_FOLD * math.log(max(energy, LOWEST) / LOWEST)
    k = min(int(place), N_ENERGIES - 2)
    return k, min(place - k, 1.0)


@compiled
def _rate(muons, material, k, f, process):
    """Hard losses per path by a process and those before it, [1/mm]."""
    low = muons.rate[material, k, process]
    return low + f * (muons.rate[material, k + 1, process] - low)


@compiled
def sample_transfer(rng, muons, material, process, k, f):
    """Energy transfer of a hard loss above the cut, [MeV], at a place between the rows of the tables."""
    place = (N_SHARES - 1) * math.sqrt(min(exponential(rng) / DEPTH, 1.0))
    j = min(int(place), N_SHARES - 2)
    g = place - j
    low = (1.0 - g) * muons.transfer[material, process, k, j] + g * muons.transfer[material, process, k, j + 1]
    k += 1
    high = (1.0 - g) * muons.transfer[material, process, k, j] + g * muons.transfer[material, process, k, j + 1]
    logarithm = low + f * (high - low)
    return muons.cut[material] * math.exp(logarithm)


@compiled
def _collide(world, cells, stack, rng, slab, k, f, energy, x, y, z, ux, uy, uz, time):
    """A hard loss: what it makes goes to the stack; energy and direction of the muon after it."""
    medium, em, muons = world.medium, world.em, world.muons
    material = medium.material[slab]
    pick = uniform(rng) * _rate(muons, material, k, f, N_PROCESSES - 1)
    process = 0
    while process < N_PROCESSES - 1 and pick >= _rate(muons, material, k, f, process):
        process += 1
    transfer = min(sample_transfer(rng, muons, material, process, k, f), energy)
    if process == KNOCK_ON:
        ux, uy, uz = _knock_on(medium, em, cells, stack, rng, slab, transfer, energy, x, y, z, ux, uy, uz, time)
    elif process == BREMSSTRAHLUNG:
        c, s = azimuth(rng)
        vx, vy, vz = turn(ux, uy, uz, _emission_cosine(rng, energy, transfer), c, s)
        push(stack, PHOTON, transfer, x, y, z, vx, vy, vz, time)
    elif process == PAIRS:
        _make_pair(medium, em, cells, stack, rng, slab, transfer, energy, x, y, z, ux, uy, uz, time)
    else:
        _make_hadrons(stack, rng, transfer, x, y, z, ux, uy, uz, time)
    return energy - transfer, ux, uy, uz


@compiled
def _knock_on(medium, em, cells, stack, rng, slab, transfer, energy, x, y, z, ux, uy, uz, time):
    """An electron by elastic scattering; the muon's new direction keeps the momentum."""
    momentum = math.sqrt(energy * (energy + 2.0 * MUON_MASS))
    hit = math.sqrt(transfer * (transfer + 2.0 * ELECTRON_MASS))
    cosine = min(transfer * (energy + MUON_MASS + ELECTRON_MASS) / (momentum * hit), 1.0)
    c, s = azimuth(rng)
    vx, vy, vz = turn(ux, uy, uz, cosine, c, s)
    emit_electron(medium, em, cells, stack, rng, slab, ELECTRON, transfer, x, y, z, vx, vy, vz, time)
    px, py, pz = momentum * ux - hit * vx, momentum * uy - hit * vy, momentum * uz - hit * vz
    norm = math.sqrt(px * px + py * py + pz * pz)
    if norm == 0.0:
        return ux, uy, uz
    return px / norm, py / norm, pz / norm


@compiled
def _emission_cosine(rng, energy, transfer):
    """Cosine to the muon of a photon or pair: r = gamma theta has r dr / (1 + r^2)^2, r < gamma min(1, E/transfer - 1).

    References:
        Geant4 physics reference manual, "Bremsstrahlung" of muons.
    """
    gamma = 1.0 + energy / MUON_MASS
    largest = gamma * min(1.0, (energy + MUON_MASS) / transfer - 1.0)
    share = largest * largest / (1.0 + largest * largest) * uniform(rng)
    return math.cos(math.sqrt(share / (1.0 - share)) / gamma)


@compiled
def _make_pair(medium, em, cells, stack, rng, slab, transfer, energy, x, y, z, ux, uy, uz, time):
    """An electron and a positron: the pair's direction as of a photon, its asymmetry uniform between the limits.

    References:
        Geant4 physics reference manual, "Positron-electron pair production by muons" (sharing of the energy).
    """
    total = energy + MUON_MASS
    largest = math.sqrt(max(0.0, 1.0 - 4.0 * ELECTRON_MASS / transfer))
    if transfer < total:
        largest *= max(0.0, 1.0 - 6.0 * MUON_MASS * MUON_MASS / (total * (total - transfer)))
    asymmetry = largest * (2.0 * uniform(rng) - 1.0)
    c, s = azimuth(rng)
    px, py, pz = turn(ux, uy, uz, _emission_cosine(rng, energy, transfer), c, s)
    c, s = azimuth(rng)
    for kind, sign in ((ELECTRON, 1.0), (POSITRON, -1.0)):
        one = 0.5 * transfer * (1.0 + sign * asymmetry)
        vx, vy, vz = turn(px, py, pz, emission_cosine(rng, one), sign * c, sign * s)
        kinetic = max(one - ELECTRON_MASS, 0.0)
        emit_electron(medium, em, cells, stack, rng, slab, kind, kinetic, x, y, z, vx, vy, vz, time)


@compiled
def _make_hadrons(stack, rng, transfer, x, y, z, ux, uy, uz, time):
    """A nuclear interaction: a charged pion, or above 1 GeV the two of the rho meson that the virtual photon acts as.

    They go on with the muon and interact a mean free path later than the virtual photon does; the shower is the same.
    """
    if transfer < _TWO_PIONS:
        kind = PION_PLUS if uniform(rng) < 0.5 else PION_MINUS
        push(stack, kind, max(transfer - PION_MASS, 0.0), x, y, z, ux, uy, uz, time)
        return
    # the decay of the rho spreads the share of the energy evenly about a half, by its velocity in the rho's frame
    share = 0.5 + 0.93 * (uniform(rng) - 0.5)
    push(stack, PION_PLUS, max(share * transfer - PION_MASS, 0.0), x, y, z, ux, uy, uz, time)
    push(stack, PION_MINUS, max((1.0 - share) * transfer - PION_MASS, 0.0), x, y, z, ux, uy, uz, time)


@compiled
def _decay(stack, rng, kind, x, y, z, time):
    """The electron of a muon that decays at rest, in any direction."""
    kinetic = max(michel_share(rng) * _LARGEST_DECAY_ENERGY - ELECTRON_MASS, 0.0)
    ux, uy, uz = isotropic(rng)
    electron = POSITRON if kind == MUON_PLUS else ELECTRON
    push(stack, electron, kinetic, x, y, z, ux, uy, uz, time + MUON_LIFETIME * exponential(rng))
