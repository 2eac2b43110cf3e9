"""An exported file, opened: checked, and ready to give calibrated energies of events."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from showercal.defaults import DEFAULT_BATCH
from showercal.detectors import BoxCalorimeter
from showercal.errors import DataError, ModelFileError
from showercal.events import CELL, OFFSETS, Events
from showercal.export._fields import flat_fields
from showercal.export._info import ModelInfo
from showercal.export._seal import is_whole
from showercal.storage import EventSource

# What is added to events.
ENERGY: Final = "energy_calibrated"
WIDTH: Final = "energy_width"
OUTSIDE: Final = "outside_training_range"


@dataclass(frozen=True)
class CalibratedEnergies:
    """What a model says of B events.

    Args:
        energy: Calibrated energy, shape (B,), float32, [GeV].
        width: Half the central 68.27 % interval, shape (B,), float32, [GeV]; None of point estimators.
        is_outside: Whether the calibrated energy lies outside the energies of the training (or is not a number), shape
            (B,).
    """

    energy: NDArray[np.float32]
    width: NDArray[np.float32] | None
    is_outside: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ExportedModel:
    """An exported file, opened; open it with `open_model`. It needs ONNX Runtime alone, no PyTorch.

    Args:
        path: The file.
        info: What it says of itself.
        digest: Hash of the file.
        session: Its ONNX Runtime session.
        batch_size: Events per call of it.
    """

    path: Path
    info: ModelInfo
    digest: str
    session: Any
    batch_size: int

    @property
    def units(self) -> dict[str, str]:
        """Units of the fields that `apply` adds."""
        return {ENERGY: "GeV", **({WIDTH: "GeV"} if self.info.has_width else {}), OUTSIDE: "1"}

    def check(self, events: Events | EventSource) -> None:
        """Refuse events that are not what the model takes; only what is declared is looked at.

        Raises:
            DataError: If fields are missing or measure something else, or the events come from another calorimeter.
        """
        needed = {port.name: port.unit for port in self.info.inputs}
        if needed.pop(OFFSETS, None) is not None:
            needed.setdefault(CELL, "1")
        missing = [name for name in needed if name not in events.units]
        if missing:
            raise DataError(
                f"{self._title} needs {', '.join(missing)}, which the events do not have; they have "
                f"{', '.join(events.units)}: declare the fields in the mapping, or take a model that needs less"
            )
        for name, unit in needed.items():
            if events.units[name] != unit:
                raise DataError(
                    f"{self._title} takes {name} in {unit!r}; the events have it in {events.units[name]!r}: correct "
                    "its unit in the mapping"
                )
        if self.info.geometry is not None:
            self._check_geometry(events.geometry)

    def predict(self, events: Events) -> CalibratedEnergies:
        """Calibrated energies of events, with or without truth.

        Args:
            events: B events; they may be without cells.

        Raises:
            DataError: As `check`, or if values of a field are missing.
            GeometryError: If cell numbers lie outside the calorimeter.
            ModelFileError: If ONNX Runtime cannot run the graph.
        """
        self.check(events)
        fields = flat_fields(events, (port.name for port in self.info.inputs))
        if self.info.geometry is not None and CELL in fields:
            BoxCalorimeter.from_dict(self.info.geometry).check_cells(fields[CELL], where="the events")
        names = [port.name for port in self.info.outputs]
        outputs = {name: np.empty(len(events), np.float32) for name in names}
        for batch, fields_of_batch in _batches(fields, len(events), self.batch_size):
            for name, values in zip(names, self._run(names, fields_of_batch), strict=True):
                outputs[name][batch] = values
        energy = outputs["energy"]
        low, high = self.info.energy_range
        return CalibratedEnergies(energy, outputs.get("width"), ~((energy >= low) & (energy <= high)))

    def apply(self, events: Events) -> Events:
        """Events with ``energy_calibrated``, ``energy_width`` (of models with a width) and ``outside_training_range``.

        Raises:
            DataError: As `predict`, or if the events have such fields already.
            GeometryError: As `predict`.
        """
        self.check_names(events)
        found = self.predict(events)
        columns: dict[str, Any] = {ENERGY: found.energy, OUTSIDE: found.is_outside}
        if found.width is not None:
            columns[WIDTH] = found.width
        array = events.array
        for name in self.units:
            array = ak.with_field(array, columns[name], name)
        provenance = {**events.provenance, "apply": self.provenance}
        return replace(events, array=array, units={**events.units, **self.units}, provenance=provenance)

    def check_names(self, events: Events | EventSource) -> None:
        """Refuse events that a model was applied to before.

        Raises:
            DataError: If they have the fields that `apply` adds.
        """
        taken = [name for name in self.units if name in events.units]
        if taken:
            raise DataError(
                f"the events have {', '.join(taken)} already: apply the model to the file that they came from, or "
                "leave these fields out of the mapping"
            )

    @property
    def provenance(self) -> dict[str, Any]:
        """What the provenance of calibrated events says of the model."""
        info = self.info
        said = {"method": info.method, "label": info.label, "study": info.study, "version": info.version}
        return {"model": self.path.name, "sha256": self.digest, "energy_range": list(info.energy_range), **said}

    def _run(self, names: list[str], fields: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        try:
            outputs: list[NDArray[np.float32]] = self.session.run(names, fields)
        except Exception as fault:  # its errors have no common class
            raise ModelFileError(
                f"ONNX Runtime cannot run {self._title} on these events ({_one_line(fault)}): report it with "
                "this message"
            ) from fault
        return outputs

    @property
    def _title(self) -> str:
        name = self.info.label or self.info.method
        return f"model {self.path}" + (f" ({name})" if name else "")

    def _check_geometry(self, geometry: Mapping[str, Any] | None) -> None:
        trained = str((self.info.geometry or {}).get("name"))
        if geometry is None:
            raise DataError(
                f"{self._title} is for the calorimeter {trained!r}; the events carry no geometry: name it in the "
                f"mapping (geometry: {trained})"
            )
        given = BoxCalorimeter.from_dict(geometry)
        if given.fingerprint != self.info.fingerprint:
            raise DataError(
                f"these events come from {given.name!r} (geometry {given.fingerprint}); {self._title} was trained on "
                f"{trained!r} ({self.info.fingerprint}): train a method on this detector and export it"
            )


def open_model(path: str | Path, *, threads: int | None = None, batch_size: int = DEFAULT_BATCH) -> ExportedModel:
    """Open a file that `export_method` wrote.

    Args:
        path: The file.
        threads: Threads of ONNX Runtime; None for one per core.
        batch_size: Events per call of ONNX Runtime; fewer take less memory.

    Raises:
        ValueError: If there is not at least one thread and one event.
        ModelFileError: If there is no such file, showercal did not write it, or it is damaged or of another format.
    """
    import onnxruntime

    for name, number in (("threads", threads), ("batch_size", batch_size)):
        if number is not None and number < 1:
            raise ValueError(f"{name} must be >= 1; got {number}")
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(f"no model at {path}; make one with showercal export")
    content = path.read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 0 if threads is None else threads
    options.log_severity_level = 4  # faults come as exceptions
    # threads that wait spinning collapse when another program wants a core
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as fault:  # its errors have no common class
        raise ModelFileError(
            f"{path} is damaged or not an ONNX model ({_one_line(fault)}): copy it or export the method again"
        ) from fault
    info = ModelInfo.from_metadata(session.get_modelmeta().custom_metadata_map, where=path)
    if not is_whole(content):
        raise ModelFileError(
            f"{path} is not as showercal wrote it (its checksum differs): it was damaged, or changed by another "
            "program; copy it or export the method again"
        )
    return ExportedModel(path, info, hashlib.sha256(content).hexdigest(), session, batch_size)


def _batches(
    fields: Mapping[str, NDArray[Any]], n_events: int, size: int
) -> Iterator[tuple[slice, dict[str, NDArray[Any]]]]:
    """Flat fields in pieces of ``size`` events, and which events these are."""
    offsets = fields.get(OFFSETS)
    for start in range(0, n_events, size):
        stop = min(start + size, n_events)
        batch = {}
        for name, values in fields.items():
            if name == OFFSETS:
                batch[name] = values[start : stop + 1] - values[start]
            elif offsets is not None and "." in name:
                batch[name] = values[offsets[start] : offsets[stop]]
            else:
                batch[name] = values[start:stop]
        yield slice(start, stop), batch


def _one_line(fault: object) -> str:
    text = " ".join(str(fault).split())
    return text if len(text) <= 160 else f"{text[:157]}..."
