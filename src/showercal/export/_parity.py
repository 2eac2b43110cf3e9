"""Whether an exported model gives the numbers that Python gives."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from showercal.errors import ExportError

TOLERANCE: Final = 1e-5

FloatArray = NDArray[np.float64]


def check_parity(name: str, expected: FloatArray, got: FloatArray, floor: float) -> float:
    """Largest difference relative to the expected values.

    Args:
        name: Of the output, for the message.
        expected: Of Python, shape (B,), [GeV].
        got: Of the model, shape (B,), [GeV].
        floor: Values below it count as this large, [GeV].

    Raises:
        ExportError: If it exceeds 1e-5, or a value is not finite in one of the two only.
    """
    if not np.array_equal(np.isfinite(expected), np.isfinite(got)):
        raise ExportError(f"the exported {name} is not finite where Python's is, or the other way round; report it")
    difference = np.abs(got - expected) / np.maximum(np.abs(expected), floor)
    worst = float(difference.max(initial=0.0))
    if worst > TOLERANCE:
        at = int(np.argmax(difference))
        raise ExportError(
            f"the exported {name} must agree with Python's to {TOLERANCE:g}; at event {at} it is {got[at]:.7g} GeV "
            f"instead of {expected[at]:.7g} GeV: the file was not written; report it with this message"
        )
    return worst
