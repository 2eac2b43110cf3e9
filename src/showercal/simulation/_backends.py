"""The list of all simulators that a recipe can name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
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


@dataclass(frozen=True)
class BackendKind:
    """A simulator that can be asked for by name.

    Args:
        make: Makes it from its options, those that are not given at their defaults.
        options: The names of all its options.
    """

    make: Callable[..., Backend]
    options: Collection[str]


#: Simulators by name.
BACKENDS: Final[Mapping[str, BackendKind]] = MappingProxyType(
    {
        "fast": BackendKind(_fast, [field.name for field in fields(FastOptions)]),
        "geant4": BackendKind(_geant4, [field.name for field in fields(Geant4Options)]),
    }
)

#: Options that all simulators understand.
SEEN: Final = ("cut", "birks", "time_cut", "count_tracks")


def build_backend(name: str, **options: Any) -> Backend:
    """A simulator.

    Args:
        name: One of `BACKENDS`.
        **options: Of `SEEN`, and those of its own; None leaves an option at the simulator's default.

    Raises:
        RecipeError: If there is no such simulator, it has no such option, or an option is out of range.

    Example:
        >>> build_backend("fast", birks=0.1, showers=None).options.showers
        'particles'
    """
    if name not in BACKENDS:
        raise RecipeError(f"unknown backend {name!r}; {nearest(name, BACKENDS)}")
    kind, given = BACKENDS[name], {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option not in kind.options:
            owners = [other for other, known in BACKENDS.items() if option in known.options]
            if not owners:
                raise RecipeError(f"unknown option {option!r} of backend {name}; {nearest(option, kind.options)}")
            raise RecipeError(
                f"{option} is for backend {' or '.join(owners)}, not for {name}: leave it out, or choose that backend"
            )
    return kind.make(**given)
