"""Predicted distributions as plain arrays, and the scores of single events that judge them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from showercal.errors import DataError
from showercal.evaluation._statistics import CENTRAL

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Content of the central intervals whose coverage is measured, by metric.
COVERAGES: Final = {"coverage_50": 0.5, "coverage_68": CENTRAL, "coverage_90": 0.9, "coverage_95": 0.95}


@dataclass(frozen=True, eq=False)
class WidthArrays:
    """What a method says about its own uncertainty, for B events with truth.

    Args:
        pit: Probability integral transform: the predicted cumulative distribution at the true energy, shape (B,).
        log_density: Logarithm of the predicted density at the true energy, shape (B,), per GeV; -inf where the
            prediction excludes the truth.
        levels: Rising levels between 0 and 1, shape (Q,), the same for all events.
        quantiles: Energies below which these fractions are predicted, shape (B, Q), [GeV].
        median: Shape (B,), [GeV].
        std: Predicted standard deviation, above 0, shape (B,), [GeV].
        sigma68: Half the central interval that is predicted to hold 68.27 %, above 0, shape (B,), [GeV].
    """

    pit: FloatArray
    log_density: FloatArray
    levels: FloatArray
    quantiles: FloatArray
    median: FloatArray
    std: FloatArray
    sigma68: FloatArray

    def take(self, at: IntArray) -> WidthArrays:
        """The same for some of the events."""
        return WidthArrays(
            self.pit[at],
            self.log_density[at],
            self.levels,
            self.quantiles[at],
            self.median[at],
            self.std[at],
            self.sigma68[at],
        )

    def pulls(self, energy_true: FloatArray) -> FloatArray:
        """(E_pred - E_true) / sigma with the median as E_pred and the standard deviation as sigma, shape (B,)."""
        return (self.median - energy_true) / self.std


def crps(energy_true: ArrayLike, levels: ArrayLike, quantiles: ArrayLike) -> FloatArray:
    """Continuous ranked probability score of each event, the integral of (F(x) - [x >= E_true])^2 over x.

    It equals twice the pinball loss of the quantiles integrated over their level. The integral is exact for the
    predicted distribution F that runs straight between the given quantiles; beyond the outermost ones F is taken as 0
    or 1. With 65 levels at even steps of the normal score from -4 to 4 it is good to 0.1 % for a normal distribution.

    Args:
        energy_true: Shape (B,), [GeV].
        levels: Rising, between 0 and 1, shape (Q,).
        quantiles: Shape (B, Q), [GeV].

    Returns:
        Shape (B,), [GeV]; for a point estimate it would be the absolute error.

    References:
        T. Gneiting, A. E. Raftery, J. Am. Stat. Assoc. 102 (2007) 359, equations 20 and 21; F. Laio, S. Tamea, Hydrol.
        Earth Syst. Sci. 11 (2007) 1267, for the integral of the pinball loss.

    Example:
        >>> crps([0.5, 3.0], [0.001, 0.999], [[0.0, 1.0], [0.0, 1.0]]).round(2)  # uniform from 0 to 1
        array([0.08, 2.33])
    """
    truth, level, energy = (np.asarray(a, dtype=np.float64) for a in (energy_true, levels, quantiles))
    result = np.maximum(energy[:, 0] - truth, 0) + np.maximum(truth - energy[:, -1], 0)
    # piece by piece, which bounds the memory; each is cut at the truth: F^2 counts to its left, (1 - F)^2 to its right
    for k in range(len(level) - 1):
        low, high = energy[:, k], energy[:, k + 1]
        cut = np.clip(truth, low, high)
        share = np.divide(cut - low, high - low, out=np.zeros_like(cut), where=high > low)
        at_cut = level[k] + share * (level[k + 1] - level[k])
        result += _mean_square(level[k], at_cut) * (cut - low)
        result += _mean_square(1 - at_cut, 1 - level[k + 1]) * (high - cut)
    return result


def _mean_square(start: ArrayLike, end: ArrayLike) -> FloatArray:
    """Mean of the square of what runs straight from start to end."""
    a, b = np.asarray(start), np.asarray(end)
    result: FloatArray = (a**2 + a * b + b**2) / 3
    return result


def is_covered(pit: FloatArray, level: float) -> NDArray[np.bool_]:
    """Whether the central interval of a content holds the truth, shape (B,).

    Args:
        pit: Shape (B,).
        level: Content of the interval, 0 to 1.
    """
    return np.abs(pit - 0.5) <= level / 2


def uniformity_p_value(distance: float, n_events: int) -> float:
    """Chance that n_events uniform values lie at least this Kolmogorov-Smirnov distance from the uniform distribution.

    Args:
        distance: Largest distance between both cumulative distributions; NaN gives NaN.
        n_events: Number of values.

    References:
        A. N. Kolmogorov, G. Ist. Ital. Attuari 4 (1933) 83.
    """
    return float(stats.kstwo.sf(distance, n_events)) if np.isfinite(distance) else float("nan")


def check_widths(name: str, width: WidthArrays, n_events: int) -> WidthArrays:
    """The same in double precision; refuse what cannot be judged.

    Args:
        name: Of the method, for the message.
        width: Arrays of the method.
        n_events: Number of events, B.

    Raises:
        DataError: If a shape is wrong, a value is NaN, infinite or outside its range, or levels or quantiles fall.
    """
    fields = ("pit", "log_density", "median", "std", "sigma68")
    columns = {field: np.asarray(getattr(width, field), dtype=np.float64) for field in fields}
    levels, quantiles = (np.asarray(a, dtype=np.float64) for a in (width.levels, width.quantiles))
    ordered = len(levels) > 1 and bool(np.all(np.diff(levels) > 0)) if levels.ndim == 1 else False
    if not ordered or not (levels[0] > 0 and levels[-1] < 1):
        raise DataError(f"levels of {name!r} must be 2 or more rising numbers between 0 and 1; got {levels}")
    expected = dict.fromkeys(fields, (n_events,)) | {"quantiles": (n_events, len(levels))}
    for field, array in (columns | {"quantiles": quantiles}).items():
        if array.shape != expected[field]:
            raise DataError(f"{field} of {name!r} must have shape {expected[field]}; got {array.shape}")
    pit, density = columns["pit"], columns["log_density"]
    _refuse(name, "pit", pit, ~((pit >= 0) & (pit <= 1)), "between 0 and 1")
    _refuse(name, "log_density", density, ~(density < np.inf), "a number or -inf, per GeV")
    _refuse(name, "median", columns["median"], ~np.isfinite(columns["median"]), "finite")
    for field in ("std", "sigma68"):
        values = columns[field]
        _refuse(name, field, values, ~((values > 0) & np.isfinite(values)), "finite and > 0 GeV")
    wrong = ~np.isfinite(quantiles)
    wrong[:, 1:] |= quantiles[:, 1:] < quantiles[:, :-1]
    first = np.take_along_axis(quantiles, np.argmax(wrong, axis=1)[:, None], axis=1)[:, 0]
    _refuse(name, "quantiles", first, np.asarray(wrong.any(axis=1)), "finite and rise with their level")
    return WidthArrays(levels=levels, quantiles=quantiles, **columns)


def _refuse(name: str, field: str, values: FloatArray, wrong: NDArray[np.bool_], expected: str) -> None:
    if np.any(wrong):
        at = int(np.argmax(wrong))
        raise DataError(
            f"{field} of {name!r} must be {expected}; got {values[at]} at event {at} ({int(wrong.sum())} of "
            f"{len(wrong)}); look for a diverged training or NaN in the inputs"
        )
