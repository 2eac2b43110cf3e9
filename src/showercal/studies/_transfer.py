"""What the pretraining of a study was worth."""

from __future__ import annotations

from pathlib import Path

from showercal.errors import DataError
from showercal.evaluation import TransferPoint, TransferRow, transfer_rows
from showercal.studies._calibrations import calibrate, closure_of, correction_of, recalibration_of
from showercal.studies._data import Parts
from showercal.studies._fits import Fit, Say, fits_of, kept_prediction, notes_of, pretrained_methods
from showercal.studies._judge import Calibration, binning_of
from showercal.studies._recipe import Recipe


def judge_transfer(folder: Path, recipe: Recipe, parts: Parts, say: Say) -> list[TransferRow]:
    """Judge all fits of the methods that take part in the pretraining on the test events of the study.

    All are corrected on the same validation events of the study, as the methods that the study compares: what differs
    is what they learned from.

    Args:
        folder: Of the run, whose fits are done and whose methods are calibrated.
        recipe: The study.
        parts: Its events.
        say: Told of fits that cannot be corrected, and are left out, or not strictly.

    Returns:
        The rows; none without a pretraining.
    """
    points = []
    for fit in _reported(recipe):
        if fit.name in recipe.methods:
            calibration = Calibration(correction_of(folder, fit.name), recalibration_of(folder, fit.name))
        else:
            try:
                calibration = calibrate(folder, recipe, fit, parts.validation.energy_true, say)
            except DataError as fault:  # too few events to learn anything from: the others are worth reporting
                say(f"left out of the transfer: {fault}")
                continue
        raw, closure = kept_prediction(folder, fit.name, "test"), closure_of(folder, fit.name)
        n_train = 0 if fit.is_pretraining else int(notes_of(folder, fit.name)["n_train"])
        strict = None if closure is None else closure.apply(raw).median
        points.append(
            TransferPoint(fit.method, n_train, fit.pretrained, raw.median, calibration.apply(raw).median, strict)
        )
    if not points:
        return []
    options = recipe.evaluation
    return transfer_rows(
        parts.test.energy_true,
        points,
        recipe.reference,
        binning_of(options),
        n_bootstrap=options.n_bootstrap,
        seed=options.seed,
    )


def _reported(recipe: Recipe) -> list[Fit]:
    """The fits that are reported: those of the numbers of events asked for, and each method on all events alone."""
    if recipe.pretrain is None:
        return []
    methods, with_none = pretrained_methods(recipe), 0 in recipe.pretrain.n_train
    fits = [fit for fit in fits_of(recipe).values() if fit.method in methods]
    return [fit for fit in fits if with_none or not fit.is_pretraining]
