"""How the functions of the showers are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile with Numba on the first call; kept on disk, free of Python's lock, division by zero as in C."""
    made: Callable[..., Any] = njit(cache=True, nogil=True, error_model="numpy")(function)
    return made
