"""The feature extractor: events to columns, with scales fitted on the training events only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Self

import awkward as ak
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from showercal.detectors import BoxCalorimeter, calorimeter_of
from showercal.errors import DataError, check_fitted
from showercal.events import CELL, OFFSETS, Events
from showercal.features._blocks import blocks
from showercal.features._columns import Columns, DenseColumn, Hits, RaggedColumn, cell_type
from showercal.features._config import (
    FeatureConfig,
    Images,
    LayerSums,
    LinearEnergy,
    MuonFeatures,
    Neighbourhoods,
    Points,
    Table,
    TrackProfiles,
    Voxels,
    uses_cells,
)
from showercal.features._linear_energy import fit_linear_energy, linear_energy
from showercal.features._muon_features import muon_features
from showercal.features._neighbours import neighbourhoods
from showercal.features._sums import layer_sums
from showercal.features._track_profiles import track_profiles

# Cells, with their rim, of the grids of all events whose neighbourhoods are made at a time: 64 MB.
_CELLS_AT_A_TIME: Final = 16_000_000
_ROWS_AT_A_TIME: Final = 8_000_000  # whose mean and spread are taken at a time: 64 MB a feature


class FeatureExtractor:
    """Turns events into named columns of tensors, and gathered columns into what a model's forward takes.

    Voxels are divided by the standard deviation of the lit cells, or by a unit (zero must stay zero); tables, images,
    points and neighbourhoods are standardised per feature, profiles over all layers together; a linear energy stays in
    GeV. All is learnt from the events given to ``fit``.

    Args:
        config: Input name -> its options.

    Attributes:
        calorimeter_: Geometry of the training events; None where no cells are used.
        shift_, scale_: Per input, shape (F,): features are (value - shift) / scale.
        learned_: Constants from which the values of some inputs are made.
    """

    def __init__(self, config: FeatureConfig) -> None:
        self.config = config

    def fit(self, train: Events) -> Self:
        """Learn geometry and scales from training events.

        Raises:
            DataError: If a field is missing, or cells are used and the events carry no geometry.
        """
        self.fit_transform(train)
        return self

    def fit_transform(self, train: Events) -> Columns:
        """Learn from training events as `fit`, and make their columns as `transform`, whose values are made only once.

        Raises:
            DataError: As `fit`.
        """
        has_places = train.geometry is not None and uses_cells(self.config.values())
        self.calorimeter_ = calorimeter_of(train) if has_places else None
        self.shift_: dict[str, Tensor] = {}
        self.scale_: dict[str, Tensor] = {}
        self.learned_: dict[str, Tensor] = {}
        columns: dict[str, DenseColumn | RaggedColumn] = {}
        for name, spec in self.config.items():
            self._learn(name, train)
            raw = self._raw(train, name)
            values = raw.values
            if isinstance(spec, TrackProfiles):  # a feature means the same in each layer
                values = values.flatten(0, 1)
            shift = torch.zeros(values.shape[1:], dtype=torch.float64)
            scale = torch.ones(values.shape[1:], dtype=torch.float64)
            if isinstance(spec, Voxels) and spec.unit is not None:
                scale *= spec.unit
            elif len(values) > 1 and not isinstance(spec, LinearEnergy):
                # a feature that never varies (the deepest layers) keeps scale 1 instead of dividing by 0
                mean, spread = _mean_and_spread(values)
                scale = torch.where(spread > 0, spread, scale)
                if isinstance(raw, DenseColumn) or isinstance(spec, Points | Neighbourhoods):
                    shift = mean
            self.shift_[name], self.scale_[name] = shift.float(), scale.float()
            columns[name] = self._scaled(name, raw)
        return columns

    def transform(self, events: Events) -> Columns:
        """Columns of all inputs, scaled, float32.

        Raises:
            DataError: If the events come from another geometry than the training events.
        """
        check_fitted(self, "scale_")
        if self.calorimeter_ is not None:
            same_detector(calorimeter_of(events), self.calorimeter_)
        return {name: self._scaled(name, self._raw(events, name)) for name in self.config}

    def batch(self, columns: Columns, events: Tensor) -> dict[str, Tensor]:
        """What a model's forward takes, for the events at positions (B,).

        Voxels come as (B, F, L, X, Y), others as (B, ...). Points and neighbourhoods come end to end, without padding:
        ``name`` (H, F), with ``name_event`` (H,), the event of each, ``name_layer`` (H,), its layer, and ``name_count``
        (B,), how many.
        """
        result: dict[str, Tensor] = {}
        for name, column in columns.items():
            gathered = column.gather(events)
            if not isinstance(gathered, Hits):
                result[name] = gathered
            elif isinstance(self.config[name], Points | Neighbourhoods):
                cells_per_layer = self._calorimeter().n_x * self._calorimeter().n_y
                result[name], result[f"{name}_event"] = gathered.values, gathered.event
                result[f"{name}_layer"], result[f"{name}_count"] = gathered.cell // cells_per_layer, gathered.count
            else:
                result[name] = gathered.to_grid(self._calorimeter().shape)
        return result

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each input: (F, L, X, Y) for voxels, (L, F) for hits and profiles, (F,) or that of the image."""
        check_fitted(self, "scale_")
        shapes: dict[str, tuple[int, ...]] = {}
        for name, spec in self.config.items():
            own = tuple(self.scale_[name].shape)
            if isinstance(spec, Voxels):
                shapes[name] = (*own, *self._calorimeter().shape)
            elif isinstance(spec, Points | Neighbourhoods | TrackProfiles):
                shapes[name] = (self._calorimeter().n_layers, *own)
            else:
                shapes[name] = own
        return shapes

    def state(self) -> dict[str, Any]:
        """Learned attributes, JSON-ready; `from_state` takes them back."""
        check_fitted(self, "scale_")
        return {
            "geometry": None if self.calorimeter_ is None else self.calorimeter_.to_dict(),
            "shift": {name: values.tolist() for name, values in self.shift_.items()},
            "scale": {name: values.tolist() for name, values in self.scale_.items()},
            "learned": {name: values.tolist() for name, values in self.learned_.items()},
        }

    @staticmethod
    def from_state(config: FeatureConfig, state: Mapping[str, Any]) -> FeatureExtractor:
        """A fitted extractor from its options and `state`."""
        extractor = FeatureExtractor(config)
        geometry = state["geometry"]
        extractor.calorimeter_ = None if geometry is None else BoxCalorimeter.from_dict(geometry)
        extractor.shift_ = {name: torch.tensor(values) for name, values in state["shift"].items()}
        extractor.scale_ = {name: torch.tensor(values) for name, values in state["scale"].items()}
        extractor.learned_ = {
            name: torch.tensor(values, dtype=torch.float64) for name, values in state["learned"].items()
        }
        return extractor

    def _calorimeter(self) -> BoxCalorimeter:
        if self.calorimeter_ is None:
            raise DataError(
                "inputs from cells need the geometry of the events, which carry none; name it in the mapping "
                "(geometry: toy-sandwich) or simulate them"
            )
        return self.calorimeter_

    def _learn(self, name: str, train: Events) -> None:
        """Learn the constants of an input that has some, from training events."""
        spec = self.config[name]
        if isinstance(spec, LinearEnergy):
            constants = fit_linear_energy(self._layer_sums(train, spec.values), train.energy_true)
            self.learned_[name] = torch.from_numpy(constants)
        elif isinstance(spec, Neighbourhoods):
            self.learned_[name] = self._mean_hit(train, spec.values)

    def _raw(self, events: Events, name: str) -> DenseColumn | RaggedColumn:
        """Values before they are scaled, in memory of their own."""
        spec = self.config[name]
        if isinstance(spec, Voxels | Points | Neighbourhoods):
            return self._ragged(events, name, spec)
        if isinstance(spec, LayerSums):
            n_layers = self._calorimeter().n_layers
            sums = self._layer_sums(events, spec.values).reshape(len(events), -1, n_layers)
            return DenseColumn(torch.from_numpy(np.concatenate([sums, sums.sum(2, keepdims=True)], 2)).flatten(1))
        if isinstance(spec, LinearEnergy):
            sums = self._layer_sums(events, spec.values)
            return DenseColumn(linear_energy(torch.from_numpy(sums), self.learned_[name]))
        if isinstance(spec, MuonFeatures | TrackProfiles):
            make = muon_features if isinstance(spec, MuonFeatures) else track_profiles
            return DenseColumn(torch.from_numpy(make(events, **spec.model_dump(exclude={"kind"}))))
        if isinstance(spec, Table):
            return DenseColumn(torch.from_numpy(np.stack([events.scalar(f) for f in spec.values], axis=1)))
        assert isinstance(spec, Images)
        return DenseColumn(torch.from_numpy(_numpy(events.field(spec.values[0]))))

    def _ragged(self, events: Events, name: str, spec: Voxels | Points | Neighbourhoods) -> RaggedColumn:
        """Hits with their values, filled in block by block: nothing else is as long as all hits."""
        offsets = torch.from_numpy(events.cell_offsets)
        n_hits = int(offsets[-1])
        cell, values = torch.empty(n_hits, dtype=cell_type(self._calorimeter().n_cells)), torch.empty(0)
        for block in blocks(events):
            own, number, edges = self._hits(events[block], spec.values)
            if isinstance(spec, Points):
                place = self._calorimeter().cell_position(number.numpy()).astype(np.float32)
                own = torch.cat([own, torch.from_numpy(place)], 1)
            elif isinstance(spec, Neighbourhoods):
                own = self._neighbourhoods(name, spec, own, number, edges)
            if block.start == 0:
                values = torch.empty(n_hits, own.shape[1])
            hits = slice(int(offsets[block.start]), int(offsets[block.stop]))
            values[hits], cell[hits] = own, number.to(cell.dtype)
        return RaggedColumn(cell, values, offsets)

    def _scaled(self, name: str, raw: DenseColumn | RaggedColumn) -> DenseColumn | RaggedColumn:
        values = raw.values.float().sub_(self.shift_[name]).div_(self.scale_[name])
        return DenseColumn(values) if isinstance(raw, DenseColumn) else RaggedColumn(raw.cell, values, raw.offsets)

    def _layer_sums(self, events: Events, values: tuple[str, ...]) -> NDArray[np.float64]:
        """Sums of fields over the cells of each layer, those of all fields side by side, shape (B, F * L)."""
        return np.concatenate([layer_sums(events, self._calorimeter(), field) for field in values], axis=1)

    def _mean_hit(self, events: Events, values: tuple[str, ...]) -> Tensor:
        """Mean of each field over all hits, shape (F,); what is not above 0 counts as 0, and a mean of 0 is 1."""
        sums, n_hits = torch.zeros(len(values), dtype=torch.float64), 0
        for block in blocks(events):
            own = self._hits(events[block], values)[0]
            sums, n_hits = sums + own.clamp(min=0).double().sum(0), n_hits + len(own)
        return torch.where(sums > 0, sums / max(n_hits, 1), 1.0)

    def _hits(self, events: Events, values: tuple[str, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Fields (H, F), cell numbers (H,) and offsets (B + 1,) of all hits."""
        number = _numpy(ak.flatten(events.field(CELL))).astype(np.int32)
        self._calorimeter().check_cells(number, where="the events given")
        columns = [_numpy(ak.flatten(events.field(field))).astype(np.float32) for field in values]
        return (
            torch.from_numpy(np.stack(columns, axis=1)),
            torch.from_numpy(number),
            torch.from_numpy(events.cell_offsets),
        )

    def _neighbourhoods(self, name: str, spec: Neighbourhoods, values: Tensor, cell: Tensor, offsets: Tensor) -> Tensor:
        """`neighbourhoods` of all hits, some events at a time."""
        parts = []
        n_events = max(1, _CELLS_AT_A_TIME // math.prod(n + 2 for n in self._calorimeter().shape))
        for first in range(0, max(len(offsets) - 1, 1), n_events):
            edges = offsets[first : first + n_events + 1]
            hits = slice(int(edges[0]), int(edges[-1]))
            fields = {OFFSETS: edges - edges[0], CELL: cell[hits].long()}
            fields |= {field: values[hits, n] for n, field in enumerate(spec.values)}
            parts.append(neighbourhoods(fields, self._calorimeter(), spec.values, self.learned_[name]))
        return torch.cat(parts)


def _mean_and_spread(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over the first axis, in double precision, some rows at a time.

    References:
        T. F. Chan, G. H. Golub, R. J. LeVeque, Am. Stat. 37 (1983) 242, eq. (2.1), for joining what two parts have.
    """
    first = values[:_ROWS_AT_A_TIME].double()
    n, mean, variance = len(first), first.mean(0), first.var(0)
    for start in range(_ROWS_AT_A_TIME, len(values), _ROWS_AT_A_TIME):
        rows = values[start : start + _ROWS_AT_A_TIME].double()
        more, apart = len(rows), rows.mean(0) - mean
        squares = variance * (n - 1) + rows.var(0, correction=0) * more + apart**2 * (n * more / (n + more))
        n, mean = n + more, mean + apart * (more / (n + more))
        variance = squares / (n - 1)
    return mean, variance.sqrt()


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
