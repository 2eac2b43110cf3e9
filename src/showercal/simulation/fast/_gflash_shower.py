"""One GFLASH shower: where it runs and the shape that was drawn for it."""

from __future__ import annotations

import math
from typing import NamedTuple

from showercal.simulation.fast._compiled import compiled
from showercal.simulation.fast._gflash_profiles import (
    SAMPLING_CORRELATION,
    draw_shape,
    fluctuations,
    typical_shape,
)
from showercal.simulation.fast._random import uniform


class GflashShower(NamedTuple):
    """One shower.

    Attributes:
        energy: [MeV].
        x, y, z: Where it starts, [mm].
        ux, uy, uz: Its axis.
        ax, ay, az, bx, by, bz: Two directions across it.
        time: [ns].
        alpha, beta, log_gamma: Of its longitudinal profile; log_gamma = ln Gamma(alpha).
        maximum: T, [X0].
        relative: tau = t / T of the mean shower, per X0.
        z_effective, critical_energy, moliere_radius, radiation_length: Of the mean material; [MeV], [mm].
    """

    energy: float
    x: float
    y: float
    z: float
    ux: float
    uy: float
    uz: float
    ax: float
    ay: float
    az: float
    bx: float
    by: float
    bz: float
    time: float
    alpha: float
    beta: float
    log_gamma: float
    maximum: float
    relative: float
    z_effective: float
    critical_energy: float
    moliere_radius: float
    radiation_length: float


@compiled
def draw_shower(tables, rng, slab, energy, x, y, z, ux, uy, uz, time):
    """The shape of a shower that starts in this slab."""
    critical, z_eff = tables.critical_energy[slab], tables.z[slab]
    ln_y = math.log(energy / critical)
    e_over_mip, shift_maximum, shift_alpha = 1.0, 0.0, 0.0
    sigma_maximum, sigma_alpha, correlation = fluctuations(ln_y)
    if tables.has_sampled:
        e_over_mip = tables.typical_e_over_mip[slab]
        scale = math.log(critical / 8.9)
        shift_maximum, shift_alpha = tables.shift_maximum * scale, tables.shift_alpha * scale
        sigma_maximum *= tables.width_maximum
        sigma_alpha *= tables.width_alpha
        correlation += SAMPLING_CORRELATION
    typical_maximum, typical_alpha = typical_shape(ln_y, z_eff, e_over_mip, shift_maximum, shift_alpha)
    maximum, alpha = draw_shape(rng, typical_maximum, typical_alpha, sigma_maximum, sigma_alpha, correlation)
    # the publication's tau_i = t / <t>_i * mean <t> / mean T with <t> = T alpha / (alpha - 1)
    relative = (alpha - 1.0) / (alpha * maximum) * typical_alpha / (typical_alpha - 1.0)
    # two directions across the axis
    if abs(uz) < 0.9:
        norm = math.sqrt(ux * ux + uy * uy)
        ax, ay, az = -uy / norm, ux / norm, 0.0
    else:
        norm = math.sqrt(uz * uz + uy * uy)
        ax, ay, az = 0.0, uz / norm, -uy / norm
    return GflashShower(
        energy=energy,
        x=x,
        y=y,
        z=z,
        ux=ux,
        uy=uy,
        uz=uz,
        ax=ax,
        ay=ay,
        az=az,
        bx=uy * az - uz * ay,
        by=uz * ax - ux * az,
        bz=ux * ay - uy * ax,
        time=time,
        alpha=alpha,
        beta=(alpha - 1.0) / maximum,
        log_gamma=math.lgamma(alpha),
        maximum=maximum,
        relative=relative,
        z_effective=z_eff,
        critical_energy=critical,
        moliere_radius=tables.moliere_radius[slab],
        radiation_length=tables.mean_radiation_length[slab],
    )


@compiled
def draw_radius(rng, scale, reach):
    """Distance from the axis, at most `reach`: r = R sqrt(u / (1 - u)), of the density 2 r R^2 / (r^2 + R^2)^2."""
    u = uniform(rng) * reach * reach / (reach * reach + scale * scale)
    return scale * math.sqrt(u / (1.0 - u))
