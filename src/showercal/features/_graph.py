"""The making of features as a module of tensor operations, so that an exported graph starts from fields of events."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from showercal.detectors import BoxCalorimeter
from showercal.errors import ExportError, check_fitted
from showercal.events import CELL, OFFSETS
from showercal.features._config import (
    Images,
    InputConfig,
    LayerSums,
    LinearEnergy,
    MuonFeatures,
    Neighbourhoods,
    Points,
    TrackProfiles,
    Voxels,
    uses_cells,
)
from showercal.features._extractor import FeatureExtractor
from showercal.features._flat import Fields, checked_cell, event_of_hit, layer_of_hit, layer_sums_of_fields
from showercal.features._linear_energy import linear_energy
from showercal.features._neighbours import neighbourhoods
from showercal.features._track_profiles import track_profiles_of_fields


class FeatureGraph(nn.Module):
    """The features of a fitted `FeatureExtractor`, made from flat fields: what its ``batch`` gives for the same events.

    Args:
        extractor: The fitted extractor.

    Attributes:
        fields: Names of the fields it takes.

    Raises:
        ExportError: If an input has no form as tensor operations.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        super().__init__()
        check_fitted(extractor, "scale_")
        for name, spec in extractor.config.items():
            if isinstance(spec, MuonFeatures):
                raise ExportError(
                    f"input {name!r}: the clusters of muon_features have no form as tensor operations, so that this "
                    "method cannot be exported: apply it in Python, or export one without them"
                )
        self.config = dict(extractor.config)
        self.calorimeter = extractor.calorimeter_
        self.fields = fields_of(self.config.values())
        for name, spec in self.config.items():
            self.register_buffer(f"shift_{name}", extractor.shift_[name].clone())
            self.register_buffer(f"scale_{name}", extractor.scale_[name].clone())
            if name in extractor.learned_:
                self.register_buffer(f"learned_{name}", extractor.learned_[name].clone())
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
            if isinstance(spec, Points | Neighbourhoods):
                features[f"{name}_event"] = event_of_hit(fields)
                features[f"{name}_layer"] = layer_of_hit(fields, self._detector())
                features[f"{name}_count"] = fields[OFFSETS][1:] - fields[OFFSETS][:-1]
        return features

    def _raw(self, name: str, spec: InputConfig, fields: Fields) -> Tensor:
        """Values before they are scaled."""
        if isinstance(spec, Neighbourhoods):
            return neighbourhoods(fields, self._detector(), spec.values, self.get_buffer(f"learned_{name}"))
        if isinstance(spec, LayerSums | LinearEnergy):
            sums = [layer_sums_of_fields(fields, self._detector(), field) for field in spec.values]
            if isinstance(spec, LinearEnergy):
                return linear_energy(torch.cat(sums, 1), self.get_buffer(f"learned_{name}"))
            return torch.cat([part for one in sums for part in (one, one.sum(1, keepdim=True))], 1)
        if isinstance(spec, TrackProfiles):
            options = spec.model_dump(exclude={"kind"})
            return track_profiles_of_fields(fields, self._detector(), **options)
        many = not isinstance(spec, Images)
        values = torch.stack([fields[field] for field in spec.values], 1) if many else fields[spec.values[0]]
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
    first = (OFFSETS, CELL) if uses_cells(inputs) else ()
    return tuple(dict.fromkeys([*first, *(field for spec in inputs for field in spec.values)]))
