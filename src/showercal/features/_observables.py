"""Everything that is compared between two samples of showers, event by event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from showercal.detectors import calorimeter_of
from showercal.errors import DataError
from showercal.events import Events
from showercal.features._shower_profiles import ShowerProfiles, shower_profiles
from showercal.features._shower_shapes import ShowerShapes, shower_hits, shower_shapes

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Observables:
    """Shapes and profiles of the same events: all that is kept of their cells."""

    shapes: ShowerShapes
    profiles: ShowerProfiles

    def __len__(self) -> int:
        return len(self.shapes.values)

    def __getitem__(self, where: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Observables:
        """Those of events at a mask of shape (B,), positions or a slice."""
        return Observables(self.shapes[where], self.profiles[where])

    @property
    def energy_true(self) -> FloatArray:
        """Shape (B,), [GeV]."""
        return self.shapes.column("energy_true")

    @property
    def visible(self) -> FloatArray:
        """Visible energy, shape (B,), [MeV]."""
        visible: FloatArray = self.profiles.layers.sum(axis=1)
        return visible


def observe(events: Events) -> Observables:
    """Observables of a block of events, which is in memory with about 200 bytes a hit on top.

    Raises:
        DataError: If a field or the geometry is missing.
    """
    calorimeter = calorimeter_of(events)
    hits = shower_hits(events, calorimeter)
    return Observables(shower_shapes(events, hits), shower_profiles(hits, calorimeter))


def join_observables(blocks: Sequence[Observables]) -> Observables:
    """Observables of blocks of one sample as one.

    Raises:
        DataError: If there is no block.
    """
    if not blocks:
        raise DataError("observables need at least one event; got none")
    return Observables(
        ShowerShapes(blocks[0].shapes.names, np.concatenate([one.shapes.values for one in blocks])),
        ShowerProfiles(
            *(np.concatenate([getattr(one.profiles, name) for one in blocks]) for name in ("layers", "rings", "cells"))
        ),
    )
