"""The box family: a stack of layers along the beam, all cut into the same rectangular cells."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showercal.detectors._materials import MATERIALS, Material
from showercal.errors import GeometryError, nearest

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
_FAMILY: Final = "box"


@dataclass(frozen=True)
class Layer:
    """One layer: active material in front, absorber behind it.

    Args:
        active: Name of the active material.
        active_thickness: [mm], above 0.
        absorber: Name of the absorber, or None where nothing follows.
        absorber_thickness: [mm]; above 0 with an absorber, 0 without.

    Raises:
        GeometryError: If a thickness does not fit.
    """

    active: str
    active_thickness: float
    absorber: str | None = None
    absorber_thickness: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.active_thickness) and self.active_thickness > 0):
            raise GeometryError(f"active thickness must be > 0 mm; got {self.active_thickness} for {self.active!r}")
        if self.absorber is None and self.absorber_thickness != 0:
            raise GeometryError(f"absorber thickness is {self.absorber_thickness} mm but no absorber is named")
        if self.absorber is not None and not (np.isfinite(self.absorber_thickness) and self.absorber_thickness > 0):
            raise GeometryError(
                f"absorber thickness must be > 0 mm; got {self.absorber_thickness} for {self.absorber!r}"
            )

    @property
    def thickness(self) -> float:
        """Active and absorber together, [mm]."""
        return self.active_thickness + self.absorber_thickness


@dataclass(frozen=True)
class BoxCalorimeter:
    """A box of layers along +z; the front face is z = 0 and the axis is x = y = 0.

    Cell numbers run as ``layer * n_x * n_y + ix * n_y + iy``, with ix and iy counted from the negative side.

    Args:
        name: Its name in files and reports.
        layers: From the front, at least one.
        n_x, n_y: Cells across.
        cell_x, cell_y: Cell sizes, [mm].
        magnetic_field: Uniform field (Bx, By, Bz), [T].
        materials: Materials that are not in `MATERIALS`, by name; they take precedence.

    Raises:
        GeometryError: If a number does not fit or a material is unknown.
    """

    name: str
    layers: tuple[Layer, ...]
    n_x: int
    n_y: int
    cell_x: float
    cell_y: float
    magnetic_field: tuple[float, float, float] = (0.0, 0.0, 0.0)
    materials: Mapping[str, Material] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "magnetic_field", tuple(float(b) for b in self.magnetic_field))
        object.__setattr__(self, "materials", dict(self.materials))
        if not self.layers:
            raise GeometryError(f"calorimeter {self.name!r} has no layers; give at least one")
        if self.n_x < 1 or self.n_y < 1:
            raise GeometryError(f"calorimeter {self.name!r}: n_x and n_y must be >= 1; got {self.n_x}, {self.n_y}")
        if not (self.cell_x > 0 and self.cell_y > 0):
            raise GeometryError(f"calorimeter {self.name!r}: cells must be > 0 mm; got {self.cell_x} x {self.cell_y}")
        if len(self.magnetic_field) != 3:
            raise GeometryError(f"magnetic field needs 3 components in T; got {self.magnetic_field}")
        for layer in self.layers:
            for name in (layer.active, layer.absorber):
                if name is not None:
                    self.material(name)

    # ------------------------------------------------------------------ materials and depth
    def material(self, name: str) -> Material:
        """The material of that name, own or from `MATERIALS`."""
        if name in self.materials:
            return self.materials[name]
        if name not in MATERIALS:
            raise GeometryError(
                f"calorimeter {self.name!r} uses unknown material {name!r}; "
                f"{nearest(name, [*MATERIALS, *self.materials])}; "
                "describe a new one in 'materials' (density in g/cm3, mass_fractions)"
            )
        return MATERIALS[name]

    @property
    def n_layers(self) -> int:
        """Number of layers, L."""
        return len(self.layers)

    @property
    def n_cells(self) -> int:
        """Number of cells of all layers."""
        return self.n_layers * self.n_x * self.n_y

    @property
    def shape(self) -> tuple[int, int, int]:
        """(layers, n_x, n_y): a grid of cells in the order of their numbers."""
        return self.n_layers, self.n_x, self.n_y

    @property
    def depth(self) -> float:
        """Length along the beam, [mm]."""
        return sum(layer.thickness for layer in self.layers)

    @property
    def width(self) -> tuple[float, float]:
        """Size across (x, y), [mm]."""
        return self.n_x * self.cell_x, self.n_y * self.cell_y

    def layer_front(self) -> FloatArray:
        """z of the front of each layer's active part, shape (L,), [mm]."""
        steps = [layer.thickness for layer in self.layers]
        return np.concatenate([[0.0], np.cumsum(steps)[:-1]])

    def layer_centre(self) -> FloatArray:
        """z of the middle of each layer's active part, shape (L,), [mm]."""
        return self.layer_front() + np.array([layer.active_thickness for layer in self.layers]) / 2

    def depth_in_radiation_lengths(self) -> FloatArray:
        """Depth behind each layer, shape (L,), in X0."""
        return self._depth_in("radiation_length")

    def depth_in_interaction_lengths(self) -> FloatArray:
        """Depth behind each layer, shape (L,), in lambda_I."""
        return self._depth_in("interaction_length")

    def _depth_in(self, length: str) -> FloatArray:
        steps = []
        for layer in self.layers:
            step = layer.active_thickness / getattr(self.material(layer.active), length)
            if layer.absorber is not None:
                step += layer.absorber_thickness / getattr(self.material(layer.absorber), length)
            steps.append(step)
        return np.cumsum(steps)

    # ------------------------------------------------------------------ cells
    def cell_number(self, layer: ArrayLike, ix: ArrayLike, iy: ArrayLike) -> IntArray:
        """Cell numbers from grid positions; shapes broadcast.

        Raises:
            GeometryError: If a position lies outside the grid.
        """
        parts = [np.asarray(v, dtype=np.int64) for v in (layer, ix, iy)]
        for axis, values, size in zip(("layer", "ix", "iy"), parts, self.shape, strict=True):
            if values.size and (values.min() < 0 or values.max() >= size):
                raise GeometryError(
                    f"{axis} must be in [0, {size}) in {self.name!r}; got {values.min()} .. {values.max()}"
                )
        number: IntArray = (parts[0] * self.n_x + parts[1]) * self.n_y + parts[2]
        return number

    def cell_index(self, cell: ArrayLike) -> tuple[IntArray, IntArray, IntArray]:
        """(layer, ix, iy) of cell numbers.

        Raises:
            GeometryError: If a number lies outside the geometry.
        """
        number = np.asarray(cell, dtype=np.int64)
        self.check_cells(number, where="cell_index")
        layer, rest = np.divmod(number, self.n_x * self.n_y)
        ix, iy = np.divmod(rest, self.n_y)
        return layer, ix, iy

    def cell_position(self, cell: ArrayLike) -> FloatArray:
        """Centres (x, y, z) of the active part of cells, shape (..., 3), [mm]."""
        layer, ix, iy = self.cell_index(cell)
        x = (ix + 0.5 - self.n_x / 2) * self.cell_x
        y = (iy + 0.5 - self.n_y / 2) * self.cell_y
        return np.stack([x, y, self.layer_centre()[layer]], axis=-1)

    def cell_at(self, position: ArrayLike) -> IntArray:
        """Cell numbers at points (x, y, z), shape (..., 3), [mm]; -1 outside the active material.

        A point on a boundary belongs to the cell on its positive side.
        """
        point = np.asarray(position, dtype=np.float64)
        ix = np.floor(point[..., 0] / self.cell_x + self.n_x / 2).astype(np.int64)
        iy = np.floor(point[..., 1] / self.cell_y + self.n_y / 2).astype(np.int64)
        front = self.layer_front()
        layer = np.searchsorted(front, point[..., 2], side="right") - 1
        active = np.array([one.active_thickness for one in self.layers])
        inside = (layer >= 0) & (ix >= 0) & (ix < self.n_x) & (iy >= 0) & (iy < self.n_y)
        inside &= point[..., 2] < (front + active)[np.maximum(layer, 0)]
        return np.where(inside, (layer * self.n_x + ix) * self.n_y + iy, -1)

    def check_cells(self, cell: NDArray[Any], *, where: str) -> None:
        """Refuse cell numbers outside the geometry.

        Raises:
            GeometryError: With how many are outside and the first of them.
        """
        outside = (cell < 0) | (cell >= self.n_cells)
        if np.any(outside):
            first = int(np.argmax(outside))
            raise GeometryError(
                f"cell numbers of {self.name!r} run from 0 to {self.n_cells - 1} "
                f"(layer*{self.n_x * self.n_y} + ix*{self.n_y} + iy); got {cell.reshape(-1)[first]} at entry {first} "
                f"({int(outside.sum())} outside) in {where}; is this the right detector?"
            )

    # ------------------------------------------------------------------ as data
    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description; `from_dict` takes it back."""
        return {
            "family": _FAMILY,
            "name": self.name,
            "layers": [
                {
                    "active": one.active,
                    "active_thickness": one.active_thickness,
                    "absorber": one.absorber,
                    "absorber_thickness": one.absorber_thickness,
                }
                for one in self.layers
            ],
            "n_x": self.n_x,
            "n_y": self.n_y,
            "cell_x": self.cell_x,
            "cell_y": self.cell_y,
            "magnetic_field": list(self.magnetic_field),
            "materials": {
                name: {"density": m.density, "mass_fractions": dict(m.mass_fractions)}
                | ({} if m.excitation_energy is None else {"excitation_energy": m.excitation_energy})
                for name, m in self.materials.items()
            },
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> BoxCalorimeter:
        """Rebuild from `to_dict`, or from a hand-written file of the same keys.

        Raises:
            GeometryError: If a key is missing, unknown or has the wrong kind of value.
        """
        if data.get("family") != _FAMILY:
            raise GeometryError(f"expected a calorimeter of family {_FAMILY!r}; got {data.get('family')!r}")
        given = {key: value for key, value in data.items() if key != "family"}
        known = set(BoxCalorimeter.__dataclass_fields__)
        for key in given:
            if key not in known:
                raise GeometryError(f"unknown key {key!r} in the geometry; {nearest(key, known)}")
        try:
            layers: Sequence[Mapping[str, Any]] = given.pop("layers")
            materials = {n: Material(n, **m) for n, m in given.pop("materials", {}).items()}
            return BoxCalorimeter(layers=tuple(Layer(**one) for one in layers), materials=materials, **given)
        except (KeyError, TypeError) as fault:
            raise GeometryError(
                f"the geometry of {data.get('name', 'a calorimeter')!r} is incomplete or malformed: {fault}"
            ) from fault

    def to_json(self) -> str:
        """`to_dict` as text, keys sorted."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @staticmethod
    def from_json(text: str) -> BoxCalorimeter:
        """Rebuild from `to_json`; faults as in `from_dict`."""
        return BoxCalorimeter.from_dict(json.loads(text))

    @property
    def fingerprint(self) -> str:
        """Short hash of the geometry, the same for equal descriptions."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]
