"""Directions: turned by an angle, bent by the magnetic field."""

from __future__ import annotations

import math
from typing import Final

from showercal.simulation.fast._compiled import compiled, inlined

# Momentum over charge and radius: p [MeV] = 0.299792458 B [T] r [mm].
CURVATURE: Final = 0.299792458


@inlined
def turn(ux, uy, uz, cosine, cos_phi, sin_phi):
    """The unit vector at a polar angle (its cosine) and azimuth about (ux, uy, uz)."""
    sine = math.sqrt(max(0.0, 1.0 - cosine * cosine))
    across2 = ux * ux + uy * uy
    if across2 < 1e-20:
        sign = 1.0 if uz > 0 else -1.0
        return sine * cos_phi, sine * sin_phi, sign * cosine
    across = math.sqrt(across2)
    a, b = sine * cos_phi / across, sine * sin_phi / across
    vx = ux * cosine + a * ux * uz - b * uy
    vy = uy * cosine + a * uy * uz + b * ux
    vz = uz * cosine - a * across2
    # rounding adds up over thousands of turns
    norm = 1.0 / math.sqrt(vx * vx + vy * vy + vz * vz)
    return vx * norm, vy * norm, vz * norm


@compiled
def bend(field, ux, uy, uz, charge, momentum, length):
    """Direction after a path in a uniform field: turned about the field by charge * 0.2998 B length / momentum.

    Args:
        field: (Bx, By, Bz), [T].
        charge: In units of the proton's.
        momentum: [MeV].
        length: Path, [mm].
    """
    strength = math.sqrt(field[0] ** 2 + field[1] ** 2 + field[2] ** 2)
    nx, ny, nz = field[0] / strength, field[1] / strength, field[2] / strength
    angle = -charge * CURVATURE * strength * length / momentum
    c, s = math.cos(angle), math.sin(angle)
    dot = (nx * ux + ny * uy + nz * uz) * (1.0 - c)
    return (
        ux * c + (ny * uz - nz * uy) * s + nx * dot,
        uy * c + (nz * ux - nx * uz) * s + ny * dot,
        uz * c + (nx * uy - ny * ux) * s + nz * dot,
    )
