"""Predictions of all methods on the same events, corrected and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from showercal.calibration import BiasCorrection
from showercal.errors import DataError
from showercal.evaluation import Binning, MethodArrays, Row, evaluate
from showercal.events import Events
from showercal.prediction import Prediction
from showercal.studies._recipe import EvaluationConfig, Recipe

# Metrics that are also given after a correction that follows the prediction bin by bin (see `judge`).
_LOCAL = {
    "sigma_over_sqrt_e": "sigma_over_sqrt_e_local",
    "sigma_ratio": "sigma_ratio_local",
    "bias": "bias_local",
}


@dataclass(frozen=True, eq=False)
class Judged:
    """Events with what all methods predict for them.

    Attributes:
        events: With truth.
        raw, corrected: By method, before and after the bias correction of the recipe.
        rows: Results.
    """

    events: Events
    raw: Mapping[str, Prediction]
    corrected: Mapping[str, Prediction]
    rows: list[Row]


def judge(
    recipe: Recipe,
    events: Events,
    raw: Mapping[str, Prediction],
    corrections: Mapping[str, BiasCorrection],
    closures: Mapping[str, BiasCorrection],
) -> Judged:
    """Correct the predictions and measure them.

    The main numbers use the bias correction of the recipe. A straight line leaves the shrinkage at the ends of the
    spectrum, where a regressor looks narrower than it is; the metrics named ``..._local`` therefore use a spline
    through the median prediction in bins, which divides by the local slope.

    Args:
        recipe: Reference, bins, bootstrap.
        events: With truth.
        raw: Predictions by method.
        corrections: By method, of the recipe.
        closures: By method, splines; methods without one have no strict numbers.
    """
    corrected = {name: corrections[name].apply(prediction) for name, prediction in raw.items()}
    strict = {name: closure.apply(raw[name]) for name, closure in closures.items()}
    rows = _rows(recipe, events, raw, corrected)
    if recipe.reference in strict:
        found = _rows(recipe, events, {name: raw[name] for name in strict}, strict)
        rows += [replace(row, metric=_LOCAL[row.metric]) for row in found if row.metric in _LOCAL]
    return Judged(events, raw, corrected, rows)


def _rows(
    recipe: Recipe, events: Events, raw: Mapping[str, Prediction], corrected: Mapping[str, Prediction]
) -> list[Row]:
    options = recipe.evaluation
    arrays = {name: MethodArrays(raw[name].median, corrected[name].median) for name in raw}
    return evaluate(
        events.energy_true,
        arrays,
        recipe.reference,
        _binning(options),
        n_bootstrap=options.n_bootstrap,
        seed=options.seed,
    )


def check_evaluation(recipe: Recipe, test: Events) -> None:
    """Find out before the training whether the test events can be judged in the bins of the recipe.

    Raises:
        RecipeError: If the bins are not valid.
        DataError: If no test event lies in them, or one has energy 0, for which the response is undefined.
    """
    options, truth = recipe.evaluation, test.energy_true
    bins = _binning(options)
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


def _binning(options: EvaluationConfig) -> Binning:
    make = Binning.uniform if options.spacing == "uniform" else Binning.logarithmic
    return make(options.low, options.high, options.n_bins)
