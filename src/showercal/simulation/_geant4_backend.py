"""The real Geant4 as a backend: the same geometry object, built in worker processes."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from showercal.errors import SimulationError
from showercal.simulation._backend import Backend, Chunk, ShowerTask
from showercal.simulation._geant4_data import GEANT4_VERSIONS, find_geant4_data
from showercal.simulation._geant4_options import Geant4Options
from showercal.simulation._messages import pack_primaries
from showercal.simulation._showers import Showers
from showercal.simulation._worker_pool import WorkerPool, worker_environment

_WORKER: Final = (sys.executable, "-P", "-m", "showercal.simulation._geant4_worker")


@dataclass(frozen=True)
class Geant4Backend(Backend):
    """Runs Geant4 through geant4-pybind (extra ``showercal[geant4]``), one kernel per worker process.

    Args:
        options: Physics list, cuts and what is scored.
        max_attempts: How often a chunk may crash Geant4 before the run is given up.

    References:
        S. Agostinelli et al. (Geant4), Nucl. Instrum. Meth. A 506 (2003) 250;
        J. Allison et al., Nucl. Instrum. Meth. A 835 (2016) 186.
    """

    options: Geant4Options = field(default_factory=Geant4Options)
    max_attempts: int = 3

    @property
    def name(self) -> str:
        return "geant4"

    @property
    def versions(self) -> Mapping[str, str]:
        """Of Geant4 and geant4-pybind.

        Raises:
            SimulationError: If geant4-pybind is not installed, or in a version with another Geant4.
        """
        try:
            binding = version("geant4-pybind")
        except PackageNotFoundError as fault:
            raise SimulationError("the geant4 backend is not installed; pip install 'showercal[geant4]'") from fault
        if binding not in GEANT4_VERSIONS:
            raise SimulationError(
                f"the geant4 backend needs geant4-pybind {' or '.join(GEANT4_VERSIONS)}; got {binding}: "
                "pip install 'showercal[geant4]'"
            )
        return {"geant4": GEANT4_VERSIONS[binding], "geant4-pybind": binding}

    def settings(self, task: ShowerTask) -> Mapping[str, Any]:
        return self._resolved(task).to_dict()

    def check(self) -> None:
        if importlib.util.find_spec("geant4_pybind") is None:
            raise SimulationError("the geant4 backend is not installed; pip install 'showercal[geant4]'")
        _ = self.versions
        find_geant4_data(os.environ)

    def run(
        self,
        task: ShowerTask,
        chunks: Sequence[Chunk],
        *,
        workers: int,
        log_folder: Path,
        on_events: Callable[[int], None],
    ) -> Generator[tuple[Chunk, Showers]]:
        setup = {"calorimeter": task.calorimeter.to_dict(), "options": self._resolved(task).to_dict()}
        environment = worker_environment(GEANT4_DATA_DIR=str(find_geant4_data(os.environ)))
        pool = WorkerPool(_WORKER, environment, setup, log_folder, self.max_attempts)
        yield from pool.run(chunks, workers, on_events, lambda chunk: pack_primaries(task.entering(chunk)))

    def _resolved(self, task: ShowerTask) -> Geant4Options:
        return replace(
            self.options,
            physics_list=self.options.physics_list_for(task.source.particles),
            count_tracks=self.options.counts_tracks(task.calorimeter),
        )
