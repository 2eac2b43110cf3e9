"""A fitted method with its calibration, as one ONNX file that gives the same numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import showercal
from showercal.calibration import BiasCorrection, WidthRecalibration
from showercal.errors import ExportError
from showercal.estimator import Estimator
from showercal.events import CELL, OFFSETS, Events
from showercal.export._fields import flat_fields
from showercal.export._graph import CalibratedGraph
from showercal.export._info import ModelInfo, Port
from showercal.export._onnx import to_onnx
from showercal.export._parity import Parity, check_parity
from showercal.export._seal import sealed
from showercal.prediction import Prediction

# Events per call of ONNX Runtime: a ConvNet takes 0.2 MB an event.
_BATCH: Final = 500


@dataclass(frozen=True)
class Exported:
    """A written file.

    Args:
        path: The file.
        info: What it says of itself.
        parity: How far it is from Python.
    """

    path: Path
    info: ModelInfo
    parity: Parity


def export_method(
    method: Estimator,
    path: str | Path,
    events: Events,
    *,
    bias: BiasCorrection | None = None,
    recalibration: WidthRecalibration | None = None,
    name: str = "",
    label: str = "",
    study: str = "",
    energy_range: tuple[float, float],
) -> Exported:
    """Write a fitted method, its bias correction and the recalibration of its width as one graph.

    Inputs are fields of events as they lie in memory: ``offsets`` (B + 1,) int64, of which hits ``offsets[i]`` to
    ``offsets[i + 1]`` belong to event i, ``cells.id`` (H,) int64, values of cells (H,) and scalars (B,) float32.
    Outputs are ``energy`` (B,) and, for methods with a width, ``width`` (B,): the median and half the central 68.27 %
    interval, [GeV]. The file is written only when ONNX Runtime gives Python's numbers for the events, to 1e-5 of each
    or of 5 % of the highest training energy, where that is more (see `Parity`).

    Args:
        method: The fitted method.
        path: The file; one that is there is replaced.
        events: Two or more events of its detector, with two or more lit cells, to compare on.
        bias, recalibration: Calibration, applied in this order, or None.
        name, label, study: What the metadata say.
        energy_range: Lowest and highest true energy of the training events, [GeV].

    Raises:
        ExportError: If the method has no form in ONNX, the numbers differ by more, the training range is none, there
            are too few events to compare on, or the path is a folder or in none.
        OSError: If the file cannot be written.
    """
    low, high = energy_range
    if not (math.isfinite(high) and 0 <= low < high):
        raise ExportError(
            f"the training energies must have a range with 0 <= lowest < highest; got {low} to {high} GeV"
        )
    if len(events) < 2:
        raise ExportError(f"an exported method is compared with Python on two or more events; got {len(events)}")
    path = Path(path)
    if path.is_dir() or not path.parent.is_dir():
        what = "is a folder" if path.is_dir() else f"has no folder: {path.parent} is missing"
        raise ExportError(f"{path} {what}; name a file in a folder that is there, e.g. {name or 'model'}.onnx")
    prediction = method.predict(events)
    if bias is not None:
        prediction = bias.apply(prediction)
    if not prediction.has_width:
        recalibration = None
    elif recalibration is not None:
        prediction = recalibration.apply(prediction)
    graph: Any = method.graph()
    inputs = flat_fields(events, graph.fields)
    info = ModelInfo(
        version=showercal.__version__,
        method=name,
        label=label,
        study=study,
        inputs=tuple(_port(field, values, events) for field, values in inputs.items()),
        outputs=tuple(Port(output, "GeV", "float32", ("B",)) for output in _expected(prediction)),
        geometry=None if graph.calorimeter is None else graph.calorimeter.to_dict(),
        fingerprint="" if graph.calorimeter is None else graph.calorimeter.fingerprint,
        energy_range=energy_range,
        bias_correction=None if bias is None else bias.to_dict(),
        recalibration=None if recalibration is None else recalibration.to_dict(),
    )
    calibrated = CalibratedGraph(graph, None if bias is None else bias.map_, recalibration)
    axes = {port.name: port.shape for port in info.inputs}
    model = to_onnx(calibrated, inputs, axes, [port.name for port in info.outputs], info.to_metadata())
    content = sealed(model.SerializeToString(deterministic=True))
    parity = check_parity(_expected(prediction), _outputs(content, events, info), energy_range[1])
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
    return Exported(path, info, parity)


def _expected(prediction: Prediction) -> dict[str, NDArray[np.float64]]:
    """What Python says of each output."""
    outputs = {"energy": prediction.median}
    if prediction.has_width:
        outputs["width"] = prediction.sigma68
    return outputs


def _port(field: str, values: NDArray[Any], events: Events) -> Port:
    unit = "1" if field == OFFSETS else events.units[field]
    first = "B + 1" if field == OFFSETS else "H" if "." in field else "B"
    return Port(field, unit, "int64" if field in (OFFSETS, CELL) else "float32", (first, *values.shape[1:]))


def _outputs(content: bytes, events: Events, info: ModelInfo) -> dict[str, NDArray[np.float64]]:
    """What ONNX Runtime says of each output."""
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as fault:  # its errors have no common class
        raise ExportError(f"ONNX Runtime cannot run this method: {fault}; choose one with another head") from fault
    names = [port.name for port in info.outputs]
    parts = []
    for start in range(0, len(events), _BATCH):
        inputs = flat_fields(events[start : start + _BATCH], (port.name for port in info.inputs))
        parts.append(session.run(names, inputs))
    columns = (np.concatenate(column).astype(np.float64) for column in zip(*parts, strict=True))
    return dict(zip(names, columns, strict=True))
