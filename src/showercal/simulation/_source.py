"""The contract of what starts events: a gun, a list, the truth of other events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from showercal.simulation._primaries import Primaries


class ParticleSource(ABC):
    """Gives the particles of any range of events. Event k depends on (seed, k) alone."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What kind of source it is: the key of its description in plans and provenance."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What it shoots, in a word or two for people."""

    @property
    @abstractmethod
    def particles(self) -> tuple[str, ...]:
        """All particles that may occur, names of `PARTICLES`."""

    @property
    @abstractmethod
    def n_events(self) -> int | None:
        """How many events it has, or None where any number can be asked for."""

    @property
    @abstractmethod
    def keeps_particles(self) -> bool:
        """Whether events carry the truth of each particle: where energy and impact point do not say everything."""

    @abstractmethod
    def primaries(self, seed: int, first_event: int, n_events: int) -> Primaries:
        """The particles of events ``first_event`` to ``first_event + n_events``.

        Raises:
            RecipeError: If seed or event numbers are out of range.
        """

    @abstractmethod
    def to_dict(self) -> Mapping[str, Any]:
        """JSON-ready description that decides the particles."""

    @abstractmethod
    def command_options(self) -> list[str]:
        """The words of the command line that ask for this source."""


def number_text(value: float) -> str:
    """The shortest text that gives the same number.

    Example:
        >>> number_text(75.0), number_text(1 / 3)
        ('75', '0.3333333333333333')
    """
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)
