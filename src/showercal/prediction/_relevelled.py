"""A distribution whose levels have been renamed: what was called its 90 % quantile is now, say, its 84 % quantile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from showercal.errors import DataError
from showercal.prediction._base import FloatArray, MonotoneMap, Prediction
from showercal.prediction._checks import check_fraction, no_width
from showercal.prediction._mapped import MappedPrediction
from showercal.prediction._quadrature import expectation_by_quantiles, nodes_between, std_by_expectation
from showercal.prediction._search import highest_point, mode_grid

# how far beside a jump of the density a mode is looked for, in normal pulls
_BESIDE: Final = 1e-6
_LAST_LEVEL: Final = float(np.nextafter(1, 0))


@dataclass(frozen=True)
class LevelMap:
    """An increasing map from wanted levels to those of a base distribution.

    Between the knots it is straight in normal pulls z = Phi^-1(level), because a distribution that is too narrow by a
    factor then has one straight line as its map. Beyond the outermost knots it is straight in the level and ends at 0
    and 1: the tails keep the shape that they have in the base, with another probability, and the density stays finite
    at the ends of a bounded support.

    Args:
        pull: Wanted pulls, increasing, two or more.
        base_pull: Pulls of the base distribution where they are found, increasing.

    Raises:
        DataError: If the knots do not increase.

    References:
        V. Kuleshov, N. Fenner and S. Ermon, ICML 2018, arXiv:1807.00263, section 3 (straight in the level throughout).

    Example:
        >>> too_narrow_by_two = LevelMap((-1.0, 1.0), (-2.0, 2.0))
        >>> special.ndtri(too_narrow_by_two(special.ndtr(0.5))).round(9)
        np.float64(1.0)
    """

    pull: tuple[float, ...]
    base_pull: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.pull) != len(self.base_pull) or len(self.pull) < 2:
            raise DataError(
                "a map of levels needs two or more knots, as many of one side as of the other; got "
                f"{len(self.pull)} and {len(self.base_pull)}"
            )
        for name in ("pull", "base_pull"):
            knots = np.array(getattr(self, name))
            if not (np.isfinite(knots).all() and np.all(np.diff(knots) > 0)):
                raise DataError(f"the knots of a map of levels must increase and be finite; got {name} = {knots}")

    def __call__(self, level: ArrayLike) -> FloatArray:
        """Level of the base distribution where a wanted level is found."""
        return _along(np.asarray(level, dtype=np.float64), self.pull, self.base_pull)

    def inverse(self, base_level: ArrayLike) -> FloatArray:
        """Level after the map, from that of the base distribution."""
        return _along(np.asarray(base_level, dtype=np.float64), self.base_pull, self.pull)

    def log_slope(self, base_level: FloatArray) -> FloatArray:
        """Log of the slope of ``inverse``: what the log density of the base distribution gains."""
        pull, base = np.array(self.pull), np.array(self.base_pull)
        before = np.clip(special.ndtri(base_level), base[0], base[-1])
        after = np.interp(before, base, pull)
        cell = np.clip(np.searchsorted(base, before, side="right") - 1, 0, len(base) - 2)
        inside = 0.5 * (before**2 - after**2) + np.log((np.diff(pull) / np.diff(base))[cell])
        low = special.log_ndtr(pull[0]) - special.log_ndtr(base[0])
        high = special.log_ndtr(-pull[-1]) - special.log_ndtr(-base[-1])
        in_low, in_high = base_level < special.ndtr(base[0]), 1 - base_level < special.ndtr(-base[-1])
        result: FloatArray = np.where(in_low, low, np.where(in_high, high, inside))
        return result


def _along(level: FloatArray, start: tuple[float, ...], end: tuple[float, ...]) -> FloatArray:
    """Follow the knots from one side of a map of levels to the other."""
    below, above = special.ndtr(start[0]), special.ndtr(-start[-1])  # probabilities outside the knots
    low = special.ndtr(end[0]) * (level / below)
    high = 1 - special.ndtr(-end[-1]) * ((1 - level) / above)
    inside = special.ndtr(np.interp(special.ndtri(level), start, end))
    result: FloatArray = np.where(level < below, low, np.where(1 - level < above, high, inside))[()]
    return result


@dataclass(frozen=True, eq=False)
class RelevelledPrediction(Prediction):
    """The distribution with cdf R(F(energy)): F that of the base, R the inverse of a map of levels.

    The quantile at q is that of the base at level_map(q), so the support stays that of the base. Mean and width are
    integrals over quantiles: many digits for a base with one peak, 0.5 % of the width where the base has a gap between
    separate peaks. The mode is looked for between the knots and on both sides of each.

    Args:
        base: A prediction with a width.
        level_map: Wanted level -> level of the base.

    Raises:
        NoWidthError: If ``base`` is a point estimate.

    Example:
        >>> from showercal.prediction import NormalPrediction
        >>> narrow = NormalPrediction(np.array([5.0]), np.array([0.5]))
        >>> RelevelledPrediction(narrow, LevelMap((-2.0, 2.0), (-4.0, 4.0))).sigma68.round(9)
        array([1.])
    """

    base: Prediction
    level_map: LevelMap
    has_width = True
    family = "relevelled"

    def __post_init__(self) -> None:
        if not self.base.has_width:
            raise no_width("levels to rename")

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, where: slice | NDArray[Any]) -> RelevelledPrediction:
        return RelevelledPrediction(self.base[where], self.level_map)

    @property
    def mean(self) -> FloatArray:
        return self.expectation(lambda energy: energy)

    @property
    def median(self) -> FloatArray:
        return self.quantile(0.5)

    @property
    def mode(self) -> FloatArray:
        # the density jumps at the knots and is smooth between them: look on both sides of each, and between
        knots = np.array(self.level_map.pull)
        pulls = np.concatenate([knots - _BESIDE, knots + _BESIDE, (knots[1:] + knots[:-1]) / 2])
        return highest_point(self.log_prob, mode_grid(self, self.base.mode, pulls))

    @property
    def std_stochastic(self) -> FloatArray:
        """Stochastic part of the width; the parts keep the shares of the variance that they have in the base."""
        return std_by_expectation(self) * self.base.std_stochastic / self.base.std

    @property
    def std_model(self) -> FloatArray:
        """Model part of the width; the parts keep the shares of the variance that they have in the base."""
        return std_by_expectation(self) * self.base.std_model / self.base.std

    def quantile(self, q: ArrayLike) -> FloatArray:
        wanted = check_fraction(q, len(self))
        level = self.level_map(wanted)
        # far out a level below 1 may be rounded to 1, where the quantile may be infinite
        return self.base.quantile(np.where(wanted < 1, np.minimum(level, _LAST_LEVEL), level))

    def cdf(self, energy: FloatArray) -> FloatArray:
        return self.level_map.inverse(self.base.cdf(energy))

    def log_prob(self, energy: FloatArray) -> FloatArray:
        return self.base.log_prob(energy) + self.level_map.log_slope(self.base.cdf(energy))

    def expectation(self, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
        # the quantiles have a kink at every knot: Gauss nodes between the knots keep all digits
        return expectation_by_quantiles(self.quantile, function, nodes_between(self.level_map.pull))

    def sample(self, n: int, seed: int) -> FloatArray:
        draws = np.random.default_rng(seed).random((n, len(self)))
        every = np.tile(np.arange(len(self)), n)
        return self[every].quantile(draws.ravel()).reshape(draws.shape)

    def transform(self, energy_map: MonotoneMap) -> Prediction:
        return MappedPrediction(self, energy_map)

    def arrays(self) -> dict[str, FloatArray]:
        raise NotImplementedError(
            "a relevelled prediction has no arrays: store the prediction before (its base), and the map of levels "
            "beside it"
        )
