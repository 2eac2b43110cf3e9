"""A calorimeter as the fast simulator sees it: slabs along z and tables of what particles do in their materials."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from showercal.detectors import BoxCalorimeter
from showercal.errors import GeometryError
from showercal.simulation.fast._compiled import compiled, inlined
from showercal.simulation.fast._records import new_record

_BINS_PER_SLAB: Final = 8
_THIN: Final = 0.3  # [X0]
# The radiation yield of 1 MeV electrons in copper is 1.5 % (ICRU 37): what is not followed below is not missed.
_REJECT_BELOW: Final = 1.0  # [MeV]
_STOP_SHARE: Final = 0.05  # of the smallest side of a cell: so short a way is not followed

MAX_SLABS: Final = 512
MAX_MATERIALS: Final = 8
_MAX_BINS: Final = 1 << 14

# Geometry in the calorimeter's frame: front face at z = 0, axis at x = y = 0; [MeV], [mm], [ns], [T].
MEDIUM: Final = np.dtype(
    [
        ("n_slabs", np.int64),
        ("n_layers", np.int64),
        ("z_low", np.float64, MAX_SLABS),  # faces of the slabs
        ("z_high", np.float64, MAX_SLABS),
        ("material", np.int64, MAX_SLABS),  # index into the tables
        ("layer", np.int64, MAX_SLABS),  # number of the layer whose active part it is, -1 for an absorber
        # z of the nearest face of an active slab in front of and behind an absorber, infinite where there is none
        ("active_below", np.float64, MAX_SLABS),
        ("active_above", np.float64, MAX_SLABS),
        ("layer_z", np.float64, MAX_SLABS),  # middle of the active part of each layer
        (
            "is_thin",
            np.int8,
            MAX_SLABS,
        ),  # whether energy loss fluctuates by single collisions: active, thin against X0
        # the slab at the middle of each bin of a fine division of the depth, to find a slab without a search
        ("slab_at", np.int64, _MAX_BINS),
        ("n_bins", np.int64),
        ("bins_per_mm", np.float64),
        ("depth", np.float64),  # size of the box
        ("half_x", np.float64),
        ("half_y", np.float64),
        ("cell_x", np.float64),  # cells
        ("cell_y", np.float64),
        ("n_x", np.int64),
        ("n_y", np.int64),
        ("field", np.float64, 3),
        ("field_strength", np.float64),
        ("stop_range", np.float64),  # electrons in active material stop where their range is below this
        ("reject_below", np.float64),  # electrons in absorbers below this stop when they cannot reach active material
        ("birks", np.float64),  # k_B, [mm/MeV]
        ("time_cut", np.float64),  # later deposits are not seen
    ],
    align=True,
)


def materials_of(calorimeter: BoxCalorimeter) -> list[str]:
    """Names of the calorimeter's materials, each once, in the order of `Medium.material`."""
    names = [name for layer in calorimeter.layers for name in (layer.active, layer.absorber) if name is not None]
    return list(dict.fromkeys(names))


def build_medium(calorimeter: BoxCalorimeter, *, birks: float = 0.0, time_cut: float | None = None) -> Any:
    """The slabs of a calorimeter, a record of layout `MEDIUM`.

    Args:
        calorimeter: A box.
        birks: Birks' constant of the active material, [mm/MeV]; 0 for none.
        time_cut: Deposits later than this are not seen, [ns]; None sees all.

    Raises:
        GeometryError: If it has too many slabs or materials.
    """
    names = materials_of(calorimeter)
    thickness, material, layer = [], [], []
    for number, one in enumerate(calorimeter.layers):
        thickness.append(one.active_thickness)
        material.append(names.index(one.active))
        layer.append(number)
        if one.absorber is not None:
            thickness.append(one.absorber_thickness)
            material.append(names.index(one.absorber))
            layer.append(-1)
    n_slabs = len(thickness)
    if n_slabs > MAX_SLABS or len(names) > MAX_MATERIALS:
        raise GeometryError(
            f"the fast simulator takes at most {MAX_SLABS} slabs and {MAX_MATERIALS} materials; calorimeter "
            f"{calorimeter.name!r} has {n_slabs} and {len(names)}: use --backend geant4"
        )
    faces = np.concatenate([[0.0], np.cumsum(thickness)])
    z_low, z_high, is_active = faces[:-1], faces[1:], np.array(layer) >= 0
    x0 = np.array([calorimeter.material(names[m]).radiation_length for m in material])
    medium = new_record(MEDIUM)
    medium.n_slabs = n_slabs
    medium.n_layers = calorimeter.n_layers
    medium.z_low[:n_slabs], medium.z_high[:n_slabs] = z_low, z_high
    medium.material[:n_slabs], medium.layer[:n_slabs] = material, layer
    medium.layer_z[: calorimeter.n_layers] = calorimeter.layer_centre()
    medium.active_below[:n_slabs] = np.maximum.accumulate(np.where(is_active, z_high, -np.inf))
    medium.active_above[:n_slabs] = np.minimum.accumulate(np.where(is_active, z_low, np.inf)[::-1])[::-1]
    medium.is_thin[:n_slabs] = is_active & (np.array(thickness) < _THIN * x0)
    medium.n_bins = min(_MAX_BINS, max(64, math.ceil(_BINS_PER_SLAB * faces[-1] / min(thickness))))
    medium.bins_per_mm = medium.n_bins / faces[-1]
    middles = (np.arange(medium.n_bins) + 0.5) / medium.bins_per_mm
    medium.slab_at[: medium.n_bins] = np.searchsorted(faces, middles, side="right") - 1
    medium.depth = faces[-1]
    medium.half_x, medium.half_y = (width / 2 for width in calorimeter.width)
    medium.cell_x, medium.cell_y = calorimeter.cell_x, calorimeter.cell_y
    medium.n_x, medium.n_y = calorimeter.n_x, calorimeter.n_y
    medium.field[:] = calorimeter.magnetic_field
    medium.field_strength = math.hypot(*calorimeter.magnetic_field)
    medium.stop_range = _STOP_SHARE * min(
        calorimeter.cell_x, calorimeter.cell_y, *(one.active_thickness for one in calorimeter.layers)
    )
    medium.reject_below = _REJECT_BELOW
    medium.birks = birks
    medium.time_cut = np.inf if time_cut is None else time_cut
    return medium


@inlined
def slab_of(medium, z):
    """The slab that holds z; the first or the last one for a z outside the box."""
    k = int(z * medium.bins_per_mm)
    slab = medium.slab_at[min(max(k, 0), medium.n_bins - 1)]
    while slab > 0 and z < medium.z_low[slab]:
        slab -= 1
    while slab < medium.n_slabs - 1 and z >= medium.z_high[slab]:
        slab += 1
    return slab


@compiled
def is_inside(medium, x, y, z):
    """Whether a point is in the box."""
    return abs(x) <= medium.half_x and abs(y) <= medium.half_y and 0.0 <= z <= medium.depth


@inlined
def active_distance(medium, slab, z):
    """Distance along z from a point to the nearest active material, [mm]; 0 in an active slab."""
    if medium.layer[slab] >= 0:
        return 0.0
    return min(z - medium.active_below[slab], medium.active_above[slab] - z)
