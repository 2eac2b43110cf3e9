"""The plan of a run: what a folder is to hold, kept beside its parts so that an interrupted run can resume."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from showercal.errors import DataError, SimulationError
from showercal.simulation._backend import Chunk
from showercal.storage import open_events, part_files

PLAN_FILE: Final = "simulation.json"
_FORMAT: Final = 1


@dataclass(frozen=True)
class SimulationPlan:
    """Everything that decides the events of a folder and how they are cut into parts.

    Args:
        n_events: Events in all.
        chunk_size: Events per part.
        decisions: Calorimeter, particles, seed, backend, its settings and versions: JSON-ready, by name.
        file: Name of the file that keeps the plan.
    """

    n_events: int
    chunk_size: int
    decisions: Mapping[str, Any]
    file: str = PLAN_FILE

    def chunks(self) -> list[Chunk]:
        """All chunks, in order.

        Example:
            >>> [chunk.n_events for chunk in SimulationPlan(25, 10, {}).chunks()]
            [10, 10, 5]
        """
        starts = range(0, self.n_events, self.chunk_size)
        return [Chunk(k, start, min(self.chunk_size, self.n_events - start)) for k, start in enumerate(starts)]

    def missing(self, folder: Path) -> list[Chunk]:
        """Chunks that the folder does not hold whole."""
        return [chunk for chunk in self.chunks() if _rows(part_path(folder, chunk)) != chunk.n_events]

    def save(self, folder: Path) -> None:
        """Write the plan into the folder."""
        data = {"format": _FORMAT, "n_events": self.n_events, "chunk_size": self.chunk_size, **self.decisions}
        temporary = folder / f".{self.file}.tmp"
        temporary.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")
        temporary.replace(folder / self.file)


def part_path(folder: Path, chunk: Chunk) -> Path:
    """Where a chunk is written."""
    return folder / f"part-{chunk.number:05d}.parquet"


def clear_plan(folder: Path, file: str = PLAN_FILE) -> None:
    """Remove the parts and the plan of a run, and nothing else."""
    if folder.is_dir():
        for path in [*part_files(folder), folder / file]:
            path.unlink(missing_ok=True)


def resume_plan(
    folder: Path,
    n_events: int,
    chunk_size: int | None,
    default_chunk_size: int,
    decisions: Mapping[str, Any],
    *,
    file: str = PLAN_FILE,
) -> SimulationPlan:
    """The plan for a folder: its own when it has one for the same events, else a new one.

    Args:
        folder: Where the events are or will be.
        n_events: Events asked for.
        chunk_size: Events per part asked for; None goes on with the folder's own, or takes the default.
        default_chunk_size: For a new folder.
        decisions: As in `SimulationPlan`.
        file: Name of the file that keeps the plan.

    Raises:
        SimulationError: If the folder holds events of another plan, or of none.
    """
    path = folder / file
    if not path.exists():
        if folder.is_dir() and part_files(folder):
            raise SimulationError(
                f"{folder} holds events but no {file}, so they cannot be continued; choose another folder, or ask "
                "to overwrite it"
            )
        return SimulationPlan(n_events, chunk_size or default_chunk_size, decisions, file)
    try:
        stored = json.loads(path.read_text())
    except json.JSONDecodeError as fault:
        raise SimulationError(f"{path} is damaged ({fault}); ask to overwrite the folder") from fault
    asked = {
        "format": _FORMAT,
        "n_events": n_events,
        "chunk_size": chunk_size or stored.get("chunk_size"),
        **json.loads(json.dumps(decisions)),
    }
    differences = _differences(stored, asked)
    if differences:
        raise SimulationError(
            f"{folder} was begun with other options, so the run cannot go on there: {'; '.join(differences)}. Choose "
            "another folder, use the same options, or ask to overwrite it"
        )
    return SimulationPlan(n_events, asked["chunk_size"], decisions, file)


def _differences(stored: Any, asked: Any, name: str = "") -> list[str]:
    """Where two plans differ, as readable pieces; a nested option is named by its dotted path."""
    if isinstance(stored, dict) and isinstance(asked, dict):
        found = []
        for key in sorted(stored.keys() | asked.keys()):
            path = f"{name}.{key}" if name else key
            found += _differences(stored.get(key), asked.get(key), path)
        return found
    if stored == asked:
        return []
    if isinstance(stored, (list, dict)) or isinstance(asked, (list, dict)):
        return [f"{name} differs"]
    return [f"{name} was {stored!r}, now {asked!r}"]


def _rows(part: Path) -> int | None:
    if not part.exists():
        return None
    try:
        return open_events(part).n_events
    except DataError:
        return None  # damaged: it is made again
