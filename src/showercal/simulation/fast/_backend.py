"""The fast simulator as a backend: compiled showers in threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from showercal.simulation._backend import Backend, Chunk, ShowerTask
from showercal.simulation._particles import PARTICLES
from showercal.simulation._primaries import Primaries
from showercal.simulation._showers import Showers
from showercal.simulation.fast._cells import new_cells
from showercal.simulation.fast._engine import Block, World, simulate_block
from showercal.simulation.fast._options import FastOptions
from showercal.simulation.fast._stack import MUON_PLUS, new_stack
from showercal.simulation.fast._validated import warn_outside
from showercal.simulation.fast._world import build_world

_EVENTS_PER_CALL: Final = 100  # a compiled call cannot be interrupted: this many are well below a second


@dataclass(frozen=True)
class FastBackend(Backend):
    """Showers by the built-in simulator: particle by particle, compiled with Numba, in threads.

    Args:
        options: Cuts and what is seen.
    """

    options: FastOptions = field(default_factory=FastOptions)

    @property
    def name(self) -> str:
        return "fast"

    @property
    def versions(self) -> Mapping[str, str]:
        return {"showercal-fast": version("showercal")}

    def settings(self, task: ShowerTask) -> Mapping[str, Any]:
        return {**self.options.to_dict(), "count_tracks": self.options.counts_tracks(task.calorimeter)}

    def check(self) -> None:
        """Nothing is missing: the simulator is part of the package."""

    def run(
        self,
        task: ShowerTask,
        chunks: Sequence[Chunk],
        *,
        workers: int,
        log_folder: Path,
        on_events: Callable[[int], None],
    ) -> Generator[tuple[Chunk, Showers]]:
        del log_folder  # threads say nothing
        warned = False
        shooter = FastShooter(task, self.options, threads=workers)
        with ThreadPoolExecutor(workers) as pool:
            pending: deque[tuple[Chunk, list[Future[Block]]]] = deque()
            waiting = deque(chunks)
            try:
                while waiting or pending:
                    while waiting and len(pending) < 2:  # the next chunk is at work while this one is written
                        chunk = waiting.popleft()
                        primaries = task.entering(chunk)
                        if not warned:  # the first chunk tells of the rest
                            warn_outside(primaries)
                            warned = True
                        pieces = _pieces(primaries)
                        pending.append((chunk, [pool.submit(shooter, *piece) for piece in pieces]))
                    chunk, futures = pending.popleft()
                    blocks = []
                    for future in futures:
                        blocks.append(future.result())
                        on_events(len(blocks[-1].sums))
                    yield chunk, _joined(blocks, shooter.counts_tracks)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


class FastShooter:
    """Showers of particles in one calorimeter; each thread has its own work space.

    Args:
        task: Where, and what may come.
        options: Cuts and what is seen.
        threads: At once, while a library of small showers is made.
    """

    def __init__(self, task: ShowerTask, options: FastOptions, threads: int = 1) -> None:
        self.counts_tracks = options.counts_tracks(task.calorimeter)
        has_muons = not {"mu-", "mu+"}.isdisjoint(task.source.particles)
        # muons make pions where they interact with nuclei
        makes_pions = has_muons and options.muon_nuclear
        has_hadrons = makes_pions or any(PARTICLES.index(name) > MUON_PLUS for name in task.source.particles)
        self._world: World = build_world(
            task.calorimeter, options, threads, has_muons=has_muons, has_hadrons=has_hadrons
        )
        self._n_cells = task.calorimeter.n_cells
        self._space = threading.local()

    def __call__(self, particles: NDArray[np.float64], offsets: NDArray[np.int64], seeds: NDArray[np.uint64]) -> Block:
        """Showers of B events: rows of `STACK`'s values, where each event begins, and seeds."""
        if not hasattr(self._space, "cells"):
            self._space.cells, self._space.stack = new_cells(self._n_cells), new_stack()
        return Block(*simulate_block(self._world, self._space.cells, self._space.stack, particles, offsets, seeds))


def particle_rows(primaries: Primaries) -> NDArray[np.float64]:
    """Primaries as rows of `STACK`'s values, shape (P, 9)."""
    p = primaries
    return np.stack([p.kind, p.energy * 1e3, p.x, p.y, p.z, p.ux, p.uy, p.uz, p.time], axis=1).astype(np.float64)


def _pieces(primaries: Primaries) -> list[tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.uint64]]]:
    rows, offsets, pieces = particle_rows(primaries), primaries.offsets, []
    for first in range(0, len(primaries), _EVENTS_PER_CALL):
        last = min(first + _EVENTS_PER_CALL, len(primaries))
        begin, end = offsets[first], offsets[last]
        pieces.append((rows[begin:end], offsets[first : last + 1] - begin, primaries.seed[first:last]))
    return pieces


def _joined(blocks: Sequence[Block], count_tracks: bool) -> Showers:
    firsts = np.concatenate([[0], np.cumsum([len(block.sums) for block in blocks])])
    return Showers(
        event=np.concatenate([block.event + first for block, first in zip(blocks, firsts[:-1], strict=True)]),
        cell=np.concatenate([block.cell for block in blocks]),
        energy=np.concatenate([block.energy for block in blocks]) * 1e-3,
        tracks=np.concatenate([block.tracks for block in blocks]) if count_tracks else None,
    )
