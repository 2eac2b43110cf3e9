"""A stand-in simulator for the tests of runs, and the doors to the real Geant4 and to the reference samples."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from showercal.errors import SimulationError
from showercal.simulation import Backend, Chunk, ShowerTask, find_geant4_data
from showercal.simulation._messages import pack_primaries
from showercal.simulation._showers import Showers
from showercal.simulation._worker_pool import WorkerPool, worker_environment

WORKER = Path(__file__).with_name("stand_in_worker.py")


@dataclass(frozen=True)
class StandInBackend(Backend):
    """Worker processes like Geant4's, without Geant4: see ``stand_in_worker.py`` for the ways they can fail."""

    flags: Path
    misdeed: str = "none"
    option: int = 0
    max_attempts: int = 3

    name = "stand-in"
    versions: Mapping[str, str] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        object.__setattr__(self, "versions", {"stand-in": "1"})

    def settings(self, task: ShowerTask) -> Mapping[str, Any]:
        return {"option": self.option}

    def check(self) -> None:
        self.flags.mkdir(exist_ok=True)

    def run(
        self,
        task: ShowerTask,
        chunks: Sequence[Chunk],
        *,
        workers: int,
        log_folder: Path,
        on_events: Callable[[int], None],
    ) -> Generator[tuple[Chunk, Showers]]:
        command = (sys.executable, str(WORKER), self.misdeed, str(self.flags))
        pool = WorkerPool(command, worker_environment(), {}, log_folder, self.max_attempts)
        yield from pool.run(chunks, workers, on_events, lambda chunk: pack_primaries(task.entering(chunk)))


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[..., StandInBackend]:
    return lambda **options: StandInBackend(tmp_path / "flags", **options)


@pytest.fixture(scope="session")
def geant4() -> None:
    """Skips where the real Geant4 cannot run, saying why."""
    pytest.importorskip("importlib.util").find_spec("geant4_pybind") or pytest.skip("geant4-pybind is not installed")
    if "GEANT4_DATA_DIR" not in os.environ:
        pytest.skip("GEANT4_DATA_DIR is not set: no Geant4 data tables")
    try:
        find_geant4_data(os.environ)
    except SimulationError as fault:
        pytest.skip(str(fault))


@pytest.fixture(scope="session")
def reference_samples() -> Path:
    """Folder of the shared Geant4 reference samples."""
    given = os.environ.get("SHOWERCAL_SHARED_DATA")
    places = [Path(given)] if given else [up / "shared" / "data" for up in Path(__file__).resolve().parents[2].parents]
    for place in places:
        if (place / "g4_toy_electrons.parquet").is_file():
            return place
    pytest.skip(f"no reference samples (g4_toy_electrons.parquet) in {', '.join(map(str, places))}")
