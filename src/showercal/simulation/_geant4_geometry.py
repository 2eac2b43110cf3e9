"""A `BoxCalorimeter` as Geant4 volumes. Imported in the worker process only: it imports geant4_pybind."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

import geant4_pybind as g4

from showercal.detectors import MATERIALS, BoxCalorimeter, Material

# Geant4's own entries carry measured mean excitation energies; they are used where ours is the same material.
_NIST: Final = MappingProxyType(
    {
        "plastic-scintillator": "G4_PLASTIC_SC_VINYLTOLUENE",
        "polystyrene": "G4_POLYSTYRENE",
        "PbWO4": "G4_PbWO4",
        "stainless-steel": "G4_STAINLESS-STEEL",
        "iron": "G4_Fe",
        "copper": "G4_Cu",
        "lead": "G4_Pb",
        "tungsten": "G4_W",
        "silicon": "G4_Si",
        "aluminium": "G4_Al",
        "liquid-argon": "G4_lAr",
    }
)
_WORLD_MARGIN: Final = 50.0  # vacuum around the calorimeter, [mm]


class BoxConstruction(g4.G4VUserDetectorConstruction):  # type: ignore[misc]
    """Builds world, layers and cells, with the calorimeter's own coordinates: front face at z = 0, axis at x = y = 0.

    The active part of a layer is a slab cut by replicas along x and then y, so that each cell is a volume of its own
    and a touchable's copy numbers are iy (depth 0), ix (depth 1) and layer (depth 2).

    Args:
        calorimeter: What to build.
    """

    def __init__(self, calorimeter: BoxCalorimeter) -> None:
        super().__init__()
        self.calorimeter = calorimeter
        self.cells: list[Any] = []
        self._keep: list[Any] = []  # Geant4 owns no Python object: what is dropped here is gone there
        self._materials: dict[str, Any] = {}
        self._slabs: dict[tuple[str, float], Any] = {}

    def Construct(self) -> Any:  # noqa: N802 (Geant4's name)
        box = self.calorimeter
        half_x, half_y = box.n_x * box.cell_x / 2, box.n_y * box.cell_y / 2
        depth = float(sum(layer.thickness for layer in box.layers))
        vacuum = g4.G4NistManager.Instance().FindOrBuildMaterial("G4_Galactic")
        world = self._volume("world", half_x + _WORLD_MARGIN, half_y + _WORLD_MARGIN, depth / 2 + _WORLD_MARGIN, vacuum)
        envelope = self._volume("calorimeter", half_x, half_y, depth / 2, vacuum)
        # the world is centred on its origin, so its own frame is the calorimeter's moved back by half the depth
        placed_world = self._place(world, None, 0.0, 0)
        self._place(envelope, world, 0.0, 0)
        if any(box.magnetic_field):
            self._magnetise(envelope)
        front = -depth / 2
        for number, layer in enumerate(box.layers):
            slab = self._slab(layer.active, layer.active_thickness, half_x, half_y)
            self._place(slab, envelope, front + layer.active_thickness / 2, number)
            front += layer.active_thickness
            if layer.absorber is not None:
                absorber = self._volume(
                    f"absorber{number}", half_x, half_y, layer.absorber_thickness / 2, self._material(layer.absorber)
                )
                self._place(absorber, envelope, front + layer.absorber_thickness / 2, number)
                front += layer.absorber_thickness
        return placed_world

    @property
    def front_z(self) -> float:
        """Where the front face lies in Geant4's frame, [mm]."""
        return -float(sum(layer.thickness for layer in self.calorimeter.layers)) / 2

    def _slab(self, active: str, thickness: float, half_x: float, half_y: float) -> Any:
        """Active slab cut into cells; layers of the same material and thickness share it."""
        if (active, thickness) in self._slabs:
            return self._slabs[active, thickness]
        box, material = self.calorimeter, self._material(active)
        slab = self._volume("slab", half_x, half_y, thickness / 2, material)
        column = self._volume("column", box.cell_x / 2, half_y, thickness / 2, material)
        cell = self._volume("cell", box.cell_x / 2, box.cell_y / 2, thickness / 2, material)
        self._keep.append(g4.G4PVReplica("columns", column, slab, g4.kXAxis, box.n_x, box.cell_x * g4.mm))
        self._keep.append(g4.G4PVReplica("cells", cell, column, g4.kYAxis, box.n_y, box.cell_y * g4.mm))
        self.cells.append(cell)
        self._slabs[active, thickness] = slab
        return slab

    def _volume(self, name: str, half_x: float, half_y: float, half_z: float, material: Any) -> Any:
        solid = g4.G4Box(name, half_x * g4.mm, half_y * g4.mm, half_z * g4.mm)
        logical = g4.G4LogicalVolume(solid, material, name)
        self._keep += [solid, logical]
        return logical

    def _place(self, logical: Any, mother: Any, z: float, number: int) -> Any:
        placed = g4.G4PVPlacement(
            None, g4.G4ThreeVector(0, 0, z * g4.mm), logical, logical.GetName(), mother, False, number, False
        )
        self._keep.append(placed)
        return placed

    def _magnetise(self, envelope: Any) -> None:
        """Uniform field inside the calorimeter only, so that what leaves it does not circle in the vacuum."""
        field = g4.G4UniformMagField(g4.G4ThreeVector(*(b * g4.tesla for b in self.calorimeter.magnetic_field)))
        manager = g4.G4FieldManager(field)
        envelope.SetFieldManager(manager, True)
        self._keep += [field, manager]

    def _material(self, name: str) -> Any:
        if name not in self._materials:
            own = self.calorimeter.material(name)
            nist = g4.G4NistManager.Instance()
            if name in _NIST and own == MATERIALS[name]:
                self._materials[name] = nist.FindOrBuildMaterial(_NIST[name])
            else:
                self._materials[name] = _from_elements(own)
        return self._materials[name]


def _from_elements(material: Material) -> Any:
    """A mixture of natural elements; the mean excitation energy follows by Bragg's rule."""
    nist = g4.G4NistManager.Instance()
    mixture = g4.G4Material(material.name, material.density * g4.g / g4.cm3, len(material.mass_fractions))
    total = sum(material.mass_fractions.values())
    for symbol, fraction in material.mass_fractions.items():
        mixture.AddElement(nist.FindOrBuildElement(symbol), fraction / total)
    return mixture
