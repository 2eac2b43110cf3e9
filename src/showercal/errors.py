"""The faults showercal reports. Every message says what was expected, what came, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ShowercalError(Exception):
    """Base of all faults that a user can mend; the command line prints its text as one paragraph."""


class DataError(ShowercalError, ValueError):
    """Events, or a file of events, do not hold what they must."""


class GeometryError(ShowercalError, ValueError):
    """A calorimeter description is inconsistent, or a cell lies outside it."""


class RecipeError(ShowercalError, ValueError):
    """A study, a mapping or an option is not valid."""


class SimulationError(ShowercalError, RuntimeError):
    """A simulation backend is missing, misconfigured or failed."""


class TrainingError(ShowercalError, RuntimeError):
    """A training went wrong."""


class ModelFileError(ShowercalError, ValueError):
    """A saved model is missing, damaged or of another kind."""


class ExportError(ShowercalError, RuntimeError):
    """A method cannot be written as a file that gives the same numbers."""


class NotFittedError(ShowercalError, ValueError):
    """A method was asked to predict, or to save, before it was fitted."""


class NoWidthError(ShowercalError, TypeError):
    """A point estimator was asked for the width of its answer."""


class SimulationWarning(UserWarning):
    """Simulated showers may be less right than usual."""


def check_fitted(learner: object, attribute: str) -> None:
    """Refuse to go on before ``fit``.

    Raises:
        NotFittedError: If the learnt attribute is missing.
    """
    if not hasattr(learner, attribute):
        raise NotFittedError(
            f"this {type(learner).__name__} is not fitted yet; call fit(train, validation) first, or load one"
        )


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name: the nearest known one, or a list of the known names when none is near.

    Example:
        >>> nearest("enrgy", ["energy", "cell"])
        "nearest known: 'energy'"
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"nearest known: {close[0]!r}"
    shown = ", ".join(repr(n) for n in names[:12]) + (", ..." if len(names) > 12 else "")
    return f"known: {shown or 'none'}"
