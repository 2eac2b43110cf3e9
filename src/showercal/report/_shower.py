"""The events of the display as plain numbers: cells with place, energy and tracks."""

from __future__ import annotations

from dataclasses import dataclass

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter
from showercal.errors import DataError
from showercal.events import Events
from showercal.report._rounding import rounded

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Shower:
    """The cells of one event; all arrays of shape (N,).

    Args:
        energy_true: [GeV], or None without truth.
        cell: Cell numbers.
        energy: Deposited energy, [GeV], above 0.
        tracks: Charged tracks per cell, or None where they were not counted.
        impact: (x, y) where the particle enters the front face, [mm], or None where unknown.
    """

    energy_true: float | None
    cell: IntArray
    energy: FloatArray
    tracks: IntArray | None
    impact: tuple[float, float] | None

    @property
    def label(self) -> str:
        """Its true energy for a button or a title."""
        return "event" if self.energy_true is None else f"{rounded(self.energy_true)[0]} GeV"


def display_geometry(events: Events) -> BoxCalorimeter:
    """The calorimeter the display events were made in.

    Raises:
        DataError: If the events carry no geometry.
        GeometryError: If it is not a box.
    """
    if events.geometry is None:
        raise DataError("the display events carry no geometry; build Events with geometry=calorimeter.to_dict()")
    return BoxCalorimeter.from_dict(events.geometry)


def display_showers(events: Events) -> list[Shower]:
    """The events in order of true energy; cells without energy, and events without such cells, are left out.

    Raises:
        DataError: If the events have no cells.
        GeometryError: If a cell lies outside the geometry.
    """
    calorimeter = display_geometry(events)
    cells = events.field("cells")
    impact_fields = next((p for p in (("impact_x", "impact_y"), ("x", "y")) if set(p) <= set(events.fields)), None)
    showers = []
    for number in range(len(events)):
        cell = ak.to_numpy(cells["id"][number]).astype(np.int64)
        energy = ak.to_numpy(cells["energy"][number]).astype(np.float64)
        calorimeter.check_cells(cell, where=f"display event {number}")
        lit = energy > 0
        showers.append(
            Shower(
                energy_true=float(events.array["energy_true"][number]) if "energy_true" in events.fields else None,
                cell=cell[lit],
                energy=energy[lit],
                tracks=ak.to_numpy(cells["tracks"][number]).astype(np.int64)[lit] if "tracks" in cells.fields else None,
                impact=None
                if impact_fields is None
                else (float(events.array[impact_fields[0]][number]), float(events.array[impact_fields[1]][number])),
            )
        )
    lit_showers = [shower for shower in showers if len(shower.cell)]
    return sorted(lit_showers, key=lambda shower: shower.energy_true or 0.0)
