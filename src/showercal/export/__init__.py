"""Export: a fitted method with its calibration as one ONNX graph, for any program; and what is done with the file here.

Applying an exported file needs no PyTorch: names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from showercal.export._apply import Applied, apply_model
    from showercal.export._export import export_method
    from showercal.export._info import ModelInfo, Port
    from showercal.export._model import CalibratedEnergies, ExportedModel, open_model
    from showercal.export._output import partial_path

__all__ = [
    "Applied",
    "CalibratedEnergies",
    "ExportedModel",
    "ModelInfo",
    "Port",
    "apply_model",
    "export_method",
    "open_model",
    "partial_path",
]

_HOME = {
    "Applied": "_apply",
    "CalibratedEnergies": "_model",
    "ExportedModel": "_model",
    "ModelInfo": "_info",
    "Port": "_info",
    "apply_model": "_apply",
    "export_method": "_export",
    "open_model": "_model",
    "partial_path": "_output",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"showercal.export.{_HOME[name]}"), name)
    raise AttributeError(f"module 'showercal.export' has no attribute {name!r}")
