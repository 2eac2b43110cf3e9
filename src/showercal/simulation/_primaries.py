"""Primaries: the particles that start a range of events, all events end to end."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter
from showercal.errors import RecipeError
from showercal.simulation._particles import MASSES, SPEED_OF_LIGHT

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Primaries:
    """The particles of B events, N in all, in flat arrays; event k holds ``offsets[k]:offsets[k + 1]`` of them.

    Energies, positions and times are exact in single precision, so that the stored truth is what was simulated.

    Attributes:
        kind: Place in `PARTICLES`, shape (N,).
        energy: Kinetic energy, shape (N,), [GeV].
        x, y, z: Where a particle starts, shape (N,), [mm]; the front face is z = 0.
        ux, uy, uz: Its direction, a unit vector, shape (N,).
        time: When it starts, shape (N,), [ns].
        offsets: Where each event begins, shape (B + 1,).
        seed: A 64-bit seed per event for everything else that happens in it, shape (B,).
    """

    kind: IntArray
    energy: FloatArray
    x: FloatArray
    y: FloatArray
    z: FloatArray
    ux: FloatArray
    uy: FloatArray
    uz: FloatArray
    time: FloatArray
    offsets: IntArray
    seed: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.seed)

    @property
    def event(self) -> IntArray:
        """Event of each particle, 0 to B - 1, shape (N,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @property
    def energy_true(self) -> FloatArray:
        """Sum of the kinetic energies of an event, shape (B,), [GeV]; 0 in an event without particles."""
        return np.bincount(self.event, self.energy, minlength=len(self)).astype(np.float64)

    @property
    def impact(self) -> tuple[FloatArray, FloatArray]:
        """Where an event meets the front face: x and y, each of shape (B,), [mm].

        The point where the particle's line crosses z = 0, or where it starts if that is inside. Of several particles
        the mean, weighted by their energies; 0 in an event without particles.
        """
        back = np.minimum(self.z, 0.0) / np.where(self.z < 0, self.uz, 1.0)
        single = np.bincount(self.event, minlength=len(self)) == 1
        total = np.where(self.energy_true > 0, self.energy_true, 1.0)
        means = []
        for place, slope in ((self.x, self.ux), (self.y, self.uy)):
            at_front = place - slope * back
            mean = np.bincount(self.event, self.energy * at_front, minlength=len(self)) / total
            mean[single] = at_front[self.offsets[:-1][single]]  # not through a product that would round it
            means.append(mean)
        return means[0], means[1]

    def entering(self, calorimeter: BoxCalorimeter) -> Primaries:
        """The particles as the calorimeter sees them: moved along straight lines to where they enter it.

        In front and beside it there is vacuum without field. Particles that start inside stay as they are; those that
        pass by are left out.

        Args:
            calorimeter: What they fly to.
        """
        width_x, width_y = calorimeter.width
        low = np.array([-width_x / 2, -width_y / 2, 0.0])
        high = np.array([width_x / 2, width_y / 2, calorimeter.depth])
        place = np.stack([self.x, self.y, self.z], axis=1)
        step = np.stack([self.ux, self.uy, self.uz], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):  # parallel to a face: it is met at infinity, or never
            first, second = (low - place) / step, (high - place) / step
        parallel = step == 0
        between = (place >= low) & (place <= high)
        near = np.where(parallel, np.where(between, -np.inf, np.inf), np.fmin(first, second))
        entry, leave = near.max(axis=1), np.where(parallel, np.inf, np.fmax(first, second)).min(axis=1)
        kept = np.flatnonzero((leave > np.maximum(entry, 0.0)) & np.isfinite(entry))
        flight, axis = np.maximum(entry[kept], 0.0), near[kept].argmax(axis=1)
        moved = place[kept] + step[kept] * flight[:, None]
        flown = np.flatnonzero(flight > 0)  # on its face exactly, not beside it by rounding
        face = np.where(step[kept] > 0, low, high)
        moved[flown, axis[flown]] = face[flown, axis[flown]]
        counts = np.bincount(self.event[kept], minlength=len(self))
        mass, energy = np.array(MASSES)[self.kind[kept]], self.energy[kept]
        beta = np.sqrt(energy * (energy + 2 * mass)) / (energy + mass)
        return replace(
            self,
            kind=self.kind[kept],
            energy=energy,
            x=moved[:, 0],
            y=moved[:, 1],
            z=moved[:, 2],
            ux=self.ux[kept],
            uy=self.uy[kept],
            uz=self.uz[kept],
            time=self.time[kept] + flight / (beta * SPEED_OF_LIGHT),
            offsets=offsets_of(counts),
        )


def event_words(seed: int, first_event: int, n_events: int, stream: int = 0) -> NDArray[np.uint64]:
    """Four random 64-bit words for each of the events ``first_event`` to ``first_event + n_events``, shape (B, 4).

    Event k depends on (seed, k) alone: the counter-based Philox generator, keyed by the seed, is set to event k. So a
    sample does not depend on how it is cut into chunks.

    Args:
        seed: Of the sample.
        first_event: Number of the first event in the sample.
        n_events: How many events.
        stream: Other streams are independent of each other. The last word of stream 0 is the event's own seed.

    Raises:
        RecipeError: If seed or event numbers are negative.
    """
    if not 0 <= seed < 2**64:
        raise RecipeError(f"the seed must be in [0, 2^64); got {seed}")
    if first_event < 0 or n_events < 0:
        raise RecipeError(f"event numbers must be >= 0; got first {first_event}, count {n_events}")
    generator = np.random.Philox(key=seed + (stream << 64), counter=first_event)
    return generator.random_raw(4 * n_events).reshape(n_events, 4)


def uniform(words: NDArray[np.uint64]) -> FloatArray:
    """Words as numbers uniform in the open interval (0, 1), same shape: 52 bits plus a half, so that none is 0 or 1."""
    return ((words >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def single(values: FloatArray) -> FloatArray:
    """Values rounded to single precision, as they are stored."""
    return values.astype(np.float32).astype(np.float64)


def offsets_of(counts: IntArray) -> IntArray:
    """Where each event begins in a flat array, and its end, shape (B + 1,), from the number of entries per event."""
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
