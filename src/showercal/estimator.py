"""Estimator: the contract of everything that turns events into energies, from the straight line to a network."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import BaseModel

from showercal.errors import ModelFileError
from showercal.events import Events
from showercal.prediction import Prediction

if TYPE_CHECKING:
    from torch import nn


class Estimator(ABC):
    """scikit-learn's contract: ``__init__`` stores options, ``fit`` learns and returns self, learned names end in _."""

    @abstractmethod
    def fit(self, train: Events, validation: Events, workspace: Path | None = None) -> Self:
        """Learn from events with truth.

        Args:
            train: Events to learn from; they carry their geometry.
            validation: Disjoint events for early stopping; a method that needs none ignores them.
            workspace: Folder where a long fit keeps what it needs to resume after a kill; None keeps nothing.
        """

    @abstractmethod
    def predict(self, events: Events) -> Prediction:
        """One distribution over energy per event.

        Raises:
            NotFittedError: Before ``fit``.
        """

    @abstractmethod
    def graph(self) -> nn.Module:
        """The fitted method as one module of tensor operations, for export; see `showercal.models.EnergyGraph`.

        Its forward takes the flat fields of events, by name, and returns the distribution that ``predict`` returns.

        Raises:
            NotFittedError: Before ``fit``.
        """

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Numbers learnt from the events."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the fitted method to a folder, without anything that needs unpickling."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote.

        Raises:
            ModelFileError: If files are missing or damaged.
        """


MODEL_FILE: Final = "model.json"


def write_model_file(folder: Path, config: BaseModel, learned: dict[str, Any]) -> None:
    """Write options and learnt numbers of a method as JSON; larger arrays belong in safetensors beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"config": config.model_dump(mode="json"), "learned": learned}, indent=1)
    temporary = folder / f".{MODEL_FILE}.tmp"
    temporary.write_text(text)
    temporary.replace(folder / MODEL_FILE)


def read_model_file(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options and learnt numbers that `write_model_file` wrote.

    Raises:
        ModelFileError: If the file is missing or damaged.
    """
    path = Path(folder) / MODEL_FILE
    try:
        content = json.loads(path.read_text())
        return content["config"], content["learned"]
    except FileNotFoundError as fault:
        raise ModelFileError(f"no fitted method in {folder}: {MODEL_FILE} is missing; train it first") from fault
    except (json.JSONDecodeError, KeyError, TypeError) as fault:
        raise ModelFileError(f"{path} is damaged ({fault}); train the method again") from fault
