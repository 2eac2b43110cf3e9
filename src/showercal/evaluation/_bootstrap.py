"""The bootstrap: errors from resampled events, the same events for all methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showercal.errors import RecipeError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Bootstrap:
    """Resampling of events with replacement, reproducible by seed.

    Args:
        n_replicas: Number of resampled data sets, R; an error is known to 1 / sqrt(2 R), 5 % for 200.
        seed: Seed, 0 or above.
        max_elements: Replicas times events evaluated at once; bounds the memory.

    Raises:
        RecipeError: If there are fewer than 2 replicas.

    References:
        B. Efron, Ann. Statist. 7 (1979) 1.
    """

    n_replicas: int = 200
    seed: int = 0
    max_elements: int = 1_000_000

    def __post_init__(self) -> None:
        if self.n_replicas < 2:
            raise RecipeError(f"a bootstrap needs n_bootstrap >= 2 replicas to have an error; got {self.n_replicas}")
        if self.seed < 0:
            raise RecipeError(f"the seed must be >= 0; got {self.seed}")

    def resamples(self, n_events: int, stream: int = 0) -> Iterator[IntArray]:
        """Positions of the resampled events, in blocks of shape (replicas of the block, n_events), R rows in all.

        The same arguments give the same positions: statistics of several methods on them are paired.

        Args:
            n_events: Size of the data set.
            stream: Number of the data set (e.g. the bin), so that data sets are resampled independently.
        """
        rng = np.random.default_rng([self.seed, stream])
        rows = max(1, self.max_elements // max(n_events, 1))
        for done in range(0, self.n_replicas, rows):
            yield rng.integers(0, n_events, (min(rows, self.n_replicas - done), n_events))

    def replicas(self, statistic: Callable[..., FloatArray], *arrays: ArrayLike, stream: int = 0) -> FloatArray:
        """The statistic on every resampled data set, shape (R,).

        Args:
            statistic: Takes arrays of shape (..., B) and reduces the last axis.
            *arrays: One or more of shape (B,), resampled together.
            stream: As in `resamples`.

        Example:
            >>> replicas = Bootstrap(400, seed=1).replicas(lambda x: x.mean(axis=-1), np.arange(100.0))
            >>> replicas.shape, bool(abs(replicas.std() / (np.arange(100).std() / 10) - 1) < 0.15)
            ((400,), True)
        """
        columns = [np.asarray(array, dtype=np.float64) for array in arrays]
        blocks = [statistic(*(c[at] for c in columns)) for at in self.resamples(len(columns[0]), stream)]
        return np.concatenate(blocks)


class SortedResampler:
    """Resampled values in rising order without sorting every replica: a counting sort on the ranks.

    Args:
        values: Shape (B,).

    Attributes:
        order: Positions that sort the values, shape (B,).
    """

    def __init__(self, values: FloatArray) -> None:
        self.order = np.argsort(values)
        self._ordered = values[self.order]
        self._rank = np.empty(len(values), dtype=np.int64)
        self._rank[self.order] = np.arange(len(values))

    def counts(self, positions: IntArray) -> IntArray:
        """How often each value was drawn, in the order of the sorted values, shape (R, B).

        Args:
            positions: Shape (R, B).
        """
        n_rows, n = positions.shape
        slots = self._rank[positions]
        slots += np.arange(0, n_rows * n, n)[:, None]
        return np.bincount(slots.ravel(), minlength=n_rows * n).reshape(n_rows, n)

    def values(self, counts: IntArray) -> FloatArray:
        """The values drawn, sorted along the last axis, shape (R, B): ``np.sort(values[positions])``, but faster."""
        return np.repeat(np.tile(self._ordered, len(counts)), counts.ravel()).reshape(counts.shape)
