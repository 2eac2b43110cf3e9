"""The detectors of the published studies."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from showercal.detectors._box import BoxCalorimeter, Layer
from showercal.errors import GeometryError, nearest


def toy_sandwich() -> BoxCalorimeter:
    """The 17-layer scintillator sandwich like the CMS HB, 8 x 8 tiles of 75 mm, 931.5 mm deep.

    References:
        S. Schnake, "Energy regression with deep learning in particle collider physics", Universitaet Hamburg 2019.
    """
    scintillator = "plastic-scintillator"
    layers = (
        Layer(scintillator, 9.0, "stainless-steel", 40.0),
        *(Layer(scintillator, 3.7, "brass", 50.5) for _ in range(8)),
        *(Layer(scintillator, 3.7, "brass", 56.5) for _ in range(6)),
        Layer(scintillator, 3.7, "stainless-steel", 75.0),
        Layer(scintillator, 9.0),
    )
    return BoxCalorimeter("toy-sandwich", layers, n_x=8, n_y=8, cell_x=75.0, cell_y=75.0)


def pbwo4_block() -> BoxCalorimeter:
    """The homogeneous PbWO4 block for TeV muons: 50 x 32 x 32 cells, 2032 x 120 x 120 mm, 2 T along y.

    References:
        J. Kieseler, G. C. Strong et al., Eur. Phys. J. C 82 (2022) 79.
    """
    layers = tuple(Layer("PbWO4", 40.64) for _ in range(50))
    return BoxCalorimeter(
        "pbwo4-block", layers, n_x=32, n_y=32, cell_x=3.75, cell_y=3.75, magnetic_field=(0.0, 2.0, 0.0)
    )


DETECTORS: Final[Mapping[str, Callable[[], BoxCalorimeter]]] = MappingProxyType(
    {"toy-sandwich": toy_sandwich, "pbwo4-block": pbwo4_block}
)


def detector(name: str) -> BoxCalorimeter:
    """A detector by name, or read from a ``.json`` file in the form of `BoxCalorimeter.to_dict`.

    Raises:
        GeometryError: If there is no such detector or file.

    Example:
        >>> detector("toy-sandwich").n_cells
        1088
    """
    if name.endswith(".json"):
        path = Path(name)
        if not path.is_file():
            raise GeometryError(f"no geometry file at {path}")
        try:
            return BoxCalorimeter.from_json(path.read_text())
        except json.JSONDecodeError as fault:
            raise GeometryError(f"{path} is not valid JSON: {fault}") from fault
    if name not in DETECTORS:
        raise GeometryError(
            f"unknown detector {name!r}; {nearest(name, DETECTORS)}; or give a .json file of a geometry"
        )
    return DETECTORS[name]()
