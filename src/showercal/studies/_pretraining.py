"""The events of a pretraining: found or made, and split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from showercal.detectors import BoxCalorimeter
from showercal.errors import DataError, RecipeError
from showercal.events import Events
from showercal.readers import open_any
from showercal.simulation import SEEN, Backend, ParticleGun, ShowerTask, build_backend
from showercal.storage import EventSource
from showercal.studies._cache import digest, essence
from showercal.studies._data import file_hashes, fingerprint, locate, read_events
from showercal.studies._recipe import (
    CellsAboveConfig,
    DataConfig,
    GunConfig,
    PretrainConfig,
    SimulatedConfig,
    StoredConfig,
)
from showercal.studies._simulated import Simulation, gun_of


@dataclass(frozen=True)
class SimulatedSource:
    """Events of what was shot in the study, by another simulator.

    Args:
        simulation: Makes them.
        cells_above: Which of their cells are read, as in the study; None for all.
    """

    simulation: Simulation
    cells_above: CellsAboveConfig | None = None

    @property
    def key(self) -> str:
        """Hash of all that decides the events and how they are read."""
        made = self.simulation.key
        return made if self.cells_above is None else digest(made, essence(self.cells_above))

    def read(self) -> Events:
        """All of them; those that are not there are made."""
        data = DataConfig(events=str(self.simulation.make()), cells_above=self.cells_above)
        return read_events(data, self.simulation.folder)


@dataclass(frozen=True)
class StoredSource:
    """Events that are there already.

    Args:
        data: Where, and how to read them.
        scratch: In whose file system they are kept while they are used.
    """

    data: DataConfig
    scratch: Path

    @property
    def key(self) -> str:
        """Hash of the events."""
        return fingerprint(self.data)

    def read(self) -> Events:
        """All of them."""
        return read_events(self.data, self.scratch)


def pretraining_events(data: DataConfig, config: PretrainConfig, folder: Path) -> SimulatedSource | StoredSource:
    """The events of a pretraining, not yet read or made.

    Args:
        data: The events of the study, which are there; the others share their detector, particles and cut on cells.
        config: The pretraining.
        folder: Where simulated events go.

    Raises:
        RecipeError: If the simulator is unknown, or nothing says what was shot in the study.
        DataError: If they are the events of the study, or those carry no geometry to simulate in.
        SimulationError: If the simulator is not installed.
    """
    study = open_any(locate(data), data.mapping)
    if isinstance(config.events, StoredConfig):
        shared = set(file_hashes(config.events.data)) & set(file_hashes(data))
        if shared:
            raise DataError(
                f"pretrain.events.path {config.events.path} holds events of the study itself, test events among them: "
                "name others"
            )
        return StoredSource(config.events.data.model_copy(update={"cells_above": data.cells_above}), folder)
    backend = build_backend(config.events.backend, **_seen(study) | config.events.options)
    if study.geometry is None:
        raise DataError(
            "the events of the study carry no geometry, so none like them can be simulated; name it in the mapping "
            "(geometry: toy-sandwich), or pretrain on stored events: --pretrain FOLDER"
        )
    calorimeter = BoxCalorimeter.from_dict(study.geometry)
    task = ShowerTask(calorimeter, _gun(study, data.gun, calorimeter), config.events.seed)
    _check_not_the_same(study.provenance, task, backend, config.events)
    return SimulatedSource(Simulation(task, config.events.n_events, backend, folder), data.cells_above)


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
    return gun_of(told, calorimeter)


def _seen(study: EventSource) -> dict[str, Any]:
    """What the events of the study say that is seen of a shower."""
    made = study.provenance.get("settings", {})
    return {key: made[key] for key in SEEN if key in made}


def _check_not_the_same(made: Mapping[str, Any], task: ShowerTask, backend: Backend, config: SimulatedConfig) -> None:
    """Refuse to make the events of the study once more, test events among them."""
    if (made.get("backend"), made.get("seed"), made.get("gun")) == (backend.name, task.seed, task.source.to_dict()):
        raise DataError(
            f"the events of the study were made by {backend.name} with seed {config.seed}, too, so the pretraining "
            "would learn from test events: set another pretrain.events.seed"
        )
