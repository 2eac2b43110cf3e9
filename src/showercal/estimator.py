"""Estimator: the contract of everything that turns events into energies, from the straight line to a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from showercal.events import Events
from showercal.prediction import Prediction


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
            NotFittedError: (of scikit-learn) before ``fit``.
        """

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
