"""Predictions of all methods on the same events, corrected and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from showercal.calibration import BiasCorrection
from showercal.evaluation import Binning, MethodArrays, Row, evaluate
from showercal.events import Events
from showercal.prediction import Prediction
from showercal.studies._recipe import EvaluationConfig, Recipe

# Metrics that are also given after a correction that follows the mean prediction bin by bin (see `judge`).
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
    through the mean prediction in bins, which divides by the local slope.

    Args:
        recipe: Reference, bins, bootstrap.
        events: With truth.
        raw: Predictions by method.
        corrections: By method, of the recipe.
        closures: By method, splines.
    """
    truth = events.energy_true
    options = recipe.evaluation
    corrected = {name: corrections[name].apply(prediction) for name, prediction in raw.items()}
    arrays = {name: MethodArrays(raw[name].median, corrected[name].median) for name in raw}
    local = {name: MethodArrays(raw[name].median, closures[name].apply(raw[name]).median) for name in raw}
    bins = _binning(options)
    rows = []
    for given in (arrays, local):
        found = evaluate(truth, given, recipe.reference, bins, n_bootstrap=options.n_bootstrap, seed=options.seed)
        if given is local:
            found = [replace(row, metric=_LOCAL[row.metric]) for row in found if row.metric in _LOCAL]
        rows += found
    return Judged(events, raw, corrected, rows)


def _binning(options: EvaluationConfig) -> Binning:
    make = Binning.uniform if options.spacing == "uniform" else Binning.logarithmic
    return make(options.low, options.high, options.n_bins)
