"""Prediction: a distribution over energy for every event. What evaluation, calibration and export speak.

A point estimator gives a `PointPrediction`: it has a value and says that it has no width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from showercal.errors import DataError, NoWidthError, nearest

FloatArray = NDArray[np.float64]


class MonotoneMap(Protocol):
    """A strictly increasing map of energies, [GeV] -> [GeV], such as a bias correction; arrays of any shape."""

    def __call__(self, energy: FloatArray) -> FloatArray:
        """Energies after the map."""

    def inverse(self, energy: FloatArray) -> FloatArray:
        """Energies before the map."""

    def derivative(self, energy: FloatArray) -> FloatArray:
        """Slope of the map at energies before it, above 0."""


class Prediction(ABC):
    """One distribution over energy per event; all results have shape (B,) and are in GeV."""

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
    def log_prob(self, energy: FloatArray) -> FloatArray:
        """Log density at ``energy``, shape (B,), per GeV."""

    @abstractmethod
    def sample(self, n: int, seed: int) -> FloatArray:
        """Draws, shape (n, B), [GeV]."""

    @abstractmethod
    def transform(self, energy_map: MonotoneMap) -> Prediction:
        """The same prediction with energies mapped, e.g. by a bias correction."""

    @abstractmethod
    def arrays(self) -> dict[str, FloatArray]:
        """Everything needed to rebuild it with `from_arrays`, each of shape (B,)."""

    @property
    @abstractmethod
    def family(self) -> str:
        """Name for `from_arrays`."""


@dataclass(frozen=True, eq=False)
class PointPrediction(Prediction):
    """One energy per event and no width.

    Args:
        energy: Shape (B,), [GeV].
    """

    energy: FloatArray
    has_width = False
    family = "point"

    def __post_init__(self) -> None:
        _check_columns(energy=self.energy)

    def __len__(self) -> int:
        return len(self.energy)

    def __getitem__(self, where: slice | NDArray[Any]) -> PointPrediction:
        return PointPrediction(self.energy[where])

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
        raise _no_width("std_stochastic")

    @property
    def std_model(self) -> FloatArray:
        raise _no_width("std_model")

    def quantile(self, q: ArrayLike) -> FloatArray:
        raise _no_width("quantile")

    def log_prob(self, energy: FloatArray) -> FloatArray:
        raise _no_width("log_prob")

    def sample(self, n: int, seed: int) -> FloatArray:
        raise _no_width("sample")

    def transform(self, energy_map: MonotoneMap) -> PointPrediction:
        return PointPrediction(energy_map(self.energy))

    def arrays(self) -> dict[str, FloatArray]:
        return {"energy": self.energy}


def _check_columns(**columns: FloatArray) -> None:
    """Refuse parameters that are not one number per event."""
    shapes = {name: np.shape(values) for name, values in columns.items()}
    if any(len(shape) != 1 for shape in shapes.values()) or len(set(shapes.values())) > 1:
        raise DataError(f"a prediction needs one number per event, all of one shape (B,); got shapes {shapes}")


def _check_fraction(q: ArrayLike) -> FloatArray:
    fraction = np.asarray(q, dtype=np.float64)
    if not np.all((fraction >= 0) & (fraction <= 1)):
        raise ValueError(f"a quantile needs a fraction 0 <= q <= 1; got {fraction}")
    return fraction


def _no_width(what: str) -> NoWidthError:
    return NoWidthError(
        f"a point estimator has no {what}: it predicts one energy per event; use a method with a distribution "
        "(e.g. one with head: normal), or ask has_width first"
    )


@dataclass(frozen=True, eq=False)
class NormalPrediction(Prediction):
    """A normal distribution per event.

    Args:
        location: Shape (B,), [GeV].
        scale: Shape (B,), [GeV], above 0.

    Raises:
        DataError: If the shapes differ or a scale is not above 0.

    Example:
        >>> prediction = NormalPrediction(np.array([5.0]), np.array([1.0]))
        >>> prediction.quantile(0.5)
        array([5.])
    """

    location: FloatArray
    scale: FloatArray
    has_width = True
    family = "normal"

    def __post_init__(self) -> None:
        _check_columns(location=self.location, scale=self.scale)
        wrong = ~(self.scale > 0)
        if np.any(wrong):
            at = int(np.argmax(wrong))
            raise DataError(
                f"scale must be > 0 GeV; got {self.scale[at]} at event {at} ({int(wrong.sum())} of {len(wrong)}); "
                "end the network in softplus or exp, and look for NaN in its inputs"
            )

    def __len__(self) -> int:
        return len(self.location)

    def __getitem__(self, where: slice | NDArray[Any]) -> NormalPrediction:
        return NormalPrediction(self.location[where], self.scale[where])

    @property
    def mean(self) -> FloatArray:
        return self.location

    @property
    def median(self) -> FloatArray:
        return self.location

    @property
    def mode(self) -> FloatArray:
        return self.location

    @property
    def std_stochastic(self) -> FloatArray:
        return self.scale

    @property
    def std_model(self) -> FloatArray:
        return np.zeros_like(self.scale)

    def quantile(self, q: ArrayLike) -> FloatArray:
        result: FloatArray = self.location + self.scale * special.ndtri(_check_fraction(q))
        return result

    def log_prob(self, energy: FloatArray) -> FloatArray:
        pull = (energy - self.location) / self.scale
        density: FloatArray = -0.5 * pull**2 - np.log(self.scale) - 0.5 * np.log(2 * np.pi)
        return density

    def sample(self, n: int, seed: int) -> FloatArray:
        draws = np.random.default_rng(seed).standard_normal((n, len(self)))
        result: FloatArray = self.location + self.scale * draws
        return result

    def transform(self, energy_map: MonotoneMap) -> Prediction:
        return MappedPrediction(self, energy_map)

    def arrays(self) -> dict[str, FloatArray]:
        return {"location": self.location, "scale": self.scale}


# Nodes for moments of a mapped distribution: with z normal, E[f] = integral of f(quantile(Phi(z))) phi(z) dz. With 20
# nodes the outermost is z = 7.6; with 32 it would be z = 10, where Phi(z) rounds to 1 and the quantile is infinite.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(20)
_WEIGHTS = _WEIGHTS / np.sqrt(2 * np.pi)
_MODE_GRID: Final = special.ndtr(np.linspace(-4, 4, 321))


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
            raise _no_width("distribution to map")

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, where: slice | NDArray[Any]) -> MappedPrediction:
        return MappedPrediction(self.base[where], self.energy_map)

    def _at_nodes(self) -> FloatArray:
        return np.stack([self.quantile(q) for q in special.ndtr(_NODES)])

    @property
    def mean(self) -> FloatArray:
        result: FloatArray = _WEIGHTS @ self._at_nodes()
        return result

    @property
    def median(self) -> FloatArray:
        return self.quantile(0.5)

    @property
    def mode(self) -> FloatArray:
        """Most probable energy on a grid of quantiles, good to 0.0125 of the width of ``base``, shape (B,), [GeV]."""
        best = np.zeros(len(self))
        highest = np.full(len(self), -np.inf)
        for q in _MODE_GRID:
            before = self.base.quantile(q)
            density = self.base.log_prob(before) - np.log(self.energy_map.derivative(before))
            better = density > highest
            highest = np.where(better, density, highest)
            best = np.where(better, self.energy_map(before), best)
        return best

    def _std_total(self) -> FloatArray:
        values = self._at_nodes()
        result: FloatArray = np.sqrt(_WEIGHTS @ (values - _WEIGHTS @ values) ** 2)
        return result

    @property
    def std_stochastic(self) -> FloatArray:
        """Stochastic part of the mapped width; the parts keep the shares of the variance they had before the map."""
        return self._std_total() * self.base.std_stochastic / self.base.std

    @property
    def std_model(self) -> FloatArray:
        """Model part of the mapped width; the parts keep the shares of the variance they had before the map."""
        return self._std_total() * self.base.std_model / self.base.std

    def quantile(self, q: ArrayLike) -> FloatArray:
        return self.energy_map(self.base.quantile(q))

    def log_prob(self, energy: FloatArray) -> FloatArray:
        before = self.energy_map.inverse(energy)
        return self.base.log_prob(before) - np.log(self.energy_map.derivative(before))

    def sample(self, n: int, seed: int) -> FloatArray:
        draws = self.base.sample(n, seed)
        return self.energy_map(draws.ravel()).reshape(draws.shape)

    def transform(self, energy_map: MonotoneMap) -> Prediction:
        return MappedPrediction(self, energy_map)

    def arrays(self) -> dict[str, FloatArray]:
        raise NotImplementedError(
            "a mapped prediction has no arrays: store the prediction before the map (its base), and the map beside it"
        )


_FAMILIES: Final[Mapping[str, type[PointPrediction | NormalPrediction]]] = {
    PointPrediction.family: PointPrediction,
    NormalPrediction.family: NormalPrediction,
}


def from_arrays(family: str, arrays: Mapping[str, FloatArray]) -> Prediction:
    """Rebuild a prediction from its `Prediction.family` and `Prediction.arrays`.

    Raises:
        DataError: If there is no such family.
    """
    if family not in _FAMILIES:
        raise DataError(f"unknown kind of prediction {family!r}; {nearest(family, _FAMILIES)}")
    return _FAMILIES[family](**arrays)
