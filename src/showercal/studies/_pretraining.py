"""The events of a pretraining: found or made, and split."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from showercal.detectors import BoxCalorimeter
from showercal.errors import DataError, RecipeError
from showercal.events import Events
from showercal.readers import open_any
from showercal.simulation import (
    SEEN,
    Backend,
    ParticleGun,
    ShowerTask,
    build_backend,
    default_half_widths,
    parse_spectrum,
    simulate,
)
from showercal.storage import EventSource
from showercal.studies._cache import digest
from showercal.studies._data import file_hashes, fingerprint, locate, read_events
from showercal.studies._recipe import DataConfig, GunConfig, PretrainConfig, Recipe, SimulatedConfig, StoredConfig


@dataclass(frozen=True)
class SimulatedSource:
    """Events of what was shot in the study, by another simulator.

    Args:
        task: What is simulated.
        n_events: How many.
        backend: The simulator.
        folder: Below it the events are kept.
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

    def read(self) -> Events:
        """All of them; those that are not there are made, and those of other options removed."""
        folder = self.folder / f"events-{self.key}"
        for other in self.folder.glob("events-*"):
            if other != folder:
                shutil.rmtree(other)
        task = self.task
        sample = simulate(
            task.calorimeter,
            task.source,
            self.n_events,
            seed=task.seed,
            backend=self.backend,
            folder=folder,
            workers=os.cpu_count() or 1,
            progress=True,
        )
        return sample.read()


@dataclass(frozen=True)
class StoredSource:
    """Events that are there already.

    Args:
        data: Where, and how to read them.
    """

    data: DataConfig

    @property
    def key(self) -> str:
        """Hash of the events."""
        return fingerprint(self.data)

    def read(self) -> Events:
        """All of them."""
        return read_events(self.data)


def pretraining_events(recipe: Recipe, config: PretrainConfig, folder: Path) -> SimulatedSource | StoredSource:
    """The events of a pretraining, not yet read or made.

    Args:
        recipe: The study, whose detector and particles they share.
        config: Its pretraining.
        folder: Where simulated events go.

    Raises:
        RecipeError: If the simulator is unknown, or nothing says what was shot in the study.
        DataError: If they are the events of the study, or those carry no geometry to simulate in.
        SimulationError: If the simulator is not installed.
    """
    study = open_any(locate(recipe.data), recipe.data.mapping)
    if isinstance(config.events, StoredConfig):
        shared = set(file_hashes(config.events.data)) & set(file_hashes(recipe.data))
        if shared:
            raise DataError(
                f"pretrain.events.path {config.events.path} holds events of the study itself, test events among them: "
                "name others"
            )
        return StoredSource(config.events.data)
    backend = build_backend(config.events.backend, **_seen(study, config.events))
    if study.geometry is None:
        raise DataError(
            "the events of the study carry no geometry, so none like them can be simulated; name it in the mapping "
            "(geometry: toy-sandwich), or pretrain on stored events: --pretrain FOLDER"
        )
    calorimeter = BoxCalorimeter.from_dict(study.geometry)
    task = ShowerTask(calorimeter, _gun(study, recipe.data.gun, calorimeter), config.events.seed)
    _check_not_the_same(study.provenance, task, backend, config.events)
    return SimulatedSource(task, config.events.n_events, backend, folder)


def split_for_stopping(events: Events, config: PretrainConfig) -> tuple[Events, Events]:
    """Events to learn from and events to stop on, at random but always the same."""
    order = np.random.default_rng([1, len(events)]).permutation(len(events))
    n_validation = max(1, round(config.validation * len(events)))
    return events[np.sort(order[n_validation:])], events[np.sort(order[:n_validation])]


def _gun(study: EventSource, told: GunConfig | None, calorimeter: BoxCalorimeter) -> ParticleGun:
    """What was shot in the study: as its events say, else as the recipe does."""
    if "gun" in study.provenance:
        return ParticleGun.from_dict(study.provenance["gun"])
    if told is None:
        raise RecipeError(
            "nothing says what was shot in the study, so no events like it can be simulated for the pretraining: set "
            "data.gun, e.g. --set 'data.gun={particle: e-, energy: \"0:10\"}'"
        )
    widths = default_half_widths(calorimeter) if told.position is None else told.position
    return ParticleGun(told.particle, parse_spectrum(told.energy), *widths)


def _seen(study: EventSource, config: SimulatedConfig) -> dict[str, Any]:
    """What is seen of a shower: as the recipe says, else as the events of the study do."""
    made = study.provenance.get("settings", {})
    told = {key: getattr(config, key, None) for key in SEEN}
    return {key: made[key] for key in SEEN if key in made} | {
        k: value for k, value in told.items() if value is not None
    }


def _check_not_the_same(made: Mapping[str, Any], task: ShowerTask, backend: Backend, config: SimulatedConfig) -> None:
    """Refuse to make the events of the study once more, test events among them."""
    if (made.get("backend"), made.get("seed"), made.get("gun")) == (backend.name, task.seed, task.source.to_dict()):
        raise DataError(
            f"the events of the study were made by {backend.name} with seed {config.seed}, too, so the pretraining "
            "would learn from test events: set another pretrain.events.seed"
        )
