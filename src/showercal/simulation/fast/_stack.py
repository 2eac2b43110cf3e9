"""Particles that are still to be followed: last in, first out, so that few wait at a time."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

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


class Stack(NamedTuple):
    """Particles in wait.

    Attributes:
        values: One row per particle: kind, kinetic energy [MeV], x, y, z [mm], direction ux, uy, uz, time [ns]; shape
            (capacity, 9).
        size: How many rows are in use, shape (1,).
    """

    values: NDArray[np.float64]
    size: NDArray[np.int64]


def new_stack(capacity: int = CAPACITY) -> Stack:
    """An empty stack."""
    return Stack(np.zeros((capacity, 9)), np.zeros(1, np.int64))


@njit(cache=True)
def push(stack, kind, energy, x, y, z, ux, uy, uz, time):
    """Put a particle on the stack; energies are kinetic, [MeV].

    Raises:
        OverflowError: If the stack is full; a shower whose particles multiply so is a fault of the physics.
    """
    n = stack.size[0]
    if n >= stack.values.shape[0]:
        raise OverflowError("a shower has more particles waiting than its stack can hold")
    row = stack.values[n]
    row[0] = kind
    row[1] = energy
    row[2] = x
    row[3] = y
    row[4] = z
    row[5] = ux
    row[6] = uy
    row[7] = uz
    row[8] = time
    stack.size[0] = n + 1
