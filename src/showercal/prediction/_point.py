"""A point estimate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showercal.prediction._base import FloatArray, MonotoneMap, Prediction
from showercal.prediction._checks import check_columns, contiguous, no_width


@dataclass(frozen=True, eq=False)
class PointPrediction(Prediction):
    """One energy per event and no width.

    Args:
        energy: Shape (B,), [GeV].
        spread: Standard deviation between the equally good models whose mean this is, shape (B,), [GeV]; None for a
            single model. It is no width: how far the truth scatters about the energy is not known.

    Raises:
        DataError: If there is not one number per event.

    Example:
        >>> import numpy as np
        >>> PointPrediction(np.array([1.0, 2.0])).has_width
        False
    """

    energy: FloatArray
    spread: FloatArray | None = None
    has_width = False
    family = "point"

    def __post_init__(self) -> None:
        check_columns(**self._columns())

    def __len__(self) -> int:
        return len(self.energy)

    def __getitem__(self, where: slice | NDArray[Any]) -> PointPrediction:
        return PointPrediction(**{name: values[where] for name, values in self._columns().items()})

    @property
    def mean(self) -> FloatArray:
        return self.energy

    @property
    def median(self) -> FloatArray:
        return self.energy

    @property
    def mode(self) -> FloatArray:
        return self.energy

    @property
    def std_stochastic(self) -> FloatArray:
        raise no_width("std_stochastic")

    @property
    def std_model(self) -> FloatArray:
        return np.zeros(len(self)) if self.spread is None else self.spread

    def quantile(self, q: ArrayLike) -> FloatArray:
        raise no_width("quantile")

    def cdf(self, energy: FloatArray) -> FloatArray:
        raise no_width("cdf")

    def log_prob(self, energy: FloatArray) -> FloatArray:
        raise no_width("log_prob")

    def expectation(self, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
        raise no_width("expectation")

    def sample(self, n: int, seed: int) -> FloatArray:
        raise no_width("sample")

    def transform(self, energy_map: MonotoneMap) -> PointPrediction:
        """The point after the map; the spread is that of models close to it, which the slope there stretches."""
        spread = None if self.spread is None else self.spread * energy_map.derivative(self.energy)
        return PointPrediction(energy_map(self.energy), spread)

    def arrays(self) -> dict[str, FloatArray]:
        return contiguous(**self._columns())

    def _columns(self) -> dict[str, FloatArray]:
        return {"energy": self.energy} | ({} if self.spread is None else {"spread": self.spread})
