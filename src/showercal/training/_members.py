"""Fitting the members of an ensemble: one after the other, or each in a process of its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from showercal.errors import TrainingError
from showercal.estimator import Estimator
from showercal.events import Events
from showercal.storage import EventsWriter
from showercal.training._single import SINGLE_METHODS, AnySingleConfig, build_single, load_one_of

# Events in a file for the processes, whose lists count their hits in 32 bits.
_WRITTEN_AT_A_TIME: Final = 10_000
# Of zstd, for files that are read once by each process.
_COMPRESSION: Final = 1


@dataclass(frozen=True)
class Member:
    """One member of an ensemble, before its fit.

    Args:
        config: Its options.
        fold: Positions of the training events that it is stopped on; it learns from the others.
        folder: Where it is kept.
        start: Fitted method that it starts from, or None.
    """

    config: AnySingleConfig
    fold: NDArray[np.int64]
    folder: Path
    start: Estimator | None = None

    @property
    def model(self) -> Path:
        """Where the fitted member is, once it is whole."""
        return self.folder / "model"


def fit_member(member: Member, train: Events, *, progress: bool) -> None:
    """Fit a member and keep it, whole or not at all; a fit that was killed goes on after its last epoch.

    Args:
        member: Which.
        train: Training events of the whole ensemble.
        progress: Whether to show a bar.
    """
    learns = np.delete(np.arange(len(train)), member.fold)
    method = build_single(member.config, member.start, progress=progress)
    method.fit(train[learns], train[member.fold], member.folder / "work")
    unfinished = member.folder / ".model.tmp"
    shutil.rmtree(unfinished, ignore_errors=True)
    method.save(unfinished)
    unfinished.rename(member.model)
    shutil.rmtree(member.folder / "work", ignore_errors=True)  # which methods without epochs do not make


def fit_in_processes(members: Sequence[Member], train: Events, shared: Path, workers: int) -> None:
    """Fit members at the same time, in processes that share the threads of this one.

    The processes are started anew and not forked, which threads of PyTorch would not survive; as with all of Python's
    multiprocessing, a script that comes here needs ``if __name__ == "__main__":``. When one fails, on Ctrl-C, and when
    this process dies, all end: what they finished is kept.

    Args:
        members: Which.
        train: Training events of the whole ensemble.
        shared: Folder where these lie meanwhile for the processes.
        workers: How many at once.

    Raises:
        TrainingError: If a process died.
        Exception: What the fit of a member raised.
    """
    context = multiprocessing.get_context("spawn")
    threads = max(1, torch.get_num_threads() // min(workers, len(members)))
    waiting, running = list(members), dict[Connection, BaseProcess]()
    with EventsWriter(shared, overwrite=True, compression_level=_COMPRESSION) as writer:
        for start in range(0, len(train), _WRITTEN_AT_A_TIME):
            writer.write(train[start : start + _WRITTEN_AT_A_TIME])
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                member = waiting.pop(0)
                if member.start is not None:
                    member.start.save(member.folder / "start")
                ours, theirs = context.Pipe(duplex=False)
                arguments = theirs, replace(member, start=None), shared, threads
                running[ours] = context.Process(target=_work, args=arguments, daemon=True)
                running[ours].start()
                theirs.close()
            for connection in wait(list(running)):
                assert isinstance(connection, Connection)
                _end(connection, running[connection])
                running.pop(connection)
    finally:
        for process in running.values():
            process.kill()
            process.join()
        shutil.rmtree(shared, ignore_errors=True)


def _end(connection: Connection, process: BaseProcess) -> None:
    """Raise what the fit of a member raised, if anything."""
    try:
        fault: BaseException | None = connection.recv()
    except EOFError:
        process.join()
        raise TrainingError(
            f"the process of a member of the ensemble died ({_cause(process.exitcode)}) before it was done; what it "
            "said stands above. Finished members are kept: call it again to go on, with fewer workers if memory ran out"
        ) from None
    process.join()
    if fault is not None:
        raise fault


def _cause(status: int | None) -> str:
    if status is not None and status < 0:
        return f"by signal {signal.Signals(-status).name}"
    return f"exit status {status}"


def _work(connection: Connection, member: Member, shared: Path, threads: int) -> None:
    """Runs in a process of its own: fit a member and send what went wrong, or None."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits, which then ends this one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = str(threads)  # for LightGBM, which is loaded later
    torch.set_num_threads(threads)
    fault: Exception | None = None
    try:
        start = member.folder / "start"
        if start.is_dir():
            member = replace(member, start=load_one_of(SINGLE_METHODS, start))
        fit_member(member, Events.load(shared), progress=False)
    except Exception as error:  # whatever it is, it is raised again where the fit was called
        fault = error
    with contextlib.suppress(BrokenPipeError):
        connection.send(fault)


def _end_with_parent() -> None:
    """Wait for the end of the parent process, however it comes, and end with it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
