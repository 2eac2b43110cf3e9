"""A calorimeter as the fast simulator sees it: slabs along z and tables of what particles do in their materials."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from showercal.detectors import BoxCalorimeter

_BINS_PER_SLAB: Final = 8

FloatArray = NDArray[np.float64]


class Medium(NamedTuple):
    """Geometry in the calorimeter's frame: front face at z = 0, axis at x = y = 0; [MeV], [mm], [ns].

    Attributes:
        z_low, z_high: Faces of the slabs, shape (S,), [mm].
        material: Index into the tables, shape (S,).
        layer: Number of the layer that the slab is the active part of, -1 for an absorber, shape (S,).
        active_below, active_above: z of the nearest face of an active slab in front of and behind an absorber, shape
            (S,), [mm]; minus or plus infinity where there is none.
        slab_at: Slab at the middle of each bin of a fine division of the depth, to find a slab from z without a search.
        bins_per_mm: Of that division.
        depth, half_x, half_y: Size of the box, [mm].
        cell_x, cell_y, n_x, n_y: Cells.
        field: (Bx, By, Bz), [T].
        has_field: Whether it is not zero.
        birks: k_B, [mm/MeV].
        time_cut: Later deposits are not seen, [ns].
    """

    z_low: FloatArray
    z_high: FloatArray
    material: NDArray[np.int64]
    layer: NDArray[np.int64]
    active_below: FloatArray
    active_above: FloatArray
    slab_at: NDArray[np.int64]
    bins_per_mm: float
    depth: float
    half_x: float
    half_y: float
    cell_x: float
    cell_y: float
    n_x: int
    n_y: int
    field: FloatArray
    has_field: bool
    birks: float
    time_cut: float


def materials_of(calorimeter: BoxCalorimeter) -> list[str]:
    """Names of the calorimeter's materials, each once, in the order of `Medium.material`."""
    names = [name for layer in calorimeter.layers for name in (layer.active, layer.absorber) if name is not None]
    return list(dict.fromkeys(names))


def build_medium(calorimeter: BoxCalorimeter, *, birks: float = 0.0, time_cut: float | None = None) -> Medium:
    """The slabs of a calorimeter.

    Args:
        calorimeter: A box.
        birks: Birks' constant of the active material, [mm/MeV]; 0 for none.
        time_cut: Deposits later than this are not seen, [ns]; None sees all.
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
    faces = np.concatenate([[0.0], np.cumsum(thickness)])
    z_low, z_high, layers = faces[:-1], faces[1:], np.array(layer)
    is_active = layers >= 0
    below = np.maximum.accumulate(np.where(is_active, z_high, -np.inf))
    above = np.minimum.accumulate(np.where(is_active, z_low, np.inf)[::-1])[::-1]
    n_bins = max(64, math.ceil(_BINS_PER_SLAB * faces[-1] / min(thickness)))
    middles = (np.arange(n_bins) + 0.5) * faces[-1] / n_bins
    return Medium(
        z_low=z_low,
        z_high=z_high,
        material=np.array(material),
        layer=layers,
        active_below=below,
        active_above=above,
        slab_at=np.searchsorted(faces, middles, side="right") - 1,
        bins_per_mm=n_bins / faces[-1],
        depth=float(faces[-1]),
        half_x=calorimeter.width[0] / 2,
        half_y=calorimeter.width[1] / 2,
        cell_x=calorimeter.cell_x,
        cell_y=calorimeter.cell_y,
        n_x=calorimeter.n_x,
        n_y=calorimeter.n_y,
        field=np.array(calorimeter.magnetic_field),
        has_field=any(calorimeter.magnetic_field),
        birks=birks,
        time_cut=np.inf if time_cut is None else time_cut,
    )


@njit(cache=True)
def slab_of(medium, z):
    """The slab that holds z; the first or the last one for a z outside the box."""
    n_bins = medium.slab_at.shape[0]
    k = int(z * medium.bins_per_mm)
    slab = medium.slab_at[min(max(k, 0), n_bins - 1)]
    while slab > 0 and z < medium.z_low[slab]:
        slab -= 1
    while slab < medium.z_low.shape[0] - 1 and z >= medium.z_high[slab]:
        slab += 1
    return slab


@njit(cache=True, forceinline=True)
def is_inside(medium, x, y, z):
    """Whether a point is in the box."""
    return abs(x) <= medium.half_x and abs(y) <= medium.half_y and 0.0 <= z <= medium.depth


@njit(cache=True, forceinline=True)
def active_distance(medium, slab, z):
    """Distance along z from a point to the nearest active material, [mm]; 0 in an active slab."""
    if medium.layer[slab] >= 0:
        return 0.0
    return min(z - medium.active_below[slab], medium.active_above[slab] - z)
