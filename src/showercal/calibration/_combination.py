"""Calorimeter and tracker combined, event by event: a weighted mean of two energies, or a product of likelihoods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from showercal.calibration._tracker import LOWEST, TrackerConfig
from showercal.errors import DataError
from showercal.prediction import Prediction, QuantilePrediction

FloatArray = NDArray[np.float64]
WidthOf = Callable[[FloatArray], FloatArray]

_STEPS: Final = 40
# Where both factors are looked at first, and where the product then is, in normal pulls.
_WIDE: Final[FloatArray] = np.linspace(-8, 8, 17)
_PASSES: Final = 3
_COARSE: Final[FloatArray] = special.ndtr(np.linspace(-5, 5, 49))
_FINE: Final[FloatArray] = special.ndtr(np.linspace(-5, 5, 97))
# No cell has less of the probability: levels must rise.
_LEAST: Final = 1e-12
# Densities this far below the largest are told from 0, where the calorimeter excludes an energy.
_LOWEST_LOG: Final = -700.0


def weighted_mean(
    energy: FloatArray, energy_tracker: FloatArray, width: WidthOf, width_tracker: WidthOf
) -> tuple[FloatArray, FloatArray]:
    """Inverse-variance mean of calorimeter and tracker, with both widths at the combined energy.

    Widths taken at a measured energy follow its fluctuations: a tracker that errs low calls itself precise, and the
    mean is biased low. At the combined energy, found from that of the calorimeter in 40 half steps, this is least.

    Args:
        energy: Of the calorimeter, after the bias correction, shape (B,), [GeV].
        energy_tracker: Of the tracker, shape (B,), [GeV].
        width: Energies of shape (B,) -> width of the calorimeter there, [GeV], e.g. of an `EnergySpread`; for widths
            that belong to the events: ``lambda _: widths``.
        width_tracker: The same of the tracker, above 0, e.g. `LinearTracker.width`.

    Returns:
        Combined energy and its width 1 / sqrt(1/width^2 + 1/width_tracker^2), each of shape (B,), [GeV].

    Raises:
        DataError: If shapes differ.

    Example:
        >>> weighted_mean(np.array([10.0]), np.array([14.0]), lambda _: 1.0, lambda _: 1.0)[0]
        array([12.])
    """
    _check_same_events(energy, energy_tracker)
    combined = np.maximum(energy, LOWEST)
    for _ in range(_STEPS):
        # half of each step: a tracker far above the calorimeter would make whole ones swing for ever
        combined = (combined + _mean_with_widths_at(combined, energy, energy_tracker, width, width_tracker)) / 2
    ours, theirs = width(combined), width_tracker(combined)
    return combined, ours * theirs / np.hypot(ours, theirs)


def _mean_with_widths_at(
    at: FloatArray, energy: FloatArray, energy_tracker: FloatArray, width: WidthOf, width_tracker: WidthOf
) -> FloatArray:
    variance, variance_tracker = width(at) ** 2, width_tracker(at) ** 2
    result: FloatArray = energy + variance / (variance + variance_tracker) * (energy_tracker - energy)
    return result


def combine_with_tracker(
    prediction: Prediction, energy_tracker: FloatArray, tracker: TrackerConfig
) -> QuantilePrediction:
    """Calorimeter's distribution times tracker's likelihood: p(E) ~ p_calo(E) N(E_trk; E, sigma_trk(E)).

    A prediction that was learnt from events is a posterior: it holds the energy spectrum of the training, which is then
    the prior of the product too, flat for a flat one. The tracker enters as a likelihood of E, its width at each E, so
    that no width has to be chosen. Only energies above 0 are possible.

    Each event has its own grid, refined until the product lies within it, and Simpson's rule; the result is known by 97
    quantiles from -5 to 5 normal pulls, and its width to 1e-3.

    Args:
        prediction: Of B events, with a width, after all corrections.
        energy_tracker: Measured by the tracker, shape (B,), [GeV].
        tracker: Its resolution.

    Raises:
        NoWidthError: If the prediction is a point estimate; `weighted_mean` takes those.
        DataError: If shapes differ, or an energy is not finite.

    Example:
        >>> from showercal.calibration import TableTracker
        >>> from showercal.prediction import NormalPrediction
        >>> calorimeter = NormalPrediction(np.array([1000.0]), np.array([200.0]))
        >>> as_good = TableTracker(energy=(1, 1000), resolution_at=(200, 0.2))  # 200 GeV at all energies
        >>> combine_with_tracker(calorimeter, np.array([1000.0]), as_good).sigma68.round(-1)
        array([140.])
    """
    _check_same_events(prediction.quantile(0.5), energy_tracker)

    def density(energy: FloatArray) -> FloatArray:
        """At energies of shape (G, B), in units of the largest of each event."""
        rows = np.array([prediction.log_prob(e) + tracker.log_likelihood(energy_tracker, e) for e in energy])
        relative = np.exp(np.maximum(rows - rows.max(axis=0), _LOWEST_LOG))
        return np.where(np.isneginf(rows), 0.0, relative)

    energy = _first_grid(prediction, energy_tracker, tracker)
    for levels in (*[_COARSE] * _PASSES, _FINE):
        left, right = (at_nodes := density(energy))[:-1], at_nodes[1:]
        # a cell that reaches beyond the support would draw the next grid out of it
        trapezia = np.where((left > 0) & (right > 0), left + right, 0.0)
        energy = _at_levels(energy, _cumulative((energy[1:] - energy[:-1]) * trapezia), levels)
    with_middles = np.empty((2 * len(energy) - 1, energy.shape[1]))
    with_middles[::2], with_middles[1::2] = energy, (energy[1:] + energy[:-1]) / 2
    at_nodes = density(with_middles)
    simpson = at_nodes[:-2:2] + 4 * at_nodes[1::2] + at_nodes[2::2]
    level = _FINE[0] + (_FINE[-1] - _FINE[0]) * _cumulative((energy[1:] - energy[:-1]) * simpson)
    return QuantilePrediction(np.ascontiguousarray(level.T), np.ascontiguousarray(energy.T))


def _first_grid(prediction: Prediction, energy_tracker: FloatArray, tracker: TrackerConfig) -> FloatArray:
    """Energies around both measurements and, for those that exclude each other, everywhere, rising, (G, B), [GeV]."""
    ours = np.stack([prediction.quantile(q) for q in special.ndtr(_WIDE)])
    theirs = energy_tracker + np.multiply.outer(_WIDE, tracker.width(energy_tracker))
    top = 2 * np.maximum(np.abs(ours).max(axis=0), np.abs(energy_tracker))
    everywhere = LOWEST * (np.maximum(top, 2 * LOWEST) / LOWEST) ** np.linspace(0, 1, len(_WIDE))[:, None]
    return _rising(np.sort(np.maximum(np.concatenate([ours, theirs, everywhere]), LOWEST), axis=0))


def _rising(energy: FloatArray) -> FloatArray:
    """Equal neighbours set apart by the last digits, shape (G, B)."""
    steps = 2 * np.arange(len(energy))[:, None]
    result: FloatArray = energy * (1 + steps * np.finfo(np.float64).eps)
    return result


def _cumulative(cells: FloatArray) -> FloatArray:
    """Probability below each node, rising from 0 to 1, from that of the cells between them, (G - 1, B) -> (G, B)."""
    below = np.zeros((len(cells) + 1, cells.shape[1]))
    np.cumsum(np.maximum(cells / cells.sum(axis=0), _LEAST), axis=0, out=below[1:])
    result: FloatArray = below / below[-1]
    return result


def _at_levels(energy: FloatArray, cumulative: FloatArray, levels: FloatArray) -> FloatArray:
    """Energies where the cumulative distribution reaches levels, straight within cells, shape (levels, B)."""
    event = np.arange(energy.shape[1])
    found = np.empty((len(levels), energy.shape[1]))
    for row, level in enumerate(levels):
        cell = (cumulative[1:-1] <= level).sum(axis=0)
        low, high = cumulative[cell, event], cumulative[cell + 1, event]
        start, end = energy[cell, event], energy[cell + 1, event]
        found[row] = start + (end - start) * (level - low) / (high - low)
    return _rising(found)


def _check_same_events(energy: FloatArray, energy_tracker: FloatArray) -> None:
    if np.shape(energy) != np.shape(energy_tracker) or np.ndim(energy_tracker) != 1:
        raise DataError(
            "calorimeter and tracker must have one energy for each of the same events, shape (B,); got "
            f"{np.shape(energy)} and {np.shape(energy_tracker)}"
        )
    for name, values in (("calorimeter", energy), ("tracker", energy_tracker)):
        wrong = ~np.isfinite(values)
        if np.any(wrong):
            at = int(np.argmax(wrong))
            raise DataError(
                f"energies of the {name} must be finite; got {values[at]} at event {at} ({int(wrong.sum())} of "
                f"{len(values)}); drop such events"
            )
