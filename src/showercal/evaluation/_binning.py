"""Bins of the true energy (or of another quantity) in which events are judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from showercal.errors import DataError, RecipeError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Binning:
    """Bins [low, high) of one quantity; the last bin includes its upper edge.

    Args:
        edges: Increasing edges, K + 1 of them, in ``unit``.
        label: What is binned, for axes and tables.
        unit: Unit of the edges.
        min_events: A bin with fewer events has no value: its statistics are NaN with error NaN, and its number of
            events tells why.

    Raises:
        RecipeError: If there are fewer than 2 edges, or they do not increase.

    Example:
        >>> Binning.uniform(0, 10, 5).number(np.array([0.0, 3.9, 10.0, 12.0]))
        array([ 0,  1,  4, -1])
    """

    edges: tuple[float, ...]
    label: str = "energy_true"
    unit: str = "GeV"
    min_events: int = 10

    def __post_init__(self) -> None:
        if len(self.edges) < 2 or not np.all(np.diff(self.edges) > 0) or not np.all(np.isfinite(self.edges)):
            raise RecipeError(f"a binning needs 2 or more finite, increasing edges; got {self.edges}")
        if self.min_events < 2:
            raise RecipeError(f"min_events must be >= 2, or a bin has no width; got {self.min_events}")

    @classmethod
    def uniform(cls, low: float, high: float, n_bins: int, *, label: str = "energy_true", unit: str = "GeV") -> Binning:
        """Bins of equal width."""
        return cls(_edges(np.linspace(low, high, _positive(n_bins) + 1)), label, unit)

    @classmethod
    def logarithmic(
        cls, low: float, high: float, n_bins: int, *, label: str = "energy_true", unit: str = "GeV"
    ) -> Binning:
        """Bins of equal width in the logarithm.

        Raises:
            RecipeError: If ``low`` is not above 0.
        """
        if not low > 0:
            raise RecipeError(f"logarithmic bins need a lowest edge above 0; got {low:g} {unit}")
        return cls(_edges(np.geomspace(low, high, _positive(n_bins) + 1)), label, unit)

    def __len__(self) -> int:
        return len(self.edges) - 1

    def number(self, values: FloatArray) -> NDArray[np.int64]:
        """Bin of each value, shape (B,); -1 outside.

        Raises:
            DataError: If a value is NaN.
        """
        if np.any(np.isnan(values)):
            raise DataError(
                f"cannot bin {self.label}: NaN at event {int(np.argmax(np.isnan(values)))}; drop such events"
            )
        number = np.searchsorted(self.edges, values, side="right").astype(np.int64) - 1
        number[values == self.edges[-1]] = len(self) - 1
        number[number == len(self)] = -1
        return number

    def groups(self, values: FloatArray) -> list[NDArray[np.int64]]:
        """Positions of the events of each bin, K arrays in rising order."""
        number = self.number(values)
        order = np.argsort(number, kind="stable").astype(np.int64)
        ends = np.searchsorted(number[order], np.arange(len(self) + 1))
        return [order[ends[k] : ends[k + 1]] for k in range(len(self))]


def _edges(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def _positive(n_bins: int) -> int:
    if n_bins < 1:
        raise RecipeError(f"a binning needs n_bins >= 1; got {n_bins}")
    return n_bins
