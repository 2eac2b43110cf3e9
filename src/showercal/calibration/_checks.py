"""Refusals that the calibrations share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from showercal.errors import DataError, RecipeError, nearest

FloatArray = NDArray[np.float64]


def check_events(energy_true: FloatArray, energy_pred: FloatArray) -> None:
    """Refuse events whose truth or prediction is no energy."""
    if energy_true.ndim != 1 or energy_true.shape != energy_pred.shape or not len(energy_true):
        raise DataError(
            "energy_true and the prediction must be of one shape (B,), B > 0; got "
            f"{energy_true.shape} and {energy_pred.shape}"
        )
    for name, wrong, values in (
        ("energy_true must be finite and >= 0", ~(np.isfinite(energy_true) & (energy_true >= 0)), energy_true),
        ("the prediction must be finite", ~np.isfinite(energy_pred), energy_pred),
    ):
        if np.any(wrong):
            at = int(np.argmax(wrong))
            raise DataError(
                f"{name}; got {values[at]} GeV at event {at} ({int(wrong.sum())} of {len(wrong)}); drop these "
                "events before the fit, and look for the cause: a diverged training, or events without truth"
            )


def check_word(owner: str, option: str, word: str, allowed: tuple[str, ...]) -> None:
    """Refuse an unknown choice, naming the nearest known one."""
    if word not in allowed:
        raise RecipeError(f"unknown {option} {word!r} of {owner}; {nearest(word, allowed)}")
