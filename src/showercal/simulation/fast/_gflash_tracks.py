"""GFLASH in a sampling calorimeter: the tracks through one thin active layer.

Four kinds: the leading particle, crossings of the shower's electrons, electrons that these knock on, electrons that
photons free; in front also the albedo. The published profile gives the energy, Geant4 how it comes in tracks.
"""

from __future__ import annotations

import math
from typing import Final

from showercal.simulation.fast._cells import deposit
from showercal.simulation.fast._compiled import compiled
from showercal.simulation.fast._gflash_profiles import profile
from showercal.simulation.fast._gflash_shower import draw_radius
from showercal.simulation.fast._gflash_tables import MEAN_CROSSING, STRAIGHT
from showercal.simulation.fast._random import azimuth, poisson, uniform

_STRAIGHT_START: Final = 0.95  # mean energy of a crossing at tau = 0.3-0.5 over rossi_loss times path, all calorimeters
_SLANT: Final = 0.9  # a track with more than this times rossi_loss times path is taken to be longer than the path
# Energy of the leading particle in a thin layer over rossi_loss times path: a Gumbel distribution, fitted to Geant4's
# 5 %, 50 % and 95 % points 0.68, 0.76, 0.93 in the first layer of the sandwich.
_LEADING_MODE: Final = 0.735
_LEADING_SCALE: Final = 0.06
# Electrons knocked on by a crossing: their number per g/cm2, least energy [MeV] and largest energy over rossi_loss
# times path, with 1/T^2 between: 0.30 per electron in the 9 mm of Geant4's first layer at 1, 4 and 9 GeV, of 0.59 MeV.
_KNOCK_ON: Final = 0.32
_KNOCK_ON_LEAST: Final = 0.25
_KNOCK_ON_LIMIT: Final = 1.3
# Radii of crossings [R_M] and of electrons freed by photons [X0] against tau: Geant4's sandwich, 1, 4, 9 GeV.
# Photons go radiation lengths: behind lead, of three times larger R_M / X0, they spread as behind brass in X0.
_CORE_START: Final = 0.08
_CORE_GROWTH: Final = 0.095  # with tau^2
_TAIL_START: Final = 0.68
_TAIL_GROWTH: Final = 0.44
_ALBEDO_RADIUS: Final = 2.3  # [X0], Geant4's first layer
_REACH: Final = 17.0  # [X0]: the radial density has no end, the photons that make its tail are absorbed


@compiled
def cross(medium, tables, cells, rng, shower, slab, start, end, path, leading, track, s, excess):
    """Tracks through a thin active slab from depth `start` to `end`, at distance `s` along the axis.

    Args:
        excess: Crossings in front of here beyond their mean, as far as they are missing here.

    Returns:
        (number of the next track, energy [MeV] inside the box, energy outside, crossings beyond their mean).
    """
    middle = 0.5 * (start + end)
    tau = shower.relative * middle
    area = tables.mass[slab] * path
    straight = tables.rossi_loss[slab] * path
    # near the start tracks are straight; low energies and large angles come with depth
    stretch = _STRAIGHT_START + (tables.crossing_length[slab] - _STRAIGHT_START) * (1.0 - math.exp(-tau * tau))
    knock_on = _KNOCK_ON * area
    knock_on_limit = max(_KNOCK_ON_LIMIT * straight, 1.1 * _KNOCK_ON_LEAST)
    knock_on_gap = 1.0 - _KNOCK_ON_LEAST / knock_on_limit
    knock_on_energy = _KNOCK_ON_LEAST * math.log(knock_on_limit / _KNOCK_ON_LEAST) / knock_on_gap
    compton = tables.compton_yield[slab] * area * (tau + 0.3)
    compton_energy = tables.compton_energy[slab]

    # the energy is the published one; the energy per crossing, with what it brings along, makes it a number of tracks
    mean_energy = (
        tables.e_over_mip[slab]
        * shower.energy
        * tables.own_energy[slab]
        / shower.critical_energy
        * (end - start)
        * profile(middle, shower.alpha, shower.beta, shower.log_gamma)
    )
    n_mean = mean_energy / (stretch * straight + knock_on * knock_on_energy + compton * compton_energy)
    core = (_CORE_START + _CORE_GROWTH * tau * tau) * shower.moliere_radius
    tail = (_TAIL_START + _TAIL_GROWTH * tau) * shower.radiation_length
    albedo = tables.albedo * math.sqrt(shower.energy / shower.critical_energy) * math.exp(-middle)
    reach = _REACH * shower.radiation_length

    inside, outside, n_crossings = 0.0, 0.0, 0
    n_leading = 1 if middle < leading else 0
    n_clusters = poisson(rng, max(n_mean - n_leading - excess, 0.0) / (1.0 + tables.pairs))
    scale = (stretch - STRAIGHT) / (MEAN_CROSSING - STRAIGHT)
    for k in range(n_leading + n_clusters):
        is_leading = k < n_leading
        radius = 0.0 if is_leading else draw_radius(rng, core, reach)
        cos, sin = azimuth(rng)
        a, b = radius * cos, radius * sin
        n_tracks = 2 if not is_leading and uniform(rng) < tables.pairs else 1
        n_crossings += n_tracks
        for _ in range(n_tracks):
            if is_leading:
                energy = straight * (_LEADING_MODE - _LEADING_SCALE * math.log(-math.log(uniform(rng))))
            else:
                factor = _quantile(tables.crossing_quantiles, uniform(rng))
                energy = straight * (factor if factor < STRAIGHT else STRAIGHT + (factor - STRAIGHT) * scale)
            kept = _track(medium, cells, rng, shower, slab, s, path, a, b, energy, straight, track)
            inside, outside = inside + kept, outside + energy - kept
            track -= 1
            if uniform(rng) < knock_on:
                energy = _KNOCK_ON_LEAST / (1.0 - knock_on_gap * uniform(rng))
                kept = _track(medium, cells, rng, shower, slab, s, path, a, b, energy, straight, track)
                inside, outside = inside + kept, outside + energy - kept
                track -= 1
    n_compton = poisson(rng, n_mean * compton)
    for k in range(n_compton + poisson(rng, albedo)):
        radius = draw_radius(rng, tail if k < n_compton else _ALBEDO_RADIUS * shower.radiation_length, reach)
        cos, sin = azimuth(rng)
        energy = compton_energy * _quantile(tables.compton_quantiles, uniform(rng))
        a, b = radius * cos, radius * sin
        kept = _track(medium, cells, rng, shower, slab, s, path, a, b, energy, straight, track)
        inside, outside = inside + kept, outside + energy - kept
        track -= 1
    return track, inside, outside, n_crossings - n_mean


@compiled
def _track(medium, cells, rng, shower, slab, s, path, a, b, energy, straight, track):
    """A track in a thin slab, (a, b) across the axis where it enters; returns what it left in the box."""
    # along the shower's axis to the plane in the middle of the slab, so that all tracks have its depth
    middle = s + 0.5 * path
    along = middle - (a * shower.az + b * shower.bz) / shower.uz
    x = shower.x + along * shower.ux + a * shower.ax + b * shower.bx
    y = shower.y + along * shower.uy + a * shower.ay + b * shower.by
    if abs(x) > medium.half_x or abs(y) > medium.half_y:
        return 0.0
    # energy tells the length; what is longer than the slab is thick goes aside
    length = path * energy / (_SLANT * straight)
    z, x_end, y_end = shower.z + middle * shower.uz, x, y
    rise = min(length, path)
    if length > path:
        aside = math.sqrt(length * length - path * path)
        cos, sin = azimuth(rng)
        x_end = min(max(x + aside * cos, -medium.half_x), medium.half_x)
        y_end = min(max(y + aside * sin, -medium.half_y), medium.half_y)
    deposit(medium, cells, slab, x, y, z - 0.5 * rise, x_end, y_end, z + 0.5 * rise, energy, track, shower.time)
    return energy


@compiled
def _quantile(table, u):
    place = u * (table.shape[0] - 1)
    k = int(place)
    return table[k] + (place - k) * (table[k + 1] - table[k])
