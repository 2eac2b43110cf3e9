"""What every prediction can be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

FloatArray = NDArray[np.float64]

#: The share of a normal distribution within one standard deviation, 68.27 %.
ONE_SIGMA: Final = float(special.erf(np.sqrt(0.5)))


class MonotoneMap(Protocol):
    """A strictly increasing map of energies, [GeV] -> [GeV], such as a bias correction; arrays of any shape."""

    def __call__(self, energy: FloatArray) -> FloatArray:
        """Energies after the map."""

    def inverse(self, energy: FloatArray) -> FloatArray:
        """Energies before the map."""

    def derivative(self, energy: FloatArray) -> FloatArray:
        """Slope of the map at energies before it, above 0."""


class Prediction(ABC):
    """One distribution over energy per event; results have shape (B,) and are in GeV unless they say otherwise.

    A point estimate (`has_width` is False) raises NoWidthError for all that needs a width; the spread between models
    needs none.
    """

    has_width: bool

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, where: slice | NDArray[Any]) -> Prediction:
        """The prediction of some of the events."""

    @property
    @abstractmethod
    def mean(self) -> FloatArray:
        """Expected energy, shape (B,), [GeV]."""

    @property
    @abstractmethod
    def median(self) -> FloatArray:
        """Shape (B,), [GeV]."""

    @property
    @abstractmethod
    def mode(self) -> FloatArray:
        """Most probable energy, shape (B,), [GeV]."""

    @property
    @abstractmethod
    def std_stochastic(self) -> FloatArray:
        """Width that more training data would not remove, shape (B,), [GeV]."""

    @property
    @abstractmethod
    def std_model(self) -> FloatArray:
        """Spread between equally good models, shape (B,), [GeV]; 0 for a single model."""

    @property
    def std(self) -> FloatArray:
        """Total standard deviation, the quadratic sum of both parts, shape (B,), [GeV]."""
        return np.hypot(self.std_stochastic, self.std_model)

    @abstractmethod
    def quantile(self, q: ArrayLike) -> FloatArray:
        """Energies below which a fraction q lies; q scalar or (B,) -> shape (B,), [GeV]."""

    @abstractmethod
    def cdf(self, energy: FloatArray) -> FloatArray:
        """Probability of an energy below ``energy`` (one per event), shape (B,)."""

    @abstractmethod
    def log_prob(self, energy: FloatArray) -> FloatArray:
        """Log density at ``energy`` (one per event), shape (B,), per GeV; -inf outside the support."""

    @abstractmethod
    def expectation(self, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
        """Expected value of a function of the energy, (B,) -> (B,), by quadrature, shape (B,)."""

    def interval(self, level: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Central interval that holds a fraction ``level``, with equal probability below and above.

        Args:
            level: 0 <= level <= 1, scalar or shape (B,).

        Returns:
            Lower and upper ends, each of shape (B,), [GeV].
        """
        share = np.asarray(level, dtype=np.float64)
        return self.quantile((1 - share) / 2), self.quantile((1 + share) / 2)

    @property
    def sigma68(self) -> FloatArray:
        """Half of the central 68.27 % interval, shape (B,), [GeV]: the standard deviation of a normal distribution."""
        low, high = self.interval(ONE_SIGMA)
        return (high - low) / 2

    @abstractmethod
    def sample(self, n: int, seed: int) -> FloatArray:
        """Draws, shape (n, B), [GeV]."""

    @abstractmethod
    def transform(self, energy_map: MonotoneMap) -> Prediction:
        """The same prediction with energies mapped, e.g. by a bias correction."""

    @abstractmethod
    def arrays(self) -> dict[str, FloatArray]:
        """Everything needed to rebuild it with `from_arrays`: contiguous, of shape (B,) or (B, K)."""

    @property
    @abstractmethod
    def family(self) -> str:
        """Name for `from_arrays`."""
