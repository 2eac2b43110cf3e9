"""How the functions of the showers are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile with Numba on the first call; kept on disk, free of Python's lock, division by zero as in C."""
    made: Callable[..., Any] = njit(cache=True, nogil=True, error_model="numpy")(function)
    return made


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """`compiled` into each caller: small functions of many arguments, whose passing would cost more than their work."""
    made: Callable[..., Any] = njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function)
    return made
