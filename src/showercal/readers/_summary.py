"""A look through a source of events in one pass, whatever its size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from showercal.errors import DataError
from showercal.events import Events
from showercal.storage import EventSource

# Of the first range: bins of far smaller numbers would have no width in float64.
_LEAST_EXPONENT: Final = -100


class Spectrum:
    """A histogram from 0 whose range doubles when a larger value comes; needs no second pass.

    Args:
        n_bins: Even number of bins.

    Example:
        >>> spectrum = Spectrum(4)
        >>> spectrum.fill(np.array([0.5, 3.0]))
        >>> spectrum.fill(np.array([7.0]))
        >>> spectrum.edges.tolist(), spectrum.counts.tolist()
        ([0.0, 2.0, 4.0, 6.0, 8.0], [1, 1, 0, 1])
    """

    def __init__(self, n_bins: int = 16) -> None:
        if n_bins < 2 or n_bins % 2:
            raise ValueError(f"a spectrum needs an even number of bins >= 2; got {n_bins}")
        self.counts = np.zeros(n_bins, dtype=np.int64)
        self.upper = 0.0

    @property
    def edges(self) -> NDArray[np.float64]:
        """Bin edges, shape (n_bins + 1,)."""
        return np.linspace(0.0, self.upper, len(self.counts) + 1)

    def fill(self, values: NDArray[np.float64]) -> None:
        """Count values >= 0, shape (B,)."""
        top = float(values.max(initial=0.0))
        if self.upper == 0.0:
            if top == 0.0:
                self.counts[0] += len(values)
                return
            self.upper = 2.0 ** max(math.ceil(math.log2(top)), _LEAST_EXPONENT)
        while top > self.upper:
            paired = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.concatenate([paired, np.zeros_like(paired)])
            self.upper *= 2
        self.counts += np.histogram(values, bins=len(self.counts), range=(0.0, self.upper))[0]


@dataclass
class Summary:
    """What a pass over the events found.

    Args:
        n_events: Number of events.
        types: Field -> its type per event.
        truth: Spectrum of energy_true, or None without truth.
        truth_range: Lowest and highest energy_true, [GeV].
        entries: Collection, e.g. ``cells`` -> number of entries over all events.
        sums: Energy field -> sum over all events and entries, [GeV].
        event: The event asked for, as a block of one.
    """

    n_events: int = 0
    types: Mapping[str, str] = field(default_factory=dict)
    truth: Spectrum | None = None
    truth_range: tuple[float, float] = (math.inf, -math.inf)
    entries: dict[str, int] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    event: Events | None = None


def summarise(source: EventSource, *, event: int = 0, chunk: int = 2_000) -> Summary:
    """Look through a source in one pass.

    Args:
        source: The events.
        event: Number of the event to bring along, among those selected.
        chunk: Events in memory at a time.

    Returns:
        The summary; its ``event`` is always there.

    Raises:
        DataError: If there is no such event, or the events are not what they must be.
    """
    found = Summary()
    for block in source.chunks(chunk):
        if not found.types:
            found.types = {path: str(block.field(path).type.content) for path in block.units}
        if found.n_events <= event < found.n_events + len(block):
            found.event = block[event - found.n_events : event - found.n_events + 1]
        found.n_events += len(block)
        _add(found, block)
    if found.event is None:
        raise DataError(f"no event {event}: the events are numbered 0 to {found.n_events - 1}")
    return found


def _add(found: Summary, block: Events) -> None:
    if "energy_true" in block.fields:
        truth = block.energy_true
        found.truth = found.truth or Spectrum()
        found.truth.fill(truth)
        low, high = found.truth_range
        found.truth_range = min(low, float(truth.min())), max(high, float(truth.max()))
    for name in block.fields:
        if block.array[name].fields:
            found.entries[name] = found.entries.get(name, 0) + int(ak.sum(ak.num(block.array[name])))
    for path, unit in block.units.items():
        if unit == "GeV":
            found.sums[path] = found.sums.get(path, 0.0) + float(
                ak.sum(ak.values_astype(block.field(path), np.float64))
            )
