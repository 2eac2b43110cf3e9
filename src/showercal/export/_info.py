"""What an exported file says of itself: metadata that any program can read, each value a text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from showercal.errors import ModelFileError

FORMAT: Final = 1
_FORMAT_KEY: Final = "showercal.format"
_TEXTS: Final = ("version", "method", "label", "study")
_JSON: Final = ("inputs", "outputs", "geometry", "energy_range", "bias_correction", "recalibration")


@dataclass(frozen=True)
class Port:
    """One input or output of the graph.

    Args:
        name: Its name in the graph; of inputs, the field of the events.
        unit: Its unit; "1" for plain numbers.
        type: "int64" or "float32".
        shape: Axes: B events, H hits of all events together, or a number.
    """

    name: str
    unit: str
    type: str
    shape: tuple[str | int, ...]


@dataclass(frozen=True)
class ModelInfo:
    """The metadata.

    Args:
        version: Of showercal.
        method, label: Name of the method in its study, and what reports call it.
        study: Name of the study it was trained in.
        inputs, outputs: Of the graph.
        geometry: The calorimeter as JSON-ready data, None where the method uses no cells.
        fingerprint: Of the geometry; "" without one.
        energy_range: Lowest and highest true energy of the training events, [GeV].
        bias_correction: The correction in the graph, JSON-ready, or None.
        recalibration: The recalibration of the width in the graph, JSON-ready, or None.
    """

    version: str
    method: str
    label: str
    study: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    geometry: Mapping[str, Any] | None
    fingerprint: str
    energy_range: tuple[float, float]
    bias_correction: Mapping[str, Any] | None = None
    recalibration: Mapping[str, Any] | None = None

    @property
    def has_width(self) -> bool:
        """Whether the graph gives a width."""
        return any(port.name == "width" for port in self.outputs)

    def to_metadata(self) -> dict[str, str]:
        """Texts by key: plain ones, and JSON."""
        values = asdict(self)
        texts = {name: values.pop(name) for name in _TEXTS}
        name = "" if self.geometry is None else str(self.geometry["name"])
        texts |= {"geometry_name": name, "geometry_fingerprint": values.pop("fingerprint")}
        texts |= {key: json.dumps(value, sort_keys=True) for key, value in values.items()}
        texts["has_width"] = json.dumps(self.has_width)
        return {_FORMAT_KEY: str(FORMAT), **{f"showercal.{key}": value for key, value in texts.items()}}

    @staticmethod
    def from_metadata(metadata: Mapping[str, str], *, where: Path) -> ModelInfo:
        """What `to_metadata` wrote.

        Raises:
            ModelFileError: If showercal did not write the file ``where``, wrote it in another version of the format,
                or an entry is missing or damaged.
        """
        if _FORMAT_KEY not in metadata:
            raise ModelFileError(
                f"{where} is an ONNX model that showercal did not write (no {_FORMAT_KEY!r} in its metadata): its "
                "inputs are unknown; make one with showercal export"
            )
        if metadata[_FORMAT_KEY] != str(FORMAT):
            raise ModelFileError(
                f"{where} has model format {metadata[_FORMAT_KEY]}; this version reads format {FORMAT}: export the "
                "method again, or use the version of showercal that wrote it"
            )
        texts = {key.removeprefix("showercal."): text for key, text in metadata.items()}
        try:
            values: dict[str, Any] = {name: texts[name] for name in _TEXTS}
            values |= {name: json.loads(texts[name]) for name in _JSON}
            for name in ("inputs", "outputs"):
                values[name] = tuple(Port(**{**port, "shape": tuple(port["shape"])}) for port in values[name])
            low, high = values["energy_range"]
            values["energy_range"] = float(low), float(high)
            return ModelInfo(**values, fingerprint=texts["geometry_fingerprint"])
        except (KeyError, TypeError, ValueError) as fault:
            raise ModelFileError(f"{where} has damaged metadata ({fault!r}): export the method again") from fault
