"""Refusals that the families share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showercal.errors import DataError, NoWidthError
from showercal.prediction._base import FloatArray


def check_columns(**columns: FloatArray) -> None:
    """Refuse parameters that are not one number per event."""
    shapes = {name: np.shape(values) for name, values in columns.items()}
    if any(len(shape) != 1 for shape in shapes.values()) or len(set(shapes.values())) > 1:
        raise DataError(f"a prediction needs one number per event, all of one shape (B,); got shapes {shapes}")


def check_tables(**tables: FloatArray) -> None:
    """Refuse parameters that are not one row per event."""
    shapes = {name: np.shape(values) for name, values in tables.items()}
    if any(len(shape) != 2 or shape[1] == 0 for shape in shapes.values()) or len(set(shapes.values())) > 1:
        raise DataError(f"a prediction needs one row per event, all of one shape (B, K), K > 0; got shapes {shapes}")


def check_events(wrong: NDArray[np.bool_] | np.bool_, values: FloatArray, expected: str, advice: str) -> None:
    """Refuse events that are wrong, naming the first; arrays of shape (B,) or (B, K)."""
    bad: NDArray[np.bool_] = np.asarray(wrong)
    if bad.ndim > 1:
        bad = np.asarray(bad.any(axis=1))
    if np.any(bad):
        at = int(np.argmax(bad))
        raise DataError(f"{expected}; got {values[at]} at event {at} ({int(bad.sum())} of {len(bad)}); {advice}")


def check_finite(**columns: FloatArray) -> None:
    """Refuse NaN and infinity."""
    for name, values in columns.items():
        check_events(~np.isfinite(values), values, f"{name} must be finite", "look for NaN in the inputs")


def check_scale(scale: FloatArray, unit: str = " GeV") -> None:
    """Refuse widths that are not above 0."""
    advice = "end the network in softplus or exp, and look for NaN in its inputs"
    check_events(~(scale > 0), scale, f"scale must be > 0{unit}", advice)


def check_fraction(q: ArrayLike, n_events: int) -> FloatArray:
    """The fraction(s) of a quantile as float64."""
    fraction = np.asarray(q, dtype=np.float64)
    if not np.all((fraction >= 0) & (fraction <= 1)):
        raise ValueError(f"a quantile needs a fraction 0 <= q <= 1; got {fraction}")
    if fraction.shape not in {(), (n_events,)}:
        raise ValueError(
            f"a quantile needs one fraction, or one per event, shape ({n_events},); got shape {fraction.shape}"
        )
    return fraction


def no_width(what: str) -> NoWidthError:
    """The error of a point estimate that is asked for a width."""
    return NoWidthError(
        f"a point estimator has no {what}: it predicts one energy per event; use a method with a distribution "
        "(e.g. one with head: normal), or ask has_width first"
    )


def contiguous(**arrays: NDArray[Any]) -> dict[str, FloatArray]:
    """Arrays as files of tensors want them."""
    return {name: np.ascontiguousarray(values, dtype=np.float64) for name, values in arrays.items()}
