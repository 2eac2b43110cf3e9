"""Worker processes that simulate chunks: started, fed, watched, replaced when they crash, killed at the end."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from showercal.errors import SimulationError
from showercal.simulation._backend import Chunk
from showercal.simulation._messages import Message, receive, send, unpack_showers
from showercal.simulation._showers import Showers

_LOG_LINES: Final = 15


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    log: Path
    chunk: Chunk | None = None
    events_done: int = 0


class WorkerPool:
    """Runs chunks in worker processes that speak the messages of `showercal.simulation._messages`.

    Args:
        command: Command line of a worker.
        environment: Environment variables of the workers.
        setup: What each worker is told first.
        log_folder: Each worker's output goes to a file here; made when missing.
        max_attempts: How often a chunk, or the start of a worker, may fail before the run is given up.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        setup: Mapping[str, Any],
        log_folder: Path,
        max_attempts: int = 3,
    ) -> None:
        self._command, self._environment = list(command), dict(environment)
        self._setup, self._log_folder, self._max_attempts = dict(setup), log_folder, max_attempts
        self._inbox: queue.Queue[tuple[int, Message | None]] = queue.Queue()
        self._workers: dict[int, _Worker] = {}
        self._started = 0

    def run(
        self,
        chunks: Sequence[Chunk],
        workers: int,
        on_events: Callable[[int], None],
        order_of: Callable[[Chunk], bytes],
    ) -> Generator[tuple[Chunk, Showers]]:
        """Yield chunks as they are done, in any order; kills the workers when it ends or is closed.

        Args:
            chunks: What is to be done.
            workers: How many processes at once.
            on_events: Told how many events more are done; negative when a chunk is begun again.
            order_of: The bytes that tell a worker what to simulate in a chunk.

        Raises:
            SimulationError: If a worker reports a fault, or the same chunk crashes too often.
        """
        waiting = deque(chunks)
        failures: dict[int | None, int] = {}
        n_left = len(waiting)
        try:
            for _ in range(min(workers, n_left)):
                self._start()
            while n_left:
                key, message = self._inbox.get()
                worker = self._workers[key]
                if message is None:
                    self._replace(key, waiting, failures, on_events)
                elif message.kind == "fault":
                    raise SimulationError(message.fields["text"])
                elif message.kind == "progress":
                    worker.events_done += message.fields["events"]
                    on_events(message.fields["events"])
                else:  # ready, or done with a chunk: the worker is free
                    done, worker.chunk = worker.chunk, None
                    already, worker.events_done = worker.events_done, 0
                    if waiting:
                        self._give(worker, waiting.popleft(), order_of)
                    if done is not None:
                        n_left -= 1
                        on_events(done.n_events - already)
                        yield done, unpack_showers(message.payload)
        finally:
            for key in list(self._workers):
                self._stop(key)

    def _start(self) -> None:
        self._log_folder.mkdir(parents=True, exist_ok=True)
        key, self._started = self._started, self._started + 1
        log = self._log_folder / f"worker-{key}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env=self._environment,
                start_new_session=True,  # Ctrl-C reaches this process only, which then stops its workers
            )
        assert process.stdin is not None and process.stdout is not None
        self._workers[key] = _Worker(process, log)
        threading.Thread(target=self._listen, args=(key, process.stdout), daemon=True).start()
        self._tell(process.stdin, Message("setup", self._setup))

    def _listen(self, key: int, stream: IO[bytes]) -> None:
        """Runs in a thread: moves the worker's messages to the inbox, and None at its end."""
        message: Message | None = Message("")
        while message is not None:
            try:
                message = receive(stream)
            except (OSError, ValueError):  # the pipe was closed, or the last words were garbled
                message = None
            self._inbox.put((key, message))

    def _give(self, worker: _Worker, chunk: Chunk, order_of: Callable[[Chunk], bytes]) -> None:
        worker.chunk = chunk
        assert worker.process.stdin is not None
        fields = {"number": chunk.number, "first_event": chunk.first_event, "n_events": chunk.n_events}
        self._tell(worker.process.stdin, Message("chunk", fields, order_of(chunk)))

    def _tell(self, stream: IO[bytes], message: Message) -> None:
        with contextlib.suppress(BrokenPipeError):  # the worker has just died: its end arrives in the inbox
            send(stream, message)

    def _replace(
        self,
        key: int,
        waiting: deque[Chunk],
        failures: dict[int | None, int],
        on_events: Callable[[int], None],
    ) -> None:
        """A worker died: put its chunk back in front and start another, unless that has been tried too often."""
        worker = self._workers[key]
        status = self._stop(key, patience=5.0)  # its pipe has ended: it is dying by itself
        chunk = worker.chunk
        on_events(-worker.events_done)
        number = None if chunk is None else chunk.number
        failures[number] = failures.get(number, 0) + 1
        if failures[number] >= self._max_attempts:
            where = (
                "before its first event"
                if chunk is None
                else f"in events {chunk.first_event} to {chunk.first_event + chunk.n_events - 1} (chunk {chunk.number})"
            )
            raise SimulationError(
                f"a simulation worker died {failures[number]} times {where}, last {_cause(status)}. Finished chunks "
                f"are kept; run the same command again to go on. The end of its log {worker.log.name}:\n"
                f"{_tail(worker.log)}"
            )
        if chunk is not None:
            waiting.appendleft(chunk)
        self._start()

    def _stop(self, key: int, patience: float = 0.0) -> int:
        process = self._workers.pop(key).process
        try:
            status = process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was buffered for a dead worker is of no use
                    stream.close()
        return status


def worker_environment(**extra: str) -> dict[str, str]:
    """The environment of a worker: ours, one thread each, and what the simulator needs."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **extra}


def _cause(status: int) -> str:
    if status < 0:
        return f"by signal {signal.Signals(-status).name}"
    return f"with exit status {status}"


def _tail(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return "\n".join(lines[-_LOG_LINES:]) or "(empty)"
