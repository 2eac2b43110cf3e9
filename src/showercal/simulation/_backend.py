"""The contract of a simulator: particles in, sparse cells out, chunk by chunk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from showercal.detectors import BoxCalorimeter
from showercal.simulation._primaries import Primaries
from showercal.simulation._showers import Showers
from showercal.simulation._source import ParticleSource


@dataclass(frozen=True)
class Chunk:
    """A range of events that is simulated and written at once.

    Args:
        number: Which part of the folder it becomes.
        first_event: Number of its first event in the whole sample.
        n_events: How many events.
    """

    number: int
    first_event: int
    n_events: int


@dataclass(frozen=True)
class ShowerTask:
    """What is to be simulated.

    Args:
        calorimeter: Where.
        source: What.
        seed: Decides every event together with the event's number.
    """

    calorimeter: BoxCalorimeter
    source: ParticleSource
    seed: int

    def primaries(self, chunk: Chunk) -> Primaries:
        """The particles of a chunk as the source gives them: the truth of its events."""
        return self.source.primaries(self.seed, chunk.first_event, chunk.n_events)

    def entering(self, chunk: Chunk) -> Primaries:
        """The particles of a chunk that meet the calorimeter, each where it enters: what a backend simulates."""
        return self.primaries(chunk).entering(self.calorimeter)


class Backend(ABC):
    """A simulator. The events of a task depend on its seed and the event numbers only, never on chunks or workers."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Its name on the command line."""

    @property
    @abstractmethod
    def versions(self) -> Mapping[str, str]:
        """Versions of the programs that make the showers, by name."""

    @abstractmethod
    def settings(self, task: ShowerTask) -> Mapping[str, Any]:
        """All options that decide the showers, JSON-ready, with defaults that depend on the task filled in."""

    @abstractmethod
    def check(self) -> None:
        """Make sure that the simulator can run here.

        Raises:
            SimulationError: If something is missing, saying what to do.
        """

    @abstractmethod
    def run(
        self,
        task: ShowerTask,
        chunks: Sequence[Chunk],
        *,
        workers: int,
        log_folder: Path,
        on_events: Callable[[int], None],
    ) -> Generator[tuple[Chunk, Showers]]:
        """Simulate chunks and yield each when it is done, in any order.

        Closing the generator stops all work.

        Args:
            task: What to simulate.
            chunks: Which events.
            workers: How many processes at once.
            log_folder: Where processes may write what they say; made when missing.
            on_events: Called now and then with the number of events done since the last call; negative when the events
                of a lost chunk are made again.

        Raises:
            SimulationError: If the simulator fails for good.
        """
