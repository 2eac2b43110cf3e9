"""The list of all simulators that a recipe can name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from showercal.errors import RecipeError, nearest
from showercal.simulation._backend import Backend
from showercal.simulation._geant4_backend import Geant4Backend
from showercal.simulation._geant4_options import Geant4Options
from showercal.simulation.fast import FastBackend, FastOptions


def _fast(**options: Any) -> Backend:
    return FastBackend(FastOptions(**options))


def _geant4(**options: Any) -> Backend:
    return Geant4Backend(Geant4Options(**options))


#: Simulators by name: each is made from the options of what is seen in a cell, those that are not given at their
#: defaults.
BACKENDS: Final[Mapping[str, Callable[..., Backend]]] = MappingProxyType({"fast": _fast, "geant4": _geant4})

#: Options that all simulators understand.
SEEN: Final = ("cut", "birks", "time_cut", "count_tracks")


def build_backend(name: str, **options: Any) -> Backend:
    """A simulator.

    Args:
        name: One of `BACKENDS`.
        **options: Of `SEEN`, and those of its own.

    Raises:
        RecipeError: If there is no such simulator, or an option is out of range.
    """
    if name not in BACKENDS:
        raise RecipeError(f"unknown backend {name!r}; {nearest(name, BACKENDS)}")
    return BACKENDS[name](**options)
