"""Straight lines: the calibrations that every network must beat."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from showercal.detectors import BoxCalorimeter, calorimeter_of
from showercal.errors import DataError, check_fitted
from showercal.estimator import Estimator, read_model_file, write_model_file
from showercal.events import Events
from showercal.features import Fields, LayerSums, fields_of, layer_sums, layer_sums_of_fields, same_detector
from showercal.models._distribution import PointEnergy
from showercal.models._graph import EnergyGraph
from showercal.prediction import PointPrediction

FloatArray = NDArray[np.float64]


class StraightLineConfig(BaseModel):
    """Options of `StraightLine`.

    Args:
        values: Field of the cells that is summed, e.g. ``cells.tracks``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["straight_line"] = "straight_line"
    values: str = "cells.tracks"

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of the events that it sees."""
        return fields_of([LayerSums(values=(self.values,))])


class StraightLine(Estimator):
    """The signal as a straight line in energy, N = c0 E + c1, fitted by least squares and inverted.

    Attributes:
        slope_, intercept_: c0 [per GeV] and c1.

    References:
        S. Schnake, Universitaet Hamburg 2019 ("Calibration by linear fitting").
    """

    def __init__(self, config: StraightLineConfig) -> None:
        self.config = config

    def fit(self, train: Events, validation: Events, workspace: Path | None = None) -> Self:
        """Fit the line.

        Raises:
            DataError: If the signal does not rise with energy.
        """
        self.calorimeter_ = calorimeter_of(train)
        signal = self._signal(train)
        design = np.stack([train.energy_true, np.ones(len(train))], axis=1)
        self.slope_, self.intercept_ = (float(c) for c in np.linalg.lstsq(design, signal, rcond=None)[0])
        if not self.slope_ > 0:
            raise DataError(
                f"the sum of {self.config.values} does not rise with energy_true (slope {self.slope_:.3g} per GeV over "
                f"{len(train)} events): a straight line cannot be inverted; check the mapping of both fields"
            )
        return self

    def predict(self, events: Events) -> PointPrediction:
        check_fitted(self, "slope_")
        return PointPrediction((self._signal(events) - self.intercept_) / self.slope_)

    def graph(self) -> WeightedSums:
        check_fitted(self, "slope_")
        weights = np.full(self.calorimeter_.n_layers, 1 / self.slope_)
        return WeightedSums(self.calorimeter_, (self.config.values,), weights, -self.intercept_ / self.slope_)

    @property
    def n_parameters(self) -> int:
        return 2

    def save(self, folder: Path) -> None:
        check_fitted(self, "slope_")
        learned = {"slope": self.slope_, "intercept": self.intercept_, "geometry": self.calorimeter_.to_dict()}
        write_model_file(folder, self.config, learned)

    @classmethod
    def load(cls, folder: Path) -> Self:
        options, learned = read_model_file(folder)
        line = cls(StraightLineConfig(**options))
        line.slope_, line.intercept_ = learned["slope"], learned["intercept"]
        line.calorimeter_ = BoxCalorimeter.from_dict(learned["geometry"])
        return line

    def _signal(self, events: Events) -> FloatArray:
        same_detector(calorimeter_of(events), self.calorimeter_)
        signal: FloatArray = layer_sums(events, self.calorimeter_, self.config.values).sum(1)
        return signal


class LayerLineConfig(BaseModel):
    """Options of `LayerLine`.

    Args:
        values: Fields of the cells that are summed per layer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["layer_line"] = "layer_line"
    values: tuple[str, ...] = Field(default=("cells.tracks",), min_length=1)

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of the events that it sees."""
        return fields_of([LayerSums(values=self.values)])


class LayerLine(Estimator):
    """One weight per layer: E = sum_l w_l N_l + b by least squares.

    A layer that is never lit gets weight 0. One that hardly ever is gets a weight with a large error, which matters as
    little as the layer does.

    Attributes:
        weights_: Shape (number of fields times layers,), [GeV]; ``offset_`` b [GeV].
    """

    def __init__(self, config: LayerLineConfig) -> None:
        self.config = config

    def fit(self, train: Events, validation: Events, workspace: Path | None = None) -> Self:
        self.calorimeter_ = calorimeter_of(train)
        signal = self._signal(train)
        design = np.concatenate([signal, np.ones((len(train), 1))], axis=1)
        solution = np.linalg.lstsq(design, train.energy_true, rcond=None)[0]
        self.weights_, self.offset_ = solution[:-1], float(solution[-1])
        return self

    def predict(self, events: Events) -> PointPrediction:
        check_fitted(self, "weights_")
        return PointPrediction(self._signal(events) @ self.weights_ + self.offset_)

    def graph(self) -> WeightedSums:
        check_fitted(self, "weights_")
        return WeightedSums(self.calorimeter_, self.config.values, self.weights_, self.offset_)

    @property
    def n_parameters(self) -> int:
        return len(self.weights_) + 1

    def save(self, folder: Path) -> None:
        check_fitted(self, "weights_")
        learned: dict[str, Any] = {"weights": self.weights_.tolist(), "offset": self.offset_}
        write_model_file(folder, self.config, {**learned, "geometry": self.calorimeter_.to_dict()})

    @classmethod
    def load(cls, folder: Path) -> Self:
        options, learned = read_model_file(folder)
        line = cls(LayerLineConfig(**options))
        line.weights_, line.offset_ = np.array(learned["weights"]), learned["offset"]
        line.calorimeter_ = BoxCalorimeter.from_dict(learned["geometry"])
        return line

    def _signal(self, events: Events) -> FloatArray:
        same_detector(calorimeter_of(events), self.calorimeter_)
        return np.concatenate([layer_sums(events, self.calorimeter_, v) for v in self.config.values], axis=1)


class WeightedSums(EnergyGraph):
    """E = sum over fields and layers of w_l N_l + b: both lines, as a graph.

    Args:
        calorimeter: Geometry of the cells.
        values: Fields of the cells.
        weights: Shape (number of fields times layers,), [GeV].
        offset: b, [GeV].
    """

    def __init__(
        self, calorimeter: BoxCalorimeter, values: tuple[str, ...], weights: FloatArray, offset: float
    ) -> None:
        super().__init__()
        self.calorimeter = calorimeter
        self.values = values
        # a buffer, too: of plain numbers the tracing of a graph keeps the digits of float32 alone
        self.register_buffer("offset", torch.tensor(offset, dtype=torch.float64))
        self.register_buffer("weights", torch.from_numpy(np.array(weights, dtype=np.float64)))
        self.fields = fields_of([LayerSums(values=values)])

    def forward(self, fields: Fields) -> PointEnergy:
        assert self.calorimeter is not None
        sums = torch.cat([layer_sums_of_fields(fields, self.calorimeter, value) for value in self.values], 1)
        return PointEnergy(sums @ self.get_buffer("weights") + self.get_buffer("offset"))
