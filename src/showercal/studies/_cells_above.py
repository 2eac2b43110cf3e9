"""Small cells are left out while events are read, and counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import awkward as ak
import numpy as np

from showercal.errors import DataError
from showercal.events import Events
from showercal.studies._recipe import CellsAboveConfig


class CellCut:
    """Leaves the small cells out of blocks of events, and counts them.

    Args:
        config: Which are small.

    Attributes:
        n_events: Events of all blocks so far.
        n_cells, n_dropped: Their cells, and those left out of them.
        total, dropped: Their energies, [GeV].
    """

    def __init__(self, config: CellsAboveConfig) -> None:
        self.config = config
        self.n_events = self.n_cells = self.n_dropped = 0
        self.total = self.dropped = 0.0

    def apply(self, events: Events) -> Events:
        """The events without their small cells.

        Raises:
            DataError: If they have no such field, or it is not in GeV or not finite.
        """
        energy = events.field(self.config.field)
        self._check(events)
        keep = energy > self.config.energy
        self.n_events += len(events)
        self.n_cells += int(ak.sum(ak.num(energy)))
        self.n_dropped += int(ak.sum(~keep))
        self.total += float(ak.sum(ak.values_astype(energy, "float64")))
        self.dropped += float(ak.sum(ak.values_astype(energy[~keep], "float64")))
        cells = self.config.field.partition(".")[0]
        return replace(events, array=ak.with_field(events.array, events.field(cells)[keep], cells))

    def _check(self, events: Events) -> None:
        """Refuse what cannot be compared: NaN would be neither kept nor told, MeV would be taken for GeV."""
        name, unit = self.config.field, events.units[self.config.field]
        if unit != "GeV":
            raise DataError(f"data.cells_above.field {name} must be in GeV; got {unit}: name a field of energies")
        is_finite = np.isfinite(events.field(name))
        if not ak.all(is_finite, axis=None):
            wrong = ak.to_numpy(ak.any(~is_finite, axis=1))
            first = self.n_events + int(wrong.argmax())
            raise DataError(
                f"data.cells_above.field {name} must be finite; it is not in event {first} "
                f"({int(wrong.sum())} of {len(events)} events read at once); drop such events with Events[mask]"
            )

    def counts(self) -> dict[str, Any]:
        """What was left out, for the provenance."""
        share = self.dropped / self.total if self.total > 0 else 0.0
        counts = {"n_cells": self.n_cells, "n_dropped": self.n_dropped, "energy_dropped": round(share, 6)}
        return {**self.config.model_dump(), **counts}

    def __str__(self) -> str:
        found = self.counts()
        return (
            f"{self.n_dropped:,} of {self.n_cells:,} cells, at or below {self.config.energy:g} GeV of "
            f"{self.config.field}, are left out with {found['energy_dropped']:.2%} of it"
        )
