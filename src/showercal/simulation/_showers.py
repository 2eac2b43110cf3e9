"""Showers: what a backend hands back for a range of events; here it becomes `Events`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter
from showercal.events import Events
from showercal.simulation._particles import PDG_IDS
from showercal.simulation._primaries import Primaries

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# 2^-13 relative rounding, far below any calorimeter's resolution; the zeros behind it compress well.
_MANTISSA_BITS: Final = 12
_PARTICLE_UNITS: Final = MappingProxyType(
    {"pdg_id": "1", "energy": "GeV", "x": "mm", "y": "mm", "z": "mm", "time": "ns", "ux": "1", "uy": "1", "uz": "1"}
)


@dataclass(frozen=True, eq=False)
class Showers:
    """Sparse cells of B events, in one flat list of N entries, at most one per event and cell.

    Args:
        event: Which event of the block an entry belongs to, 0 to B - 1, shape (N,), any order.
        cell: Cell number, shape (N,).
        energy: Energy deposited in the active material of the cell, shape (N,), [GeV].
        tracks: Distinct charged tracks in the cell, shape (N,), or None when they were not counted.
    """

    event: IntArray
    cell: IntArray
    energy: FloatArray
    tracks: IntArray | None


def to_events(
    showers: Showers,
    primaries: Primaries,
    calorimeter: BoxCalorimeter,
    provenance: Mapping[str, Any],
    *,
    keep_particles: bool = False,
) -> Events:
    """Events with truth and cells, sorted by cell number, without cells that saw nothing.

    Energies of cells are rounded to 12 bits of mantissa.

    Args:
        showers: What the particles left.
        primaries: The particles.
        calorimeter: Where.
        provenance: How the events came to be.
        keep_particles: Whether the truth of each particle is kept, in the ragged field ``particles``.
    """
    seen = showers.energy > 0
    if showers.tracks is not None:
        seen |= showers.tracks > 0
    order = np.flatnonzero(seen)
    order = order[np.lexsort((showers.cell[order], showers.event[order]))]
    counts = np.bincount(showers.event[order], minlength=len(primaries))
    id_type = np.uint16 if calorimeter.n_cells <= 2**16 else np.uint32
    cells: dict[str, NDArray[Any]] = {
        "id": showers.cell[order].astype(id_type),
        "energy": round_mantissa(showers.energy[order].astype(np.float32)),
    }
    units = {"energy_true": "GeV", "impact_x": "mm", "impact_y": "mm", "cells.id": "1", "cells.energy": "GeV"}
    if showers.tracks is not None:
        cells["tracks"] = showers.tracks[order].astype(np.uint16)
        units["cells.tracks"] = "1"
    impact_x, impact_y = primaries.impact
    fields = {
        "energy_true": primaries.energy_true.astype(np.float32),
        "impact_x": impact_x.astype(np.float32),
        "impact_y": impact_y.astype(np.float32),
    }
    if keep_particles:
        fields["particles"] = ak.unflatten(ak.zip(_particles(primaries)), np.diff(primaries.offsets))
        units |= {f"particles.{name}": unit for name, unit in _PARTICLE_UNITS.items()}
    fields["cells"] = ak.unflatten(ak.zip(cells), counts)
    return Events(ak.Array(fields), units, calorimeter.to_dict(), provenance)


def _particles(primaries: Primaries) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {"pdg_id": np.array(PDG_IDS, dtype=np.int32)[primaries.kind]}
    for name in ("energy", "x", "y", "z", "time"):
        columns[name] = getattr(primaries, name).astype(np.float32)
    # double precision: a direction is not rounded when it is simulated
    return columns | {name: getattr(primaries, name) for name in ("ux", "uy", "uz")}


def round_mantissa(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round single-precision numbers to 12 bits of mantissa, to the nearest.

    Example:
        >>> float(abs(round_mantissa(np.float32([0.1]))[0] / 0.1 - 1)) < 2**-13
        True
    """
    drop = np.uint32(23 - _MANTISSA_BITS)
    half = np.uint32(1) << (drop - np.uint32(1))
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return (((bits + half) >> drop) << drop).view(np.float32)
