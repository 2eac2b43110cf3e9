"""The image of a distribution under an increasing map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showercal.prediction._base import FloatArray, MonotoneMap, Prediction
from showercal.prediction._checks import no_width
from showercal.prediction._quadrature import std_by_expectation
from showercal.prediction._search import highest_point, mode_grid


@dataclass(frozen=True, eq=False)
class MappedPrediction(Prediction):
    """The exact image of a distribution under an increasing map: quantiles are mapped, densities get the Jacobian.

    The median commutes with the map; the mean and the mode do not.

    Args:
        base: A prediction with a width.
        energy_map: The map, applied to the energies of ``base``.

    Raises:
        NoWidthError: If ``base`` is a point estimate; its ``transform`` gives another point estimate.
    """

    base: Prediction
    energy_map: MonotoneMap
    has_width = True
    family = "mapped"

    def __post_init__(self) -> None:
        if not self.base.has_width:
            raise no_width("distribution to map")

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, where: slice | NDArray[Any]) -> MappedPrediction:
        return MappedPrediction(self.base[where], self.energy_map)

    @property
    def mean(self) -> FloatArray:
        return self.base.expectation(self.energy_map)

    @property
    def median(self) -> FloatArray:
        return self.energy_map(self.base.median)

    @property
    def mode(self) -> FloatArray:
        """Most probable energy, shape (B,), [GeV].

        Good to 1e-7 of the width where the density is smooth; where it jumps (under a map of `QuantilePrediction`), at
        least as probable as the image of the mode of ``base`` and of quantiles a quarter of a width apart.
        """
        grid = mode_grid(self.base, self.base.mode)
        return self.energy_map(highest_point(self._log_prob_at, grid))

    def _log_prob_at(self, before: FloatArray) -> FloatArray:
        """Log density of the image of an energy before the map."""
        return self.base.log_prob(before) - np.log(self.energy_map.derivative(before))

    @property
    def std_stochastic(self) -> FloatArray:
        """Stochastic part of the mapped width; the parts keep the shares of the variance they had before the map."""
        return std_by_expectation(self) * self.base.std_stochastic / self.base.std

    @property
    def std_model(self) -> FloatArray:
        """Model part of the mapped width; the parts keep the shares of the variance they had before the map."""
        return std_by_expectation(self) * self.base.std_model / self.base.std

    def quantile(self, q: ArrayLike) -> FloatArray:
        return self.energy_map(self.base.quantile(q))

    def cdf(self, energy: FloatArray) -> FloatArray:
        return self.base.cdf(self.energy_map.inverse(energy))

    def log_prob(self, energy: FloatArray) -> FloatArray:
        return self._log_prob_at(self.energy_map.inverse(energy))

    def expectation(self, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
        return self.base.expectation(lambda energy: function(self.energy_map(energy)))

    def sample(self, n: int, seed: int) -> FloatArray:
        draws = self.base.sample(n, seed)
        return self.energy_map(draws.ravel()).reshape(draws.shape)

    def transform(self, energy_map: MonotoneMap) -> Prediction:
        return MappedPrediction(self, energy_map)

    def arrays(self) -> dict[str, FloatArray]:
        raise NotImplementedError(
            "a mapped prediction has no arrays: store the prediction before the map (its base), and the map beside it"
        )
