"""Gradient-boosted trees (LightGBM) on tables: layer sums, moments, global features."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from showercal.errors import ModelFileError, TrainingError, check_fitted
from showercal.estimator import Estimator, read_model_file, write_model_file
from showercal.events import Events
from showercal.features import (
    Columns,
    DenseColumn,
    FeatureExtractor,
    FeatureGraph,
    LayerSums,
    MuonFeatures,
    Table,
    fields_of,
)
from showercal.models._graph import NetworkGraph
from showercal.models._tree_ensemble import TreeEnsemble
from showercal.prediction import PointPrediction

_TREES_FILE = "trees.txt"


class TreesConfig(BaseModel):
    """Options of `Trees`.

    Args:
        features: Tables the trees see.
        n_trees: At most; early stopping on validation takes fewer.
        learning_rate, n_leaves, min_events_per_leaf: As in LightGBM.
        patience: Trees without improvement on validation before stopping.
        seed: Of the trees.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["trees"] = "trees"
    features: dict[str, LayerSums | MuonFeatures | Table] = Field(min_length=1)
    n_trees: int = Field(default=2000, ge=1)
    learning_rate: float = Field(default=0.05, gt=0)
    n_leaves: int = Field(default=31, ge=2)
    min_events_per_leaf: int = Field(default=50, ge=1)
    patience: int = Field(default=50, ge=1)
    seed: int = 1

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of the events that they see."""
        return fields_of(self.features.values())


class Trees(Estimator):
    """Boosted regression trees by squared error, stopped on validation.

    Attributes:
        booster_: The fitted LightGBM model; ``extractor_`` the features it sees.
    """

    def __init__(self, config: TreesConfig) -> None:
        self.config = config

    def fit(self, train: Events, validation: Events, workspace: Path | None = None) -> Self:
        lightgbm = load_lightgbm()
        self.extractor_ = FeatureExtractor(dict(self.config.features))
        learn = lightgbm.Dataset(_joined(self.extractor_.fit_transform(train)), train.energy_true)
        parameters = {
            "objective": "regression",
            "learning_rate": self.config.learning_rate,
            "num_leaves": self.config.n_leaves,
            "min_data_in_leaf": self.config.min_events_per_leaf,
            "seed": self.config.seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
        self.booster_ = lightgbm.train(
            parameters,
            learn,
            self.config.n_trees,
            valid_sets=[lightgbm.Dataset(self._table(validation), validation.energy_true, reference=learn)],
            callbacks=[lightgbm.early_stopping(self.config.patience, verbose=False)],
        )
        return self

    def predict(self, events: Events) -> PointPrediction:
        check_fitted(self, "booster_")
        return PointPrediction(np.asarray(self.booster_.predict(self._table(events)), dtype=np.float64))

    def graph(self) -> NetworkGraph:
        check_fitted(self, "booster_")
        ensemble = TreeEnsemble(self.booster_.dump_model(num_iteration=self.booster_.best_iteration)["tree_info"])
        return NetworkGraph(FeatureGraph(self.extractor_), ensemble)

    @property
    def n_parameters(self) -> int:
        """Leaves of all trees."""
        return int(sum(tree["num_leaves"] for tree in self.booster_.dump_model()["tree_info"]))

    def save(self, folder: Path) -> None:
        check_fitted(self, "booster_")
        write_model_file(folder, self.config, {"features": self.extractor_.state()})
        (folder / _TREES_FILE).write_text(self.booster_.model_to_string(num_iteration=self.booster_.best_iteration))

    @classmethod
    def load(cls, folder: Path) -> Self:
        lightgbm = load_lightgbm()
        options, learned = read_model_file(folder)
        trees = cls(TreesConfig(**options))
        trees.extractor_ = FeatureExtractor.from_state(dict(trees.config.features), learned["features"])
        try:
            trees.booster_ = lightgbm.Booster(model_str=(folder / _TREES_FILE).read_text())
        except (OSError, lightgbm.basic.LightGBMError) as fault:
            raise ModelFileError(f"{folder / _TREES_FILE} is missing or damaged ({fault}); train again") from fault
        return trees

    def _table(self, events: Events) -> NDArray[Any]:
        return _joined(self.extractor_.transform(events))


def _joined(columns: Columns) -> NDArray[Any]:
    """The columns side by side."""
    parts = [column.values.numpy() for column in columns.values() if isinstance(column, DenseColumn)]
    return np.concatenate(parts, axis=1)


def load_lightgbm() -> Any:
    """The module; loaded when trees are grown, not before.

    Raises:
        TrainingError: If the system lacks what it needs.
    """
    try:
        import lightgbm
    except OSError as fault:
        raise TrainingError(
            f"LightGBM cannot be loaded ({fault}): it needs the OpenMP runtime; install it (Debian, Ubuntu: "
            "apt-get install libgomp1), or go on without trees"
        ) from fault
    return lightgbm
