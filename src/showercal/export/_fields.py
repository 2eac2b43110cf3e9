"""Events as the flat arrays that an exported graph takes: Awkward's own layout, no padding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from showercal.errors import DataError
from showercal.events import CELL, OFFSETS, Events


def flat_fields(events: Events, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Fields of B events with H hits, by name.

    Args:
        events: The events.
        names: ``offsets`` (B + 1,) int64; ``cells.id`` (H,) int64; other fields of cells (H,), scalars (B,) and images
            (B, ...), float32.

    Raises:
        DataError: If there is no such field, values are missing, or it has not one value per cell or event.
    """
    return {name: _flat(events, name) for name in names}


def _flat(events: Events, name: str) -> NDArray[Any]:
    if name == OFFSETS:
        return events.cell_offsets
    values = events.field(name)
    if "." in name:
        if values.ndim != 2:
            raise DataError(f"field {name!r} must have one number per cell; its type is {values.type.content}")
        values = ak.flatten(values)
    try:
        if name == CELL and not np.issubdtype(ak.to_numpy(values, allow_missing=False).dtype, np.integer):
            raise TypeError("cell numbers must be whole numbers")
        return np.asarray(ak.to_numpy(values, allow_missing=False), dtype=np.int64 if name == CELL else np.float32)
    except (TypeError, ValueError) as fault:
        raise DataError(
            f"field {name!r} must hold numbers, as many in every event or cell; its type is {values.type} ({fault})"
        ) from fault
