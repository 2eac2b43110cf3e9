"""Units. Inside showercal energies are in GeV, lengths in mm, times in ns, angles in rad, fields in T.

Readers convert once, at the door; every other stage relies on it.
"""

from __future__ import annotations

from typing import Final

from showercal.errors import DataError, nearest

INTERNAL: Final[dict[str, str]] = {
    "energy": "GeV",
    "length": "mm",
    "time": "ns",
    "angle": "rad",
    "magnetic field": "T",
    "number": "1",
}

_SCALE: Final[dict[str, tuple[str, float]]] = {
    "eV": ("energy", 1e-9),
    "keV": ("energy", 1e-6),
    "MeV": ("energy", 1e-3),
    "GeV": ("energy", 1.0),
    "TeV": ("energy", 1e3),
    "PeV": ("energy", 1e6),
    "nm": ("length", 1e-6),
    "um": ("length", 1e-3),
    "mm": ("length", 1.0),
    "cm": ("length", 10.0),
    "m": ("length", 1e3),
    "fs": ("time", 1e-6),
    "ps": ("time", 1e-3),
    "ns": ("time", 1.0),
    "us": ("time", 1e3),
    "ms": ("time", 1e6),
    "s": ("time", 1e9),
    "rad": ("angle", 1.0),
    "mrad": ("angle", 1e-3),
    "deg": ("angle", 0.017453292519943295),
    "mT": ("magnetic field", 1e-3),
    "T": ("magnetic field", 1.0),
    "1": ("number", 1.0),
}


def dimension(unit: str) -> str:
    """Physical dimension of a unit: energy, length, time, angle, magnetic field or number.

    Raises:
        DataError: If the unit is not known.

    Example:
        >>> dimension("MeV")
        'energy'
    """
    return _lookup(unit)[0]


def to_internal(unit: str) -> float:
    """Factor that turns a value in ``unit`` into the internal unit of its dimension.

    Raises:
        DataError: If the unit is not known.

    Example:
        >>> 500 * to_internal("MeV")
        0.5
    """
    return _lookup(unit)[1]


def internal_unit(unit: str) -> str:
    """The internal unit of the same dimension, e.g. ``GeV`` for ``MeV``."""
    return INTERNAL[dimension(unit)]


def _lookup(unit: str) -> tuple[str, float]:
    if unit not in _SCALE:
        raise DataError(f"unknown unit {unit!r}; {nearest(unit, _SCALE)}")
    return _SCALE[unit]
