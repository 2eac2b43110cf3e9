"""What features are made of must be finite."""

from __future__ import annotations

import awkward as ak
import numpy as np

from showercal.errors import DataError
from showercal.events import Events


def check_finite(events: Events, *names: str, whose: str, first_event: int = 0) -> None:
    """Refuse NaN and infinities.

    Args:
        events: Some of the events of a sample.
        names: Fields of events or of their cells.
        whose: What needs them, for the message.
        first_event: Number of the first of these events in the sample.

    Raises:
        DataError: Naming the first field and event.
    """
    for name in names:
        values = events.field(name)
        flat = ak.to_numpy(ak.flatten(values, axis=None))
        is_finite = np.isfinite(flat)
        if not is_finite.all():
            first = int(np.argmin(is_finite))
            event = first if values.ndim == 1 else int(np.searchsorted(events.cell_offsets, first, side="right")) - 1
            raise DataError(
                f"{whose} need finite {name}; got {flat[first]} in event {first_event + event} "
                f"({int((~is_finite).sum())} of {len(flat)} values read at once); drop such events with Events[mask]"
            )
