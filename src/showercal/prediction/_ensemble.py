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
from showercal.prediction._checks import check_events, check_fraction, contiguous, no_width
from showercal.prediction._mapped import MappedPrediction
from showercal.prediction._point import PointPrediction
from showercal.prediction._search import highest_point, solve_cdf
from showercal.prediction._weights import draw_components

# where the mode is looked for: around every member, at its own mode and at quantiles half a width apart
_MODE_LEVELS: Final[FloatArray] = special.ndtr(np.arange(-2, 2.5, 0.5))
# shares in float64 add up to 1 within this
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, eq=False)
class EnsemblePrediction(Prediction):
    """The mixture of the members, as of a deep ensemble.

    The members' mean variance is the stochastic part of the width, the variance of their means the model part; both add
    up to the variance of the mixture. Quantiles are solved to 1e-14 of the largest member quantile; the mode is the
    highest point around any member, good to 1e-7 of its width where the density is smooth.

    Args:
        members: M predictions with a width of the same B events, one or more; `ensemble_of` also takes points.
        weight: At or above 0, with sum 1 per event, shape (B, M), no unit; None for equal weights.

    Raises:
        NoWidthError: If a member is a point estimate.
        DataError: If there is no member, the members have different numbers of events, or the weights are not such.

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
    weight: FloatArray | None = None
    has_width = True
    family = "ensemble"

    def __post_init__(self) -> None:
        _check_members(self.members)
        points = [index for index, member in enumerate(self.members) if not member.has_width]
        if points:
            raise no_width(f"width to combine (members {points} of this ensemble are points: see ensemble_of)")
        if self.weight is not None:
            _check_weight(self.weight, (len(self), len(self.members)))

    def __len__(self) -> int:
        return len(self.members[0])

    def __getitem__(self, where: slice | NDArray[Any]) -> EnsemblePrediction:
        weight = None if self.weight is None else self.weight[where]
        return EnsemblePrediction(tuple(member[where] for member in self.members), weight)

    def _mean(self, values: Sequence[FloatArray]) -> FloatArray:
        """Of what the members say, each of shape (B,)."""
        return _mean(values, self.weight)

    @property
    def mean(self) -> FloatArray:
        return self._mean([member.mean for member in self.members])

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
        return np.sqrt(self._mean([member.std**2 for member in self.members]))

    @property
    def std_model(self) -> FloatArray:
        return _spread([member.mean for member in self.members], self.weight)

    def quantile(self, q: ArrayLike) -> FloatArray:
        fraction = np.broadcast_to(check_fraction(q, len(self)), len(self))
        # below the lowest of the members' quantiles none has more than a fraction q, above the highest none has less
        ends = np.stack([member.quantile(fraction) for member in self.members])

        def cdf_and_density(energy: FloatArray, events: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
            chosen = self[events]
            return chosen.cdf(energy), chosen._mean([np.exp(member.log_prob(energy)) for member in chosen.members])

        return solve_cdf(cdf_and_density, fraction, ends.min(axis=0), ends.max(axis=0))

    def cdf(self, energy: FloatArray) -> FloatArray:
        return self._mean([member.cdf(energy) for member in self.members])

    def log_prob(self, energy: FloatArray) -> FloatArray:
        density = np.stack([member.log_prob(energy) for member in self.members])
        with np.errstate(divide="ignore"):  # a member without weight
            share = -np.log(len(density)) if self.weight is None else np.log(self.weight.T)
        result: FloatArray = np.logaddexp.reduce(density + share, axis=0)
        return result

    def expectation(self, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
        return self._mean([member.expectation(function) for member in self.members])

    def sample(self, n: int, seed: int) -> FloatArray:
        rng = np.random.default_rng(seed)
        weight = np.full((len(self), len(self.members)), 1 / len(self.members)) if self.weight is None else self.weight
        chosen = draw_components(weight, n, rng)
        result = np.empty((n, len(self)))
        for index, member in enumerate(self.members):
            draws = member.sample(n, int(rng.integers(2**63)))
            result[chosen == index] = draws[chosen == index]
        return result

    def transform(self, energy_map: MonotoneMap) -> Prediction:
        return MappedPrediction(self, energy_map)

    def arrays(self) -> dict[str, FloatArray]:
        """Those of the members, as ``{index}.{family}.{name}``; and ``weight``, where it is not equal."""
        own = {} if self.weight is None else contiguous(weight=self.weight)
        return own | {
            f"{index}.{member.family}.{name}": values
            for index, member in enumerate(self.members)
            for name, values in member.arrays().items()
        }


def ensemble_of(members: Sequence[Prediction], weights: ArrayLike | None = None) -> Prediction:
    """The ensemble of predictions of the same events; of points, their mean, which knows the spread of the points.

    Args:
        members: M of them, one or more, either all with a width or all points.
        weights: One for each member, at or above 0, shape (M,), of any sum; None for equal ones.

    Raises:
        NoWidthError: If some are points and some are not.
        DataError: If there is no member, the members have different numbers of events, or the weights are not such.

    Example:
        >>> both = ensemble_of([PointPrediction(np.array([1.0])), PointPrediction(np.array([2.0]))])
        >>> (both.mean, both.std_model, both.has_width)
        (array([1.5]), array([0.5]), False)
    """
    _check_members(members)
    weight = None if weights is None else _per_event(np.asarray(weights, dtype=np.float64), members)
    if any(member.has_width for member in members):
        return EnsemblePrediction(tuple(members), weight)
    energies = [member.mean for member in members]
    return PointPrediction(_mean(energies, weight), _spread(energies, weight))


def _per_event(weights: FloatArray, members: Sequence[Prediction]) -> FloatArray:
    """Weights of members (M,) as shares, the same in every event, shape (B, M)."""
    if weights.shape != (len(members),) or not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise DataError(
            f"the weights of an ensemble must be {len(members)} numbers >= 0, one for each member, with a sum above 0; "
            f"got {weights}"
        )
    return np.tile(weights / weights.sum(), (len(members[0]), 1))


def _check_members(members: Sequence[Prediction]) -> None:
    lengths = [len(member) for member in members]
    if len(set(lengths)) != 1:
        raise DataError(
            f"an ensemble needs one or more predictions of the same events; got {len(lengths)} of {lengths} events"
        )


def _check_weight(weight: FloatArray, shape: tuple[int, int]) -> None:
    if weight.shape != shape:
        raise DataError(f"the weights of an ensemble must have shape {shape}, (events, members); got {weight.shape}")
    wrong = ~((weight >= 0).all(axis=1) & (abs(weight.sum(axis=1) - 1) < _ROUNDING))
    check_events(wrong, weight, "weights must be >= 0 and add up to 1 in every event", "divide them by their sum")


def _mean(values: Sequence[FloatArray], weight: FloatArray | None) -> FloatArray:
    result: FloatArray = np.average(values, axis=0, weights=None if weight is None else weight.T)
    return result


def _spread(values: Sequence[FloatArray], weight: FloatArray | None) -> FloatArray:
    """Standard deviation of what the members say."""
    result: FloatArray = np.sqrt(_mean([(value - _mean(values, weight)) ** 2 for value in values], weight))
    return result
