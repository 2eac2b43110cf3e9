"""Events some at a time: what is made from their hits must not need those of all events at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from showercal.events import Events

_HITS_AT_A_TIME: Final = 8_000_000  # 32 MB a field


def blocks(events: Events, n_hits: int = _HITS_AT_A_TIME) -> Iterator[slice]:
    """Places of the events, in order, some at a time; one block at least, which may be empty.

    Args:
        events: With ``cells.id``.
        n_hits: Hits in a block, at most, unless a single event has more.
    """
    offsets = events.cell_offsets
    first = 0
    while True:
        last = int(np.searchsorted(offsets, offsets[first] + n_hits, side="right")) - 1
        last = min(max(last, first + 1), len(events))
        yield slice(first, last)
        if last == len(events):
            return
        first = last
