"""Where calibrated events go: one file, or a folder of parts. It has its name only when it is whole."""

from __future__ import annotations

import fcntl
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from showercal.errors import DataError
from showercal.events import Events
from showercal.export._root import RootBlocks
from showercal.storage import EventsWriter, ParquetBlocks, open_events, part_files

Say = Callable[[str], None]
Blocks = RootBlocks | ParquetBlocks
_PLAN_FILE: Final = "apply.json"
_FILES: Final[Mapping[str, Callable[[Path], Blocks]]] = {
    ".root": RootBlocks,
    ".parquet": ParquetBlocks,
    ".pq": ParquetBlocks,
}


class Output(ABC):
    """Takes numbered blocks of events, in order."""

    @abstractmethod
    def stored(self, number: int, n_events: int) -> Events | None:
        """The block of so many events that an interrupted run wrote, or None.

        Raises:
            DataError: If it holds another number of events.
        """

    @abstractmethod
    def write(self, events: Events, number: int) -> None:
        """Write a block that is not stored."""


def partial_path(path: Path) -> Path:
    """Where an output is written until it is whole."""
    return path.with_name(f"{path.name}.partial")


def is_folder(path: Path) -> bool:
    """Whether an output is a folder of parts, by its suffix.

    Raises:
        DataError: If the suffix says nothing.
    """
    if path.suffix.lower() in _FILES:
        return False
    if not path.suffix or path.is_dir():
        return True
    raise DataError(
        f"cannot tell what to write by the suffix {path.suffix!r} of {path}: end it in .root or .parquet, or leave the "
        "suffix out for a folder of Parquet parts"
    )


@contextmanager
def open_output(path: Path, plan: Mapping[str, Any], *, overwrite: bool, say: Say) -> Iterator[Output]:
    """An output, put in its place when the block ends well.

    When it does not, a folder keeps its finished parts and goes on for the same plan; a file is removed.

    Args:
        path: ``.root``, ``.parquet`` or a folder.
        plan: Everything that decides what is written; JSON-ready.
        overwrite: Replace what is there.
        say: Told what is done about an interrupted run.

    Raises:
        DataError: If the output is there already, another process writes it, or a run with another plan began it.
    """
    _refuse_existing(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    if is_folder(path):
        with _parts(partial, plan, overwrite, say) as output:
            yield output
            _refuse_existing(path, overwrite)  # it may have come meanwhile
            if path.is_dir():
                for part in path.iterdir():
                    part.unlink()
                path.rmdir()
            partial.rename(path)
            (path / _PLAN_FILE).unlink()
        return
    with _locked(partial, say) as is_new:
        if not is_new:
            say(f"{partial} is what an interrupted run left; a single file cannot go on: it starts again")
        try:
            with _FILES[path.suffix.lower()](partial) as blocks:
                yield _OneFile(blocks)
            _refuse_existing(path, overwrite)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


class _OneFile(Output):
    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks

    def stored(self, number: int, n_events: int) -> Events | None:
        return None

    def write(self, events: Events, number: int) -> None:
        self.blocks.write(events)


class _Parts(Output):
    def __init__(self, folder: Path) -> None:
        self.writer = EventsWriter(folder, resume=True, compression_level=3)
        self.n_finished = len(part_files(folder))

    def stored(self, number: int, n_events: int) -> Events | None:
        part = self.writer.part(number)
        if not part.exists():
            return None
        events = open_events(part).read()
        if len(events) != n_events:
            raise DataError(f"{part} holds {len(events)} events instead of {n_events}: remove it, then go on")
        return events

    def write(self, events: Events, number: int) -> None:
        self.writer.write(events, number)


@contextmanager
def _parts(folder: Path, plan: Mapping[str, Any], overwrite: bool, say: Say) -> Iterator[Output]:
    folder.mkdir(exist_ok=True)
    plan_file = folder / _PLAN_FILE
    with _locked(plan_file, say):
        text = json.dumps(plan, indent=1, sort_keys=True)
        begun = plan_file.read_text()
        if begun != text:
            parts = part_files(folder)
            if parts and not overwrite:
                raise DataError(
                    f"{folder} holds {len(parts)} parts of an interrupted run that differs from this one (see its "
                    f"{_PLAN_FILE}: model, files and chunk must be the same); repeat that run, remove the folder, or "
                    "ask to overwrite"
                )
            for part in parts:
                part.unlink()
            plan_file.write_text(text)
        for left in folder.glob(".part-*.tmp"):  # of a run that was killed
            left.unlink()
        output = _Parts(folder)
        if output.n_finished:
            say(f"{folder} holds {output.n_finished} finished parts: they are kept")
        try:
            yield output
        finally:
            if folder.is_dir() and not part_files(folder):
                plan_file.unlink()
                folder.rmdir()


@contextmanager
def _locked(path: Path, say: Say) -> Iterator[bool]:
    """Keep other processes from writing the same output, until this one ends; whether the file is new."""
    is_new = not path.exists()
    with path.open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            raise DataError(f"another process is writing {path}: wait for it, or choose another output") from fault
        except OSError:
            say(f"the file system of {path} has no locks: do not write the same output twice at once")
        yield is_new


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if not path.exists():
        return
    if is_folder(path) != path.is_dir():
        kind = "folder" if path.is_dir() else "file"
        raise DataError(f"{path} is a {kind}: choose another name for the output")
    if path.is_dir():
        found = set(path.iterdir())
        if not found:
            return
        # a run that was killed at its very end has left its plan
        if overwrite and found - {path / _PLAN_FILE} != set(part_files(path)):
            raise DataError(f"{path} holds more than parts of events, so it is not overwritten: choose another folder")
    if not overwrite:
        raise DataError(f"{path} is there already: choose another output, or ask to overwrite it")
