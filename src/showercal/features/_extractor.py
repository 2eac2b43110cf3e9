"""The feature extractor: events to columns, with scales fitted on the training events only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import awkward as ak
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from showercal.detectors import BoxCalorimeter, calorimeter_of
from showercal.errors import DataError, check_fitted
from showercal.events import Events
from showercal.features._columns import Columns, DenseColumn, Hits, RaggedColumn
from showercal.features._config import FeatureConfig, Images, InputConfig, LayerSums, Points, Table, Voxels
from showercal.features._sums import layer_sums


class FeatureExtractor:
    """Turns events into named columns of tensors, and gathered columns into what a model's forward takes.

    Voxels are divided by the standard deviation of the lit cells (zero must stay zero); tables, images and points are
    standardised per feature. Both are learnt from the events given to ``fit``.

    Args:
        config: Input name -> its options.

    Attributes:
        calorimeter_: Geometry of the training events; None when they carry none and only tables are used.
        shift_, scale_: Per input, shape (F,): features are (value - shift) / scale.
    """

    def __init__(self, config: FeatureConfig) -> None:
        self.config = config

    def fit(self, train: Events) -> Self:
        """Learn geometry and scales from training events.

        Raises:
            DataError: If a field is missing, or cells are used and the events carry no geometry.
        """
        self.calorimeter_ = None if train.geometry is None else calorimeter_of(train)
        self.shift_: dict[str, Tensor] = {}
        self.scale_: dict[str, Tensor] = {}
        for name, spec in self.config.items():
            raw = self._raw(train, spec)
            values = raw.values.double()
            shift = torch.zeros(values.shape[1:], dtype=torch.float64)
            scale = torch.ones(values.shape[1:], dtype=torch.float64)
            if len(values) > 1:
                # a feature that never varies (the deepest layers) keeps scale 1 instead of dividing by 0
                spread = values.std(0)
                scale = torch.where(spread > 0, spread, scale)
                if isinstance(raw, DenseColumn) or isinstance(spec, Points):
                    shift = values.mean(0)
            self.shift_[name], self.scale_[name] = shift.float(), scale.float()
        return self

    def transform(self, events: Events) -> Columns:
        """Columns of all inputs, scaled, float32.

        Raises:
            DataError: If the events come from another geometry than the training events.
        """
        check_fitted(self, "scale_")
        if self.calorimeter_ is not None:
            same_detector(calorimeter_of(events), self.calorimeter_)
        columns: dict[str, DenseColumn | RaggedColumn] = {}
        for name, spec in self.config.items():
            raw = self._raw(events, spec)
            values = (raw.values.float() - self.shift_[name]) / self.scale_[name]
            columns[name] = (
                DenseColumn(values) if isinstance(raw, DenseColumn) else RaggedColumn(raw.cell, values, raw.offsets)
            )
        return columns

    def batch(self, columns: Columns, events: Tensor) -> dict[str, Tensor]:
        """What a model's forward takes, for the events at positions (B,).

        Voxels come as (B, F, L, X, Y), others as (B, ...). Points come end to end, without padding: ``name`` (H, F),
        with ``name_event`` (H,), the event of each, ``name_cell`` (H,), its cell, and ``name_count`` (B,), how many.
        """
        result: dict[str, Tensor] = {}
        for name, column in columns.items():
            gathered = column.gather(events)
            if not isinstance(gathered, Hits):
                result[name] = gathered
            elif isinstance(self.config[name], Points):
                result[name] = gathered.values
                result |= {f"{name}_{part}": getattr(gathered, part) for part in ("event", "cell", "count")}
            else:
                result[name] = gathered.to_grid(self._calorimeter().shape)
        return result

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each input for one event: (F, L, X, Y) for voxels, (F,) otherwise (images: their own)."""
        check_fitted(self, "scale_")
        return {
            name: (len(self.scale_[name]), *self._calorimeter().shape)
            if isinstance(spec, Voxels)
            else tuple(self.scale_[name].shape)
            for name, spec in self.config.items()
        }

    def state(self) -> dict[str, Any]:
        """Learned attributes, JSON-ready; `from_state` takes them back."""
        check_fitted(self, "scale_")
        return {
            "geometry": None if self.calorimeter_ is None else self.calorimeter_.to_dict(),
            "shift": {name: values.tolist() for name, values in self.shift_.items()},
            "scale": {name: values.tolist() for name, values in self.scale_.items()},
        }

    @staticmethod
    def from_state(config: FeatureConfig, state: Mapping[str, Any]) -> FeatureExtractor:
        """A fitted extractor from its options and `state`."""
        extractor = FeatureExtractor(config)
        geometry = state["geometry"]
        extractor.calorimeter_ = None if geometry is None else BoxCalorimeter.from_dict(geometry)
        extractor.shift_ = {name: torch.tensor(values) for name, values in state["shift"].items()}
        extractor.scale_ = {name: torch.tensor(values) for name, values in state["scale"].items()}
        return extractor

    def _calorimeter(self) -> BoxCalorimeter:
        if self.calorimeter_ is None:
            raise DataError(
                "inputs from cells need the geometry of the events, which carry none; name it in the mapping "
                "(geometry: toy-sandwich) or simulate them"
            )
        return self.calorimeter_

    def _raw(self, events: Events, spec: InputConfig) -> DenseColumn | RaggedColumn:
        if isinstance(spec, Voxels | Points):
            return self._hits(events, spec)
        if isinstance(spec, LayerSums):
            sums = [layer_sums(events, self._calorimeter(), field) for field in spec.values]
            blocks = [np.concatenate([s, s.sum(1, keepdims=True)], axis=1) for s in sums]
            return DenseColumn(torch.from_numpy(np.concatenate(blocks, axis=1)))
        if isinstance(spec, Table):
            return DenseColumn(torch.from_numpy(np.stack([events.scalar(f) for f in spec.values], axis=1)))
        assert isinstance(spec, Images)
        return DenseColumn(torch.from_numpy(_numpy(events.field(spec.values[0]))))

    def _hits(self, events: Events, spec: Voxels | Points) -> RaggedColumn:
        cell = events.field("cells.id")
        offsets = np.concatenate([[0], np.cumsum(ak.to_numpy(ak.num(cell, axis=1)), dtype=np.int64)])
        number = _numpy(ak.flatten(cell)).astype(np.int32)
        self._calorimeter().check_cells(number, where="the events given")
        values = [_numpy(ak.flatten(events.field(field))).astype(np.float32) for field in spec.values]
        if isinstance(spec, Points):
            values.extend(self._calorimeter().cell_position(number).astype(np.float32).T)
        return RaggedColumn(
            torch.from_numpy(number), torch.from_numpy(np.stack(values, axis=1)), torch.from_numpy(offsets)
        )


def same_detector(given: BoxCalorimeter, trained: BoxCalorimeter) -> None:
    """Refuse events of another detector than a method was trained on.

    Raises:
        DataError: Naming both.
    """
    if given != trained:
        raise DataError(
            f"these events come from {given.name!r} (geometry {given.fingerprint}); the method was trained on "
            f"{trained.name!r} ({trained.fingerprint}): train it on this detector first"
        )


def _numpy(values: ak.Array) -> NDArray[Any]:
    # a copy: torch wants writable memory
    return np.array(ak.to_numpy(values))
