"""Several fits of one method, each on other events, as one Estimator."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, Self

import awkward as ak
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from showercal.errors import DataError, RecipeError, TrainingError, check_fitted
from showercal.estimator import Estimator, read_model_file, write_model_file
from showercal.events import OFFSETS, Events
from showercal.models import EnergyGraph, EnsembleGraph
from showercal.prediction import Prediction, ensemble_of
from showercal.training._members import Member, fit_in_processes, fit_member
from showercal.training._regressor import NetworkMethodConfig, NetworkRegressor
from showercal.training._single import (
    SINGLE_METHODS,
    AnySingleConfig,
    SingleConfig,
    load_one_of,
    reseeded,
    seed_of,
)

# Folds where nothing is said: a member then learns from nine tenths of the events.
_FOLDS: Final = 10
# Events that are copied while what they hold is hashed.
_HASHED_AT_A_TIME: Final = 1000
# Losses that are logarithms of densities: below 0 as well as above, so that one over them is no weight.
_LOG_DENSITIES: Final = ("nll", "boundary", "mutual_information")


class EnsembleOptions(BaseModel):
    """How many models learn from which events, and what they count.

    Args:
        n_models: Members.
        n_folds: Parts that the training events are cut into: member i learns from all but part i, and is stopped on
            it. None for 10, or one for each member where there are more.
        weights: ``plain`` counts all members alike; ``loss`` by one over the validation loss of each on its own fold,
            as the published muon ensemble does; only for losses that are never below 0.
        workers: Members that are fitted at the same time, in processes of their own that share the threads.
        seed: Of the folds and, with that of the method, of the members.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    n_models: int = Field(default=5, ge=2)
    n_folds: int | None = Field(default=None, ge=2)
    weights: Literal["plain", "loss"] = "plain"
    workers: int = Field(default=1, ge=1)
    seed: int = Field(default=1, ge=0)

    @model_validator(mode="after")
    def _enough_folds(self) -> Self:
        if self.n_folds is not None and self.n_folds < self.n_models:
            raise ValueError(
                f"every member has a fold of its own: n_folds must be at least n_models = {self.n_models}; got "
                f"{self.n_folds}"
            )
        return self


class EnsembleConfig(EnsembleOptions):
    """An ensemble.

    Args:
        of: The method of its members.
    """

    kind: Literal["ensemble"] = "ensemble"
    of: SingleConfig

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of the events that it sees."""
        return self.of.fields

    @property
    def start_from(self) -> str | None:
        """Name of the ensemble that this one starts from, member by member."""
        return self.of.start_from if isinstance(self.of, NetworkMethodConfig) else None

    @model_validator(mode="after")
    def _has_weights(self) -> Self:
        if self.weights == "loss":
            loss = self.of.loss.kind if isinstance(self.of, NetworkMethodConfig) else None
            if loss is None or loss in _LOG_DENSITIES:
                why = f"{self.of.kind} has no loss" if loss is None else f"loss {loss} can be below 0"
                raise ValueError(f"weights: loss counts members by 1 / loss, but {why}: set weights: plain")
        return self


class Ensemble(Estimator):
    """Several fits of one method, whose answers are put together into one distribution.

    Only the training events are cut into folds. No member sees the validation events of `fit`, so that what is fitted
    on them afterwards, the bias correction and the width, is honest. (The published muon ensemble is corrected on the
    events that it is evaluated on; that is not repeated here.) Members differ by their events and by their seeds.
    Those with a width give the mixture of their distributions; points give the mean point and how far the members
    spread.

    Args:
        config: Options.
        start: Fitted ensemble with the same folds, where the options of the members name one in ``start_from``: each
            starts from the member that has not seen its fold either, and that has the same scales.
        progress: Whether members that are fitted one after the other show a bar.

    Attributes:
        members_: The fitted members; ``weights_`` what each counts, with sum 1.

    References:
        B. Lakshminarayanan, A. Pritzel and C. Blundell, NeurIPS 2017, arXiv:1612.01474; J. Kieseler et al., Eur. Phys.
        J. C 82 (2022) 79, for the folds and the weights.
    """

    def __init__(self, config: EnsembleConfig, *, start: Ensemble | None = None, progress: bool = True) -> None:
        self.config = config
        self.start = start
        self.progress = progress

    def fit(self, train: Events, validation: Events, workspace: Path | None = None) -> Self:
        """Fit the members, or those that an earlier call with the same workspace, options and events did not finish.

        The members stay in the workspace, each from the moment it is done.

        Args:
            train: Events to learn from, which are cut into folds.
            validation: Not looked at.
            workspace: Where members are kept.

        Raises:
            DataError: If there are fewer events than folds.
            RecipeError: If the ensemble to start from is missing or does not fit.
            TrainingError: If a member cannot be trained, or the process of one died.
            KeyboardInterrupt: On Ctrl-C; with a workspace no finished member is lost, and no finished epoch of others.
        """
        starts = self._starts()
        folds = _cut(len(train), self._n_folds, self.config.seed)
        with _folder(workspace) as kept:
            own = kept / f"members-{self._identity(train)}"
            members = [
                Member(self._member_config(number), folds[number], own / str(number), start)
                for number, start in enumerate(starts)
            ]
            missing = [member for member in members if not member.model.is_dir()]
            if min(self.config.workers, len(missing)) > 1:
                fit_in_processes(missing, train, own / "train", self.config.workers)
            else:
                for member in missing:
                    fit_member(member, train, progress=self.progress)
            self.members_ = [load_one_of(SINGLE_METHODS, member.model) for member in members]
            for other in kept.glob("members-*"):
                if other != own:
                    shutil.rmtree(other)
        self.weights_ = self._weights()
        return self

    def predict(self, events: Events) -> Prediction:
        check_fitted(self, "members_")
        weights = None if self.config.weights == "plain" else self.weights_
        return ensemble_of([member.predict(events) for member in self.members_], weights)

    def graph(self) -> EnergyGraph:
        """The members and how they are put together.

        Raises:
            NotFittedError: Before ``fit``.
            ExportError: If the members predict distributions whose mixture is not written as a graph (see
                `showercal.models.EnsembleGraph`).
        """
        check_fitted(self, "members_")
        graphs: list[Any] = [member.graph() for member in self.members_]
        return EnsembleGraph(graphs, self.weights_)

    @property
    def n_parameters(self) -> int:
        return sum(member.n_parameters for member in self.members_)

    @property
    def train_seconds(self) -> float:
        """Spent in training steps, over all calls of a fit that was resumed, [s]."""
        at_once = min(self.config.workers, self.config.n_models)
        return sum(getattr(member, "train_seconds", 0.0) for member in self.members_) / at_once

    def save(self, folder: Path) -> None:
        check_fitted(self, "members_")
        for number, member in enumerate(self.members_):
            member.save(folder / f"member-{number}")
        write_model_file(folder, self.config, {"weights": self.weights_})

    @classmethod
    def load(cls, folder: Path) -> Self:
        options, learned = read_model_file(folder)
        ensemble = cls(EnsembleConfig(**options))
        ensemble.members_ = [
            load_one_of(SINGLE_METHODS, folder / f"member-{number}") for number in range(ensemble.config.n_models)
        ]
        ensemble.weights_ = learned["weights"]
        return ensemble

    @property
    def _n_folds(self) -> int:
        return self.config.n_folds or max(_FOLDS, self.config.n_models)

    def _starts(self) -> list[Estimator | None]:
        """What each member starts from."""
        if self.start is None:
            return [None] * self.config.n_models
        check_fitted(self.start, "members_")
        ours, theirs = ((one.config.n_models, one._n_folds, one.config.seed) for one in (self, self.start))
        if ours != theirs:
            raise RecipeError(
                "an ensemble that starts from an ensemble needs the same n_models, n_folds and seed, so that no member "
                f"has learned from the fold it is stopped on; got {ours} and {theirs}"
            )
        return [*self.start.members_]

    def _member_config(self, number: int) -> AnySingleConfig:
        """The options of a member: those of the method, with a seed that is drawn for it."""
        entropy = [self.config.seed, seed_of(self.config.of) % 2**32, number]
        return reseeded(self.config.of, int(np.random.default_rng(entropy).integers(2**31)))

    def _weights(self) -> list[float]:
        """What each member counts.

        Raises:
            TrainingError: If a loss is 0, which would leave nothing for the others.
        """
        n = self.config.n_models
        if self.config.weights == "plain":
            return [1 / n] * n
        losses = [m.kept_epoch["validation_loss"] for m in self.members_ if isinstance(m, NetworkRegressor)]
        if not min(losses) > 0:
            raise TrainingError(
                f"weights: loss counts members by 1 / loss, but the validation losses of the members are {losses}: set "
                "weights: plain"
            )
        inverse = 1 / np.array(losses)
        weights: list[float] = (inverse / inverse.sum()).tolist()
        return weights

    def _identity(self, train: Events) -> str:
        """Short hash of all that decides the members, so that those of something else are not taken."""
        digest = hashlib.sha256(json.dumps(self.config.model_dump(mode="json", exclude={"workers"})).encode())
        digest.update(json.dumps(train.geometry, sort_keys=True).encode())
        for field in ("energy_true", *self.config.fields):
            if field != OFFSETS:
                for start in range(0, len(train), _HASHED_AT_A_TIME):
                    values = train[start : start + _HASHED_AT_A_TIME].field(field)
                    form, _, buffers = ak.to_buffers(ak.to_packed(values))
                    digest.update(str(form).encode())
                    for name in sorted(buffers):
                        digest.update(np.ascontiguousarray(buffers[name]).data)
        if self.start is not None:
            with tempfile.TemporaryDirectory() as folder:
                self.start.save(Path(folder))
                for file in sorted(Path(folder).rglob("*.*")):
                    digest.update(file.read_bytes())
        return digest.hexdigest()[:12]


def _cut(n_events: int, n_folds: int, seed: int) -> list[NDArray[np.int64]]:
    """Positions of the events of each fold, drawn at random, rising within a fold.

    Raises:
        DataError: If a fold would be empty.
    """
    if n_events < n_folds:
        raise DataError(f"{n_events} training events cannot be cut into {n_folds} folds: take more events (n_folds)")
    order = np.random.default_rng([seed, n_events]).permutation(n_events)
    return [np.sort(fold) for fold in np.array_split(order, n_folds)]


@contextmanager
def _folder(workspace: Path | None) -> Iterator[Path]:
    """The workspace, or one that is gone afterwards."""
    if workspace is not None:
        yield workspace
        return
    with tempfile.TemporaryDirectory(prefix="showercal-") as folder:
        yield Path(folder)
