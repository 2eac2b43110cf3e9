"""The energy grid of all tables: 16 linear steps in every octave, 2^-7 to 2^24 MeV, found without a logarithm."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from showercal.simulation.fast._compiled import inlined

_FIRST_OCTAVE: Final = -7
_N_OCTAVES: Final = 31
_STEPS: Final = 16
_BIAS: Final = (1023 + _FIRST_OCTAVE) * _STEPS  # exponent of a double, in steps
_FRACTION: Final = 1.0 / (1 << 48)

LOWEST: Final = 2.0**_FIRST_OCTAVE
N_ENERGIES: Final = _N_OCTAVES * _STEPS + 1

ENERGIES: Final[NDArray[np.float64]] = np.concatenate(
    [
        (2.0 ** (_FIRST_OCTAVE + np.arange(_N_OCTAVES)[:, None]) * (1 + np.arange(_STEPS) / _STEPS)).ravel(),
        [2.0 ** (_FIRST_OCTAVE + _N_OCTAVES)],
    ]
)


@inlined
def place(energy):
    """(k, f) with energy = (1 - f) ENERGIES[k] + f ENERGIES[k + 1], clipped to the grid; energies in MeV.

    The octave is the exponent of the double and the step the first four bits of its mantissa.
    """
    bits = np.float64(energy).view(np.int64)
    k = (bits >> 48) - _BIAS
    if k < 0:
        return 0, 0.0
    if k >= N_ENERGIES - 1:
        return N_ENERGIES - 2, 1.0
    return k, (bits & ((1 << 48) - 1)) * _FRACTION
