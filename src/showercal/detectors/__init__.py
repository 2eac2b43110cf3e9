"""Calorimeter geometry as data: layers, cells, materials. Cell number <-> (layer, ix, iy) <-> position."""

from showercal.detectors._box import BoxCalorimeter, Layer
from showercal.detectors._catalogue import DETECTORS, detector
from showercal.detectors._materials import ELEMENTS, MATERIALS, Element, Material
from showercal.detectors._of_events import calorimeter_of

__all__ = [
    "DETECTORS",
    "ELEMENTS",
    "MATERIALS",
    "BoxCalorimeter",
    "Element",
    "Layer",
    "Material",
    "calorimeter_of",
    "detector",
]
