"""What is fitted on validation events after a fit and kept beside it: bias correction, width, strict correction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from showercal.calibration import BiasCorrection, EnergySpread, WidthRecalibration
from showercal.errors import DataError
from showercal.events import Events
from showercal.prediction import Prediction
from showercal.studies._cache import write_json
from showercal.studies._calibration_options import CalibrationConfig
from showercal.studies._fits import Fit, Say, fit_folder, kept_prediction
from showercal.studies._judge import Calibration
from showercal.studies._recipe import Recipe

_CORRECTION_FILE: Final = "correction.json"
_WIDTH_FILE: Final = "width.json"
_SPREAD_FILE: Final = "spread.json"
_CLOSURE_FILE: Final = "closure.json"
FloatArray = NDArray[np.float64]


def calibrate(folder: Path, recipe: Recipe, fit: Fit, energy_true: FloatArray, say: Say) -> Calibration:
    """Fit and keep the calibration of a fit, and its strict correction where there is one.

    Args:
        folder: Of the run.
        recipe: The study.
        fit: Whose predictions of the validation events are calibrated.
        energy_true: Of the validation events, [GeV].
        say: Told of a strict correction that cannot be had.

    Raises:
        DataError: If it cannot be corrected or recalibrated as the recipe wants.
    """
    validation, own = kept_prediction(folder, fit.name, "validation"), fit_folder(folder, fit.name)
    options = recipe.calibration_of(fit.method)
    try:
        correction = _bias_correction(options).fit(energy_true, validation)
    except DataError as fault:
        raise DataError(f"{fit.label} cannot be corrected (calibration.form): {fault}") from fault
    write_json(own / _CORRECTION_FILE, correction.to_dict())
    corrected = correction.apply(validation)
    try:
        recalibration = _recalibration(options, energy_true, corrected)
    except DataError as fault:
        raise DataError(f"the width of {fit.label} cannot be recalibrated (calibration.width): {fault}") from fault
    spread = None
    if recipe.evaluation.tracker is not None and not corrected.has_width:
        spread = EnergySpread().fit(energy_true, corrected.median)
    for file in (_WIDTH_FILE, _SPREAD_FILE, _CLOSURE_FILE):
        (own / file).unlink(missing_ok=True)
    if recalibration is not None:
        write_json(own / _WIDTH_FILE, recalibration.to_dict())
    if spread is not None:
        write_json(own / _SPREAD_FILE, spread.to_dict())
    try:
        # not with the bins of the recipe: strict means the same in all studies
        closure = BiasCorrection("spline").fit(energy_true, validation)
    except DataError as fault:
        say(f"{fit.label}: no strict correction, so it is left out of the columns named strict: {fault}")
    else:
        write_json(own / _CLOSURE_FILE, closure.to_dict())
    return Calibration(correction, recalibration, spread)


def check_calibration(recipe: Recipe, validation: Events) -> None:
    """Find out before the training whether the validation events can carry the bias correction.

    Raises:
        DataError: If not even exact predictions can be corrected.
    """
    truth = validation.energy_true
    for name in recipe.methods:
        options = recipe.calibration_of(name)
        try:
            _bias_correction(options).fit(truth, truth)
        except DataError as fault:
            n_bins, part = options.n_bins, recipe.data.split.validation_source
            raise DataError(f"{fault} (calibration.n_bins is {n_bins}; {part} gives {len(truth)} events)") from fault


def correction_of(folder: Path, name: str) -> BiasCorrection:
    """The bias correction of a fit."""
    return BiasCorrection.from_dict(json.loads((fit_folder(folder, name) / _CORRECTION_FILE).read_text()))


def recalibration_of(folder: Path, name: str) -> WidthRecalibration | None:
    """The recalibration of the width of a fit; None where there is none."""
    path = fit_folder(folder, name) / _WIDTH_FILE
    return WidthRecalibration.from_dict(json.loads(path.read_text())) if path.is_file() else None


def spread_of(folder: Path, name: str) -> EnergySpread | None:
    """How much a point estimator scatters, for its combination with a tracker; None where there is none."""
    path = fit_folder(folder, name) / _SPREAD_FILE
    return EnergySpread.from_dict(json.loads(path.read_text())) if path.is_file() else None


def closure_of(folder: Path, name: str) -> BiasCorrection | None:
    """The strict correction of a fit; None where there is none."""
    path = fit_folder(folder, name) / _CLOSURE_FILE
    return BiasCorrection.from_dict(json.loads(path.read_text())) if path.is_file() else None


def _bias_correction(options: CalibrationConfig) -> BiasCorrection:
    return BiasCorrection(
        options.form, statistic=options.statistic, n_bins=options.n_bins, energy_range=options.energy_range
    )


def _recalibration(
    options: CalibrationConfig, energy_true: FloatArray, corrected: Prediction
) -> WidthRecalibration | None:
    """The fitted recalibration of the width, where it is wanted and there is a width."""
    form = options.width
    return None if form == "none" or not corrected.has_width else WidthRecalibration(form).fit(energy_true, corrected)
