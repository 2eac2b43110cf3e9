"""Three ways to correct widths, each the same for all events, so that a graph can hold it as constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special

from showercal.errors import DataError, ModelFileError
from showercal.prediction import (
    ONE_SIGMA,
    LevelMap,
    Prediction,
    QuantilePrediction,
    RelevelledPrediction,
    ScaledPrediction,
)

FloatArray = NDArray[np.float64]

# Knots of the isotonic map: a quarter of a width apart, as far out as some events tell the level, at most to 4 widths.
_STEP: Final = 0.25
_REACH: Final = 4.0
_TAIL_EVENTS: Final = 5
# a cdf of float64 cannot tell levels further out
_LARGEST_PULL: Final = 8.0

#: The central intervals that the conformal form guarantees.
CONFORMAL_LEVELS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, ONE_SIGMA, 0.7, 0.8, 0.9, 0.95, 0.99)
# Intervals up to this one are chosen by their level; wider ones are multiples of it. 90 % is the widest that a network
# of quantiles usually has, and a distance also reaches beyond the support of the prediction.
_OUTER_LEVEL: Final = 0.9
_OUTER_PULL: Final = float(special.ndtri((1 + _OUTER_LEVEL) / 2))


class LevelRule(Protocol):
    """A fitted correction of widths."""

    def apply(self, prediction: Prediction) -> Prediction:
        """The corrected prediction."""

    def graph_level(self, q: float) -> tuple[float, float]:
        """Level and factor of a quantile: see `WidthRecalibration.graph_level`."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready fields."""


@dataclass(frozen=True)
class ScaleRule:
    """One factor on all distances to the median.

    Args:
        factor: Above 0.
    """

    factor: float

    @classmethod
    def fit(cls, energy_true: FloatArray, prediction: Prediction) -> Self:
        """The factor whose central 68.27 % interval holds 68.27 % of the events."""
        distance = _distance(energy_true, prediction, ONE_SIGMA)
        factor = float(np.quantile(distance, ONE_SIGMA))
        if not factor > 0:
            raise DataError(
                f"{ONE_SIGMA:.2%} of the predicted medians are the truth itself: there is no width to recalibrate; fit "
                "on validation events, with the truth as it was simulated"
            )
        return cls(factor)

    def apply(self, prediction: Prediction) -> ScaledPrediction:
        return ScaledPrediction(prediction, self.factor)

    def graph_level(self, q: float) -> tuple[float, float]:
        return q, self.factor

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class RelevelRule:
    """A map of levels.

    Args:
        level_map: Wanted level -> level of the prediction.
    """

    level_map: LevelMap

    @classmethod
    def fit(cls, energy_true: FloatArray, prediction: Prediction) -> Self:
        """The empirical quantiles of the probability integral transform at knots a quarter of a width apart."""
        n_events = len(energy_true)
        pulls = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
        pulls = pulls[special.ndtr(-abs(pulls)) * n_events >= _TAIL_EVENTS]
        # the k-th of n sorted values is expected at level k / (n + 1)
        levels = np.quantile(prediction.cdf(energy_true), special.ndtr(pulls), method="weibull")
        found = special.ndtri(np.clip(levels, 0, 1))
        told = abs(found) < _LARGEST_PULL
        if told.sum() < 2 or not np.all(np.diff(found[told]) > 0):
            raise DataError(
                "no map of levels can be fitted: too many true energies lie outside the predicted distributions, or at "
                f"one level (cdf of the first: {np.round(prediction[:5].cdf(energy_true[:5]), 4)}); use form 'scale' "
                "or 'conformal'"
            )
        return cls(LevelMap(tuple(pulls[told].tolist()), tuple(found[told].tolist())))

    def apply(self, prediction: Prediction) -> RelevelledPrediction:
        return RelevelledPrediction(prediction, self.level_map)

    def graph_level(self, q: float) -> tuple[float, float]:
        return float(self.level_map(q)), 1.0

    def to_dict(self) -> dict[str, Any]:
        return {name: list(knots) for name, knots in asdict(self.level_map).items()}


@dataclass(frozen=True)
class ConformalRule:
    """Intervals with a guaranteed coverage: a nested family, one size per level of `CONFORMAL_LEVELS`.

    The size t stands for the central interval of level 2 Phi(t) - 1 up to 90 %, and beyond for the 90 % interval
    stretched about the median: of a normal distribution always median +- t widths. As the intervals are nested, the
    smallest that holds an event has one size, its score, and the ceil((n + 1) level)-th smallest score of n validation
    events gives the interval of each level.

    Args:
        pulls: Sizes, increasing, shape (12,).
    """

    pulls: tuple[float, ...]

    def __post_init__(self) -> None:
        rising = all(low < high for low, high in zip((0.0, *self.pulls), self.pulls, strict=False))
        if len(self.pulls) != len(CONFORMAL_LEVELS) or not rising:
            raise DataError(
                f"conformal intervals need {len(CONFORMAL_LEVELS)} sizes that increase from above 0; got {self.pulls}: "
                "look for equal predictions of many events, or medians that are the truth itself"
            )

    @classmethod
    def fit(cls, energy_true: FloatArray, prediction: Prediction) -> Self:
        """Sizes of the intervals from the scores of the validation events."""
        with np.errstate(divide="ignore"):
            inside = abs(special.ndtri(prediction.cdf(energy_true)))
        beyond = _OUTER_PULL * _distance(energy_true, prediction, _OUTER_LEVEL)
        scores = np.sort(np.where(inside < _OUTER_PULL, inside, beyond))
        # the small number keeps (n + 1) * level from being rounded up where it is whole
        ranks = [int(np.ceil((len(scores) + 1) * level - 1e-9)) for level in CONFORMAL_LEVELS]
        return cls(tuple(float(scores[rank - 1]) for rank in ranks))

    def apply(self, prediction: Prediction) -> QuantilePrediction:
        upper = [(1 + level) / 2 for level in CONFORMAL_LEVELS]
        levels = np.array([*(1 - q for q in reversed(upper)), 0.5, *upper])
        median, known = prediction.quantile(0.5), dict[float, FloatArray]()
        energy = np.empty((len(prediction), len(levels)))
        for column, q in enumerate(levels):
            level, factor = self.graph_level(float(q))
            if level not in known:
                known[level] = prediction.quantile(level)
            energy[:, column] = median + factor * (known[level] - median)
        return QuantilePrediction(levels, energy)

    def graph_level(self, q: float) -> tuple[float, float]:
        if abs(q - 0.5) < 1e-9:
            return 0.5, 1.0
        off = abs(abs(2 * q - 1) - np.array(CONFORMAL_LEVELS))
        if off.min() > 1e-9:
            raise ValueError(
                f"conformal intervals have the levels {CONFORMAL_LEVELS}; got q = {q}, of level {abs(2 * q - 1):.6g}"
            )
        size = self.pulls[int(np.argmin(off))]
        level = special.ndtr(np.copysign(min(size, _OUTER_PULL), q - 0.5))
        return float(level), max(size / _OUTER_PULL, 1.0)

    def to_dict(self) -> dict[str, Any]:
        return {"pulls": list(self.pulls)}


def _distance(energy_true: FloatArray, prediction: Prediction, level: float) -> FloatArray:
    """Distance of the truth to the median in units of that side of a central interval."""
    low, high = prediction.interval(level)
    median = prediction.quantile(0.5)
    side = np.where(energy_true > median, high, low)
    distance: FloatArray = (energy_true - median) / (side - median)
    return distance


def rule_from_dict(kind: type[ScaleRule | RelevelRule | ConformalRule], values: Mapping[str, Any]) -> LevelRule:
    """Rebuild a rule from its ``to_dict``.

    Raises:
        ModelFileError: If the values are not those of the rule.
    """
    expected = {field.name for field in fields(LevelMap if kind is RelevelRule else kind)}
    if set(values) != expected:
        raise ModelFileError(
            f"this recalibration needs {sorted(expected)}; got {sorted(values)}: the file is damaged or of another "
            "version"
        )
    parts: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    return RelevelRule(LevelMap(**parts)) if kind is RelevelRule else kind(**parts)
