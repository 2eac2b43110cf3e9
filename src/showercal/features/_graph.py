"""The making of features as a module of tensor operations, so that an exported graph starts from the fields of events.

Fields come flat, as they lie in memory and in files: ``offsets`` (B + 1,) int64, of which hits ``offsets[i]`` to
``offsets[i + 1]`` belong to event i; ``cells.id`` (H,) int64 and values of the cells (H,); scalars of the event (B,);
images (B, ...).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from showercal.detectors import BoxCalorimeter
from showercal.errors import check_fitted
from showercal.features._config import Images, InputConfig, LayerSums, Points, Voxels
from showercal.features._extractor import FeatureExtractor

OFFSETS: Final = "offsets"
CELL: Final = "cells.id"
Fields = Mapping[str, Tensor]
_NOWHERE: Final = 1 << 40


class FeatureGraph(nn.Module):
    """The features of a fitted `FeatureExtractor`, made from flat fields: what its ``batch`` gives for the same events.

    Args:
        extractor: The fitted extractor.

    Attributes:
        fields: Names of the fields it takes.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        super().__init__()
        check_fitted(extractor, "scale_")
        self.config = dict(extractor.config)
        self.calorimeter = extractor.calorimeter_
        self.fields = fields_of(self.config.values())
        for name, spec in self.config.items():
            self.register_buffer(f"shift_{name}", extractor.shift_[name].clone())
            self.register_buffer(f"scale_{name}", extractor.scale_[name].clone())
            if isinstance(spec, Points):
                everywhere = self._detector().cell_position(np.arange(self._detector().n_cells))
                self.register_buffer(f"place_{name}", torch.from_numpy(everywhere.astype(np.float32)))

    def forward(self, fields: Fields) -> dict[str, Tensor]:
        """Fields -> what the forward of a network takes."""
        features: dict[str, Tensor] = {}
        for name, spec in self.config.items():
            raw = self._raw(name, spec, fields).float()
            values = (raw - self.get_buffer(f"shift_{name}")) / self.get_buffer(f"scale_{name}")
            features[name] = self._grid(values, fields) if isinstance(spec, Voxels) else values
            if isinstance(spec, Points):
                count = fields[OFFSETS][1:] - fields[OFFSETS][:-1]
                features |= {f"{name}_event": event_of_hit(fields), f"{name}_cell": self._cell(fields)}
                features[f"{name}_count"] = count
        return features

    def _raw(self, name: str, spec: InputConfig, fields: Fields) -> Tensor:
        """Values before they are scaled."""
        if isinstance(spec, LayerSums):
            sums = [layer_sums_of_fields(fields, self._detector(), field) for field in spec.values]
            return torch.cat([part for one in sums for part in (one, one.sum(1, keepdim=True))], 1)
        if isinstance(spec, Images):
            return fields[spec.values[0]]
        values = torch.stack([fields[field] for field in spec.values], 1)
        if isinstance(spec, Points):
            return torch.cat([values, self.get_buffer(f"place_{name}")[self._cell(fields)]], 1)
        return values

    def _grid(self, values: Tensor, fields: Fields) -> Tensor:
        """Hits (H, F) -> dense grid (B, F, L, X, Y); hits in the same cell add up."""
        n_events, n_values, n_cells = fields[OFFSETS].shape[0] - 1, values.shape[1], self._detector().n_cells
        first = n_values * n_cells * event_of_hit(fields) + self._cell(fields)
        place = first[:, None] + n_cells * torch.arange(n_values)
        grid = torch.zeros(n_events * n_values * n_cells, dtype=values.dtype)
        grid = grid.scatter_add(0, place.flatten(), values.flatten())
        return grid.view(n_events, n_values, *self._detector().shape)

    def _cell(self, fields: Fields) -> Tensor:
        return checked_cell(fields, self._detector())

    def _detector(self) -> BoxCalorimeter:
        assert self.calorimeter is not None  # the extractor was fitted with one, or has no inputs of cells
        return self.calorimeter


def fields_of(inputs: Iterable[InputConfig]) -> tuple[str, ...]:
    """The fields that inputs are made from, offsets and cell numbers first where there are cells."""
    inputs = list(inputs)
    of_cells = any(isinstance(spec, Voxels | Points | LayerSums) for spec in inputs)
    first = (OFFSETS, CELL) if of_cells else ()
    return tuple(dict.fromkeys([*first, *(field for spec in inputs for field in spec.values)]))


def layer_sums_of_fields(fields: Fields, calorimeter: BoxCalorimeter, values: str) -> Tensor:
    """Sum of a field over the cells of each layer, shape (B, L), float64: `layer_sums` on flat fields."""
    n_events, n_layers = fields[OFFSETS].shape[0] - 1, calorimeter.n_layers
    layer = checked_cell(fields, calorimeter) // (calorimeter.n_x * calorimeter.n_y)
    place = n_layers * event_of_hit(fields) + layer
    # float64, as NumPy adds them; whole numbers of tracks are exact in either
    sums = torch.zeros(n_events * n_layers, dtype=torch.float64).scatter_add(0, place, fields[values].double())
    return sums.view(n_events, n_layers)


def event_of_hit(fields: Fields) -> Tensor:
    """Number of the event of each hit, shape (H,): how many events end at or before it."""
    ends = fields[OFFSETS][1:]
    n_ending = torch.zeros(fields[CELL].shape[0] + 1, dtype=torch.int64).scatter_add(0, ends, torch.ones_like(ends))
    return n_ending.cumsum(0)[:-1]


def checked_cell(fields: Fields, calorimeter: BoxCalorimeter) -> Tensor:
    """Cell number of each hit, shape (H,).

    A number outside the detector would light a cell of a neighbouring event. It is replaced by one so large that using
    it as an index fails, here and in every program that runs the exported graph.
    """
    cell = fields[CELL]
    return torch.where((cell >= 0) & (cell < calorimeter.n_cells), cell, _NOWHERE)
