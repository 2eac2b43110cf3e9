"""Particles that are still to be followed: last in, first out, so that few wait at a time."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from showercal.simulation.fast._compiled import inlined
from showercal.simulation.fast._records import new_record

ELECTRON: Final = 0
POSITRON: Final = 1
PHOTON: Final = 2
MUON_MINUS: Final = 3
MUON_PLUS: Final = 4
PION_MINUS: Final = 5
PION_PLUS: Final = 6
PION_ZERO: Final = 7
KAON_MINUS: Final = 8
KAON_PLUS: Final = 9
KAON_LONG: Final = 10
KAON_SHORT: Final = 11
PROTON: Final = 12
ANTIPROTON: Final = 13
NEUTRON: Final = 14
ANTINEUTRON: Final = 15

CAPACITY: Final = 1 << 16

# Rows: kind, kinetic energy [MeV], x, y, z [mm], direction ux, uy, uz, time [ns].
STACK: Final = np.dtype([("size", np.int64), ("values", np.float64, (CAPACITY, 9))], align=True)


def new_stack() -> Any:
    """An empty stack, a record of layout `STACK`."""
    return new_record(STACK)


@inlined
def push(stack, kind, energy, x, y, z, ux, uy, uz, time):
    """Put a particle on the stack; energies are kinetic, [MeV].

    Raises:
        OverflowError: If the stack is full; a shower whose particles multiply so is a fault of the physics.
    """
    n = stack.size
    if n >= CAPACITY:
        raise OverflowError("a shower has more particles waiting than its stack can hold")
    stack.values[n, 0] = kind
    stack.values[n, 1] = energy
    stack.values[n, 2] = x
    stack.values[n, 3] = y
    stack.values[n, 4] = z
    stack.values[n, 5] = ux
    stack.values[n, 6] = uy
    stack.values[n, 7] = uz
    stack.values[n, 8] = time
    stack.size = n + 1
