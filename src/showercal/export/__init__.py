"""Export: a fitted method with its calibration as one ONNX graph, for any program; and what is done with the file here.

Applying an exported file needs no PyTorch: names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from showercal.export._apply import Applied, apply_model
    from showercal.export._export import Exported, export_method
    from showercal.export._fields import flat_fields
    from showercal.export._info import ModelInfo, Port
    from showercal.export._model import CalibratedEnergies, ExportedModel, open_model
    from showercal.export._output import partial_path
    from showercal.export._parity import Parity, check_parity

__all__ = [
    "Applied",
    "CalibratedEnergies",
    "Exported",
    "ExportedModel",
    "ModelInfo",
    "Parity",
    "Port",
    "apply_model",
    "check_parity",
    "export_method",
    "flat_fields",
    "open_model",
    "partial_path",
]

_HOME = {
    "Applied": "_apply",
    "CalibratedEnergies": "_model",
    "Exported": "_export",
    "ExportedModel": "_model",
    "ModelInfo": "_info",
    "Parity": "_parity",
    "Port": "_info",
    "apply_model": "_apply",
    "check_parity": "_parity",
    "export_method": "_export",
    "flat_fields": "_fields",
    "open_model": "_model",
    "partial_path": "_output",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"showercal.export.{_HOME[name]}"), name)
    raise AttributeError(f"module 'showercal.export' has no attribute {name!r}")
