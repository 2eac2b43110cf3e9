"""Predictions of all methods on the same events, calibrated and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from showercal.calibration import (
    BiasCorrection,
    EnergySpread,
    TrackerConfig,
    WidthRecalibration,
    combine_with_tracker,
    weighted_mean,
)
from showercal.errors import DataError
from showercal.evaluation import Binning, MethodArrays, Row, WidthArrays, evaluate
from showercal.events import Events
from showercal.prediction import Prediction
from showercal.studies._recipe import EvaluationConfig, Recipe

FloatArray = NDArray[np.float64]

# Levels of the quantiles that are judged, even in normal scores: fine enough for a CRPS good to 0.1 %.
_LEVELS: Final = special.ndtr(np.linspace(-4, 4, 65))
# Events combined with the tracker at once: a grid of energies for each is in memory.
_BLOCK: Final = 10_000
# Metrics that are also given after a correction that follows the prediction bin by bin (see `judge`).
_LOCAL = {
    "sigma_over_sqrt_e": "sigma_over_sqrt_e_local",
    "sigma_ratio": "sigma_ratio_local",
    "bias": "bias_local",
    "rmse_over_e": "rmse_over_e_local",
    "mean_improvement": "mean_improvement_local",
    "mean_improvement_ratio": "mean_improvement_local_ratio",
}


@dataclass(frozen=True, eq=False)
class Judged:
    """Events with what all methods predict for them.

    Attributes:
        events: With truth.
        raw, corrected: By method, before and after the calibration: bias correction and recalibration of the width.
        widths: By method that has a width, what was judged of it.
        rows: Results.
    """

    events: Events
    raw: Mapping[str, Prediction]
    corrected: Mapping[str, Prediction]
    widths: Mapping[str, WidthArrays]
    rows: list[Row]


@dataclass(frozen=True, eq=False)
class Calibration:
    """What turns the answer of a method into the final one.

    Args:
        bias: The bias correction.
        width: The recalibration of the width; None for point estimators and where the recipe has none.
        spread: How much a point estimator scatters; None for others, and without a tracker.
    """

    bias: BiasCorrection
    width: WidthRecalibration | None = None
    spread: EnergySpread | None = None

    def apply(self, prediction: Prediction) -> Prediction:
        """The calibrated prediction."""
        corrected = self.bias.apply(prediction)
        return corrected if self.width is None else self.width.apply(corrected)


def judge(
    recipe: Recipe,
    events: Events,
    raw: Mapping[str, Prediction],
    calibrations: Mapping[str, Calibration],
    closures: Mapping[str, BiasCorrection],
) -> Judged:
    """Calibrate the predictions and measure them; the energy that is judged is the median.

    The main numbers use the bias correction of the recipe. A straight line leaves the shrinkage at the ends of the
    spectrum, where a regressor looks narrower than it is; the metrics named ``..._local`` therefore use a spline
    through the median prediction in bins, which divides by the local slope.

    Args:
        recipe: Reference, bins, bootstrap, tracker.
        events: With truth.
        raw: Predictions by method.
        calibrations: By method, of the recipe.
        closures: By method, splines; methods without one have no strict numbers.
    """
    corrected = {name: calibrations[name].apply(prediction) for name, prediction in raw.items()}
    strict = {name: closure.apply(raw[name]) for name, closure in closures.items()}
    truth = events.energy_true
    widths = {name: width_arrays(truth, prediction) for name, prediction in corrected.items() if prediction.has_width}
    before = {
        name: width_arrays(truth, calibrations[name].bias.apply(raw[name]))
        for name in widths
        if calibrations[name].width is not None
    }
    combined = _combined(recipe, events, corrected, calibrations)
    spreads = {name: p.std_model for name, p in corrected.items() if np.any(raw[name].std_model > 0)}
    arrays = {
        name: MethodArrays(
            raw[name].median,
            p.median,
            widths.get(name),
            before.get(name),
            combined=combined.get(name),
            spread=spreads.get(name),
        )
        for name, p in corrected.items()
    }
    tracker = recipe.evaluation.tracker
    beside = None if tracker is None else tracker.resolution(truth)
    rows = _rows(recipe, truth, arrays, beside)
    if recipe.reference in strict:
        again = {name: MethodArrays(raw[name].median, p.median) for name, p in strict.items()}
        found = _rows(recipe, truth, again, beside)
        rows += [replace(row, metric=_LOCAL[row.metric]) for row in found if row.metric in _LOCAL]
    return Judged(events, raw, corrected, widths, rows)


def width_arrays(energy_true: FloatArray, prediction: Prediction) -> WidthArrays:
    """What a prediction with a width says about events with truth."""
    return WidthArrays(
        pit=prediction.cdf(energy_true),
        log_density=prediction.log_prob(energy_true),
        levels=_LEVELS,
        quantiles=np.column_stack([prediction.quantile(level) for level in _LEVELS]),
        median=prediction.median,
        std=prediction.std,
        sigma68=prediction.sigma68,
    )


def _combined(
    recipe: Recipe, events: Events, corrected: Mapping[str, Prediction], calibrations: Mapping[str, Calibration]
) -> dict[str, FloatArray]:
    """By method, energies combined with those of the tracker, shape (B,), [GeV]; none without a tracker."""
    tracker = recipe.evaluation.tracker
    if tracker is None:
        return {}
    measured = tracker_energy(tracker, events)
    found = {}
    for name, prediction in corrected.items():
        spread = calibrations[name].spread
        if prediction.has_width:
            blocks = (slice(start, start + _BLOCK) for start in range(0, len(events), _BLOCK))
            parts = [combine_with_tracker(prediction[some], measured[some], tracker).median for some in blocks]
            found[name] = np.concatenate(parts)
        elif spread is not None:
            found[name] = weighted_mean(prediction.median, measured, spread.width, tracker.width)[0]
    return found


def tracker_energy(tracker: TrackerConfig, events: Events) -> FloatArray:
    """What the tracker measured of events with truth, shape (B,), [GeV].

    Raises:
        DataError: If the field that holds it is missing, or is no energy.
    """
    if tracker.field is None:
        return tracker.smeared(events.energy_true)
    measured = events.scalar(tracker.field)
    unit = events.units[tracker.field]
    if unit != "GeV" or not np.all(np.isfinite(measured)):
        raise DataError(
            f"evaluation.tracker.field: {tracker.field!r} must hold finite energies in GeV; got the unit {unit!r} and "
            f"{int(np.sum(~np.isfinite(measured)))} of {len(measured)} values that are not finite"
        )
    return measured


def _rows(
    recipe: Recipe,
    energy_true: FloatArray,
    arrays: Mapping[str, MethodArrays],
    tracker: FloatArray | None = None,
) -> list[Row]:
    options = recipe.evaluation
    return evaluate(
        energy_true,
        arrays,
        recipe.reference,
        binning_of(options),
        tracker=tracker,
        n_bootstrap=options.n_bootstrap,
        seed=options.seed,
    )


def check_evaluation(recipe: Recipe, test: Events) -> None:
    """Find out before the training whether the test events can be judged in the bins of the recipe.

    Raises:
        RecipeError: If the bins are not valid.
        DataError: If no test event lies in them, one has energy 0, for which the response is undefined, or they lack
            the energy that the tracker measured.
    """
    options, truth = recipe.evaluation, test.energy_true
    bins = binning_of(options)
    if not any(len(group) for group in bins.groups(truth)):
        raise DataError(
            f"no test event lies in the bins, {options.low:g} to {options.high:g} GeV; the truth runs from "
            f"{truth.min():g} to {truth.max():g} GeV: set evaluation.low and evaluation.high"
        )
    if np.any(truth == 0):
        raise DataError(
            f"{int(np.sum(truth == 0))} of {len(truth)} test events have energy_true = 0 GeV, where the response is "
            "undefined; drop them in the mapping (select: energy_true > 0)"
        )
    if options.tracker is not None:
        tracker_energy(options.tracker, test)


def binning_of(options: EvaluationConfig) -> Binning:
    """The bins of a study."""
    make = Binning.uniform if options.spacing == "uniform" else Binning.logarithmic
    return make(options.low, options.high, options.n_bins)
