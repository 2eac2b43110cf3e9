"""The calorimeter that events carry with them."""

from __future__ import annotations

from showercal.detectors._box import BoxCalorimeter
from showercal.errors import DataError
from showercal.events import Events


def calorimeter_of(events: Events) -> BoxCalorimeter:
    """The calorimeter of events.

    Raises:
        DataError: If they carry no geometry.
    """
    if events.geometry is None:
        raise DataError(
            "these events carry no geometry; name it in the mapping (geometry: toy-sandwich) or simulate them"
        )
    return BoxCalorimeter.from_dict(events.geometry)
