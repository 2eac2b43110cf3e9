"""Events that a study makes itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from showercal.detectors import BoxCalorimeter, detector
from showercal.errors import DataError
from showercal.simulation import (
    Backend,
    ParticleGun,
    ShowerTask,
    build_backend,
    default_half_widths,
    parse_spectrum,
    simulate,
)
from showercal.studies._cache import digest
from showercal.studies._recipe import DataConfig, GunConfig

_FOLDER: Final = "simulated"  # in that of the run


@dataclass(frozen=True)
class Simulation:
    """Events to be made, or made before.

    Args:
        task: What is simulated.
        n_events: How many.
        backend: The simulator.
        folder: Below it they are kept.
    """

    task: ShowerTask
    n_events: int
    backend: Backend
    folder: Path

    @property
    def key(self) -> str:
        """Hash of all that decides the events."""
        task = self.task
        made_by = [self.backend.name, dict(self.backend.settings(task)), dict(self.backend.versions)]
        return digest(task.calorimeter.to_dict(), task.source.to_dict(), task.seed, self.n_events, made_by)

    def make(self) -> Path:
        """The folder of all of them; those that are not there are made. Those of other options stay beside it.

        Raises:
            SimulationError: If the simulator cannot run or fails; what is made by then is kept.
        """
        folder = self.folder / f"events-{self.key}"
        simulate(
            self.task.calorimeter,
            self.task.source,
            self.n_events,
            seed=self.task.seed,
            backend=self.backend,
            folder=folder,
            workers=os.cpu_count() or 1,
            progress=True,
        )
        return folder


def gun_of(config: GunConfig, calorimeter: BoxCalorimeter) -> ParticleGun:
    """The gun that a recipe describes."""
    widths = default_half_widths(calorimeter) if config.position is None else config.position
    return ParticleGun(config.particle, parse_spectrum(config.energy), *widths)


def with_events(data: DataConfig, run: Path, *, say: Callable[[str], None] = lambda _: None) -> DataConfig:
    """The same with events that are there: where a study makes them itself, they are made now unless they were before.

    Args:
        data: Of the study.
        run: Folder of the run.
        say: Told of events of earlier options in the folder of the run, which only the user removes.

    Raises:
        RecipeError: If the simulator or one of its options is unknown.
        GeometryError: If the detector is.
        SimulationError: If the simulator cannot run or fails.
    """
    config = data.simulated
    if not data.is_simulated:
        return data
    assert config is not None
    assert data.gun is not None
    calorimeter = detector(config.detector)
    task = ShowerTask(calorimeter, gun_of(data.gun, calorimeter), config.seed)
    backend = build_backend(config.backend, **config.options)
    made = Simulation(task, config.n_events, backend, _place(data, run)).make()
    earlier = [] if config.folder is not None else sorted(set(made.parent.glob("events-*")) - {made})
    if earlier:
        names = ", ".join(path.name for path in earlier)
        say(f"{made.parent} also holds events of earlier options, which may be removed: {names}")
    return _stored(data, made)


def with_events_of(data: DataConfig, run: Path, name: str) -> DataConfig:
    """The same with the events that a finished run was made with.

    Args:
        data: Of the study.
        run: Folder of the run.
        name: That of the file or folder of its events.

    Raises:
        DataError: If they are simulated events that are gone.
    """
    if not data.is_simulated:
        return data
    path = _place(data, run) / name
    if not path.is_dir():
        raise DataError(f"the events of {run} are gone from {path}: run it again with the same --out to make them")
    return _stored(data, path)


def _place(data: DataConfig, run: Path) -> Path:
    assert data.simulated is not None
    return run / _FOLDER if data.simulated.folder is None else Path(data.simulated.folder)


def _stored(data: DataConfig, path: Path) -> DataConfig:
    return data.model_copy(update={"events": str(path)})
