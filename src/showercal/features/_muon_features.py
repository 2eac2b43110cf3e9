"""The 28 high-level features of the muon study: energies, moments about the track, clusters on and off it, its bend."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import awkward as ak
import numpy as np
import torch
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter, calorimeter_of
from showercal.errors import DataError, nearest
from showercal.events import CELL, Events
from showercal.features._blocks import blocks
from showercal.features._finite import check_finite
from showercal.features._shower_shapes import LEAST_DEPOSIT

FloatArray = NDArray[np.float64]

MUON_THRESHOLDS: Final = (0.01, 0.1)  # of the energy in a cell, [GeV]: below low, above high
_HITS_AT_A_TIME: Final = 1_000_000  # in each thread: 16 MB, a blink for an interrupt


@dataclass(frozen=True)
class MuonFeature:
    """One of the features.

    Args:
        name: What it is.
        published: Its name in the published code.
        unit: Of its values.
        definition: E is the energy of a cell, d = (dx, dy) its centre from the impact point of the muon. Cells are high
            above the second threshold, low up to the first, middle between.
    """

    name: str
    published: str
    unit: str
    definition: str


def _fifths() -> list[MuonFeature]:
    return [
        MuonFeature(f"radius_squared_fifth_{k}", f"r2m{k}", "mm^2", f"radius_squared in fifth {k} of the depth")
        for k in range(1, 6)
    ]


_ON, _OFF = "clusters on the track", "clusters off the track"
# In the order of the published file, which `_muon_kernel` fills.
MUON_FEATURES: Final = (
    MuonFeature("energy_high_cells", "eabove", "GeV", "sum of E of high cells"),
    MuonFeature("centre_distance", "rmom", "mm", "length of sum of E d, over sum of E"),
    MuonFeature("centre_distance_high_cells", "rmom1", "mm", "centre_distance of high cells"),
    MuonFeature("radius_squared", "r2m", "mm^2", "sum of E d^2 over sum of E"),
    *_fifths(),
    MuonFeature("track_clusters", "nclu", "1", f"number of {_ON}"),
    MuonFeature("track_cluster_cells_max", "ncellmax", "1", f"most cells of the {_ON}"),
    MuonFeature("track_cluster_energy_max", "eclumax", "GeV", f"highest energy of the {_ON}"),
    MuonFeature("track_cluster_extent_x", "maxdepthx", "cells", f"largest difference of two ix in one of the {_ON}"),
    MuonFeature("track_cluster_extent_y", "maxdepthy", "cells", f"largest difference of two iy in one of the {_ON}"),
    MuonFeature(
        "track_cluster_extent_z", "maxdepthz", "layers", f"largest difference of two layers in one of the {_ON}"
    ),
    MuonFeature(
        "track_cluster_energy_per_cell", "epercell", "GeV", "track_cluster_energy_max over track_cluster_cells_max"
    ),
    MuonFeature("track_cluster_cells_mean", "avgcells", "1", f"mean number of cells of the {_ON}"),
    MuonFeature("other_clusters", "nclu1", "1", f"number of {_OFF}"),
    MuonFeature("other_cluster_cells_max", "ncellmax1", "1", f"most cells of the {_OFF}"),
    MuonFeature("other_cluster_energy_max", "eclumax1", "GeV", f"highest energy of the {_OFF}"),
    MuonFeature(
        "other_cluster_energy_per_cell", "epercell1", "GeV", "other_cluster_energy_max over other_cluster_cells_max"
    ),
    MuonFeature("other_cluster_cells_mean", "avgcells_off_trk", "1", f"mean number of cells of the {_OFF}"),
    MuonFeature("moment_y", "ymom", "GeV mm", "sum of E dy, plus that of high cells"),
    MuonFeature("moment_x", "xmom", "GeV mm", "sum of E dx, plus that of high cells"),
    MuonFeature("bending_energy", "emeas", "GeV", "energy whose circle in the field fits the cells, at most 10,000"),
    MuonFeature("cube_energy_max", "maxsum", "GeV", "highest sum of E over 3 x 3 x 3 cells that are not high"),
    MuonFeature("energy_low_cells", "eb1", "GeV", "sum of E of low cells"),
    MuonFeature("energy_middle_cells", "ea1", "GeV", "sum of E of middle cells"),
)
_NAMES: Final = tuple(feature.name for feature in MUON_FEATURES)


def check_muon_options(names: Sequence[str], thresholds: tuple[float, float]) -> None:
    """Refuse names that are no muon features, or come twice, and thresholds that do not rise.

    Raises:
        DataError: Naming the first.
    """
    if not 0 <= thresholds[0] <= thresholds[1]:
        raise DataError(f"thresholds of muon features must rise from 0 GeV or more; got {tuple(thresholds)}")
    for place, name in enumerate(names):
        if name not in _NAMES:
            raise DataError(f"no muon feature {name!r}; {nearest(name, _NAMES)}")
        if name in names[:place]:
            raise DataError(f"muon feature {name!r} is named twice")


def muon_features(
    events: Events,
    names: Sequence[str] | None = None,
    *,
    energy: str = "cells.energy",
    impact: tuple[str, str] = ("impact_x", "impact_y"),
    thresholds: tuple[float, float] = MUON_THRESHOLDS,
) -> FloatArray:
    """High-level features of muons along z in a box calorimeter (see `MUON_FEATURES`), shape (B, F).

    A cluster is high cells that hang together by their faces. It is on the track if it holds a cell of the column
    behind the impact point. Means over nothing are 0, as published, so that every event has finite features.

    ``bending_energy`` is 0.3 B r with r in m: the muon enters along z, so that its circle is about a point of the front
    plane; it runs through the energy centres of the front and the back half of the depth, where each cell counts by E
    exp(-s / 50 mm), s being its distance from the plane in which the muon bends. With a straight track, or a dark
    half, it is 10,000 GeV.

    Args:
        events: With ``cells.id`` and the fields below. They must carry their geometry.
        names: Those wanted, in this order; by default all.
        energy: Field of the energies of cells, [GeV]. Deposits below an electronvolt do not count.
        impact: Fields of x and y where the muon enters, [mm]; true ones, or those of a tracker.
        thresholds: Up to the first a cell is low, above the second it is high, [GeV].

    Raises:
        DataError: If a field or the geometry is missing, a name or the thresholds are wrong, an energy is not finite, a
            muon enters beside the calorimeter, or the bending energy is wanted without a field across the beam.

    References:
        J. Kieseler, G. C. Strong et al., Eur. Phys. J. C 82 (2022) 79, and their code calo_muon_regression.
    """
    wanted = _NAMES if names is None else tuple(names)
    check_muon_options(wanted, thresholds)
    calorimeter = calorimeter_of(events)
    field = calorimeter.magnetic_field
    if "bending_energy" in wanted and not (field[0] or field[1]):
        raise DataError(
            f"bending_energy needs a magnetic field across the beam; {calorimeter.name!r} has {field} T in "
            "(x, y, z): choose other muon features by their names"
        )
    x, y = (events.scalar(name) for name in impact)
    column = _column(calorimeter, x, y, impact)
    # Numba is imported only by those who need it
    from showercal.features._muon_kernel import muon_rows

    place = calorimeter.cell_position(np.arange(calorimeter.n_x * calorimeter.n_y))

    def rows(block: slice) -> FloatArray:
        offsets, cell, deposit = _hits(events[block], energy, first_event=block.start)
        calorimeter.check_cells(cell, where="the events given")
        made: FloatArray = muon_rows(
            offsets,
            cell,
            deposit,
            1e-3 * LEAST_DEPOSIT,
            *thresholds,
            calorimeter.shape,
            np.ascontiguousarray(place[:, 0]),
            np.ascontiguousarray(place[:, 1]),
            calorimeter.layer_centre(),
            calorimeter.depth,
            x[block],
            y[block],
            column[block],
            field[0],
            field[1],
        )
        return made

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:  # compiled code runs at once in all
        made = [np.empty((0, len(_NAMES))), *pool.map(rows, blocks(events, _HITS_AT_A_TIME))]
    return np.concatenate(made)[:, [_NAMES.index(name) for name in wanted]]


def _hits(
    events: Events, energy: str, *, first_event: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Where each event begins, cell numbers and energies of the hits of a block.

    Raises:
        DataError: If an energy is not finite.
    """
    check_finite(events, energy, whose="muon features", first_event=first_event)
    cell = ak.to_numpy(ak.flatten(events.field(CELL)))
    deposit = ak.to_numpy(ak.flatten(events.field(energy)))
    return events.cell_offsets, cell.astype(np.int64), deposit.astype(np.float64)


def _column(calorimeter: BoxCalorimeter, x: FloatArray, y: FloatArray, impact: tuple[str, str]) -> NDArray[np.int64]:
    """Number of the cell of the first layer behind each impact point, shape (B,)."""
    is_inside = (np.abs(x) < calorimeter.width[0] / 2) & (np.abs(y) < calorimeter.width[1] / 2)  # NaN is not
    if not is_inside.all():
        first = int(np.argmin(is_inside))
        raise DataError(
            f"muon features need muons that enter the front face of {calorimeter.name!r}, which is "
            f"{calorimeter.width[0]:g} x {calorimeter.width[1]:g} mm; {impact[0]}, {impact[1]} are {x[first]:g}, "
            f"{y[first]:g} mm at event {first} ({int((~is_inside).sum())} of {len(x)}); drop such events with "
            "Events[mask]"
        )
    return calorimeter.cell_at(np.stack([x, y, np.zeros_like(x)], axis=-1))
