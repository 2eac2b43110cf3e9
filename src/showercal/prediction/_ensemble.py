"""Several predictions of the same events, each as good as the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from showercal.errors import DataError
from showercal.prediction._base import FloatArray, MonotoneMap, Prediction
from showercal.prediction._checks import check_fraction, no_width
from showercal.prediction._mapped import MappedPrediction
from showercal.prediction._point import PointPrediction
from showercal.prediction._search import highest_point, solve_cdf

# where the mode is looked for: around every member, at its own mode and at quantiles half a width apart
_MODE_LEVELS: Final[FloatArray] = special.ndtr(np.arange(-2, 2.5, 0.5))


@dataclass(frozen=True, eq=False)
class EnsemblePrediction(Prediction):
    """The mixture of the members with equal weights, as of a deep ensemble.

    The members' mean variance is the stochastic part of the width, the variance of their means the model part; both add
    up to the variance of the mixture. Quantiles are solved to 1e-14 of the largest member quantile; the mode is the
    highest point around any member, good to 1e-7 of its width where the density is smooth.

    Args:
        members: Predictions with a width of the same B events, one or more; `ensemble_of` also takes points.

    Raises:
        NoWidthError: If a member is a point estimate.
        DataError: If there is no member, or the members have different numbers of events.

    References:
        B. Lakshminarayanan, A. Pritzel and C. Blundell, NeurIPS 2017, arXiv:1612.01474, section 2.4.

    Example:
        >>> from showercal.prediction import NormalPrediction
        >>> members = tuple(NormalPrediction(np.array([at]), np.array([4.0])) for at in (7.0, 13.0))
        >>> both = EnsemblePrediction(members)
        >>> (both.std_stochastic, both.std_model, both.std)
        (array([4.]), array([3.]), array([5.]))
    """

    members: tuple[Prediction, ...]
    has_width = True
    family = "ensemble"

    def __post_init__(self) -> None:
        _check_members(self.members)
        points = [index for index, member in enumerate(self.members) if not member.has_width]
        if points:
            raise no_width(f"width to combine (members {points} of this ensemble are points: see ensemble_of)")

    def __len__(self) -> int:
        return len(self.members[0])

    def __getitem__(self, where: slice | NDArray[Any]) -> EnsemblePrediction:
        return EnsemblePrediction(tuple(member[where] for member in self.members))

    @property
    def mean(self) -> FloatArray:
        return _mean([member.mean for member in self.members])

    @property
    def median(self) -> FloatArray:
        return self.quantile(0.5)

    @property
    def mode(self) -> FloatArray:
        grid = [member.mode for member in self.members]
        grid += [member.quantile(q) for member in self.members for q in _MODE_LEVELS]
        return highest_point(self.log_prob, np.stack(grid))

    @property
    def std_stochastic(self) -> FloatArray:
        return np.sqrt(_mean([member.std**2 for member in self.members]))

    @property
    def std_model(self) -> FloatArray:
        result: FloatArray = np.std([member.mean for member in self.members], axis=0)
        return result

    def quantile(self, q: ArrayLike) -> FloatArray:
        fraction = np.broadcast_to(check_fraction(q, len(self)), len(self))
        # below the lowest of the members' quantiles none has more than a fraction q, above the highest none has less
        ends = np.stack([member.quantile(fraction) for member in self.members])

        def cdf_and_density(energy: FloatArray, events: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
            chosen = [member[events] for member in self.members]
            cdf = _mean([member.cdf(energy) for member in chosen])
            return cdf, _mean([np.exp(member.log_prob(energy)) for member in chosen])

        return solve_cdf(cdf_and_density, fraction, ends.min(axis=0), ends.max(axis=0))

    def cdf(self, energy: FloatArray) -> FloatArray:
        return _mean([member.cdf(energy) for member in self.members])

    def log_prob(self, energy: FloatArray) -> FloatArray:
        density = [member.log_prob(energy) for member in self.members]
        result: FloatArray = np.logaddexp.reduce(density, axis=0) - np.log(len(density))
        return result

    def expectation(self, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
        return _mean([member.expectation(function) for member in self.members])

    def sample(self, n: int, seed: int) -> FloatArray:
        rng = np.random.default_rng(seed)
        chosen = rng.integers(len(self.members), size=(n, len(self)))
        result = np.empty((n, len(self)))
        for index, member in enumerate(self.members):
            draws = member.sample(n, int(rng.integers(2**63)))
            result[chosen == index] = draws[chosen == index]
        return result

    def transform(self, energy_map: MonotoneMap) -> Prediction:
        return MappedPrediction(self, energy_map)

    def arrays(self) -> dict[str, FloatArray]:
        """Those of the members, as ``{index}.{family}.{name}``."""
        return {
            f"{index}.{member.family}.{name}": values
            for index, member in enumerate(self.members)
            for name, values in member.arrays().items()
        }


def ensemble_of(members: Sequence[Prediction]) -> Prediction:
    """The ensemble of predictions of the same events; of points, their mean.

    Args:
        members: One or more, either all with a width or all points.

    Raises:
        NoWidthError: If some are points and some are not.
        DataError: If there is no member, or the members have different numbers of events.

    Example:
        >>> ensemble_of([PointPrediction(np.array([1.0])), PointPrediction(np.array([2.0]))]).mean
        array([1.5])
    """
    _check_members(members)
    if any(member.has_width for member in members):
        return EnsemblePrediction(tuple(members))
    return PointPrediction(_mean([member.mean for member in members]))


def _check_members(members: Sequence[Prediction]) -> None:
    lengths = [len(member) for member in members]
    if len(set(lengths)) != 1:
        raise DataError(
            f"an ensemble needs one or more predictions of the same events; got {len(lengths)} of {lengths} events"
        )


def _mean(values: Sequence[FloatArray]) -> FloatArray:
    result: FloatArray = np.mean(values, axis=0)
    return result
