"""Whether an exported model gives the numbers that Python gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from showercal.errors import ExportError

#: The largest relative difference that an exported file may have.
TOLERANCE: Final = 1e-5
#: Values below this part of the highest training energy count as if they were as large.
SMALL: Final = 0.05

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Parity:
    """How far an exported file is from Python, by output, on the events on which both were compared.

    A difference is relative to the value or, where that is larger, to ``small``, 5 % of the highest training energy. A
    network adds float32 numbers of the size of that energy, so that in another order of the sums, or in another batch,
    it also differs from itself by some units in their last place, 1.2e-7 of them, however small the result is: below
    ``small`` the tolerance of 1e-5 stands for 5e-7 of the highest energy, four such units.

    Args:
        n_events: Number of events.
        small: Values below it count as this large, [GeV].
        relative: Largest difference, relative as above.
        absolute: Largest difference, [GeV].
    """

    n_events: int
    small: float
    relative: Mapping[str, float]
    absolute: Mapping[str, float]

    @property
    def worst(self) -> float:
        """Largest relative difference of all outputs."""
        return max(self.relative.values())


def check_parity(expected: Mapping[str, FloatArray], got: Mapping[str, FloatArray], highest: float) -> Parity:
    """Hold a model's outputs against Python's.

    Args:
        expected: Outputs of Python by name, shape (B,), [GeV].
        got: Those of the model.
        highest: Highest training energy, [GeV].

    Raises:
        ExportError: If a relative difference exceeds 1e-5, or a value is finite in one of the two only.

    Example:
        >>> python, model = np.array([0.01, 8.0]), np.array([0.010001, 8.00001])
        >>> parity = check_parity({"energy": python}, {"energy": model}, highest=10.0)
        >>> f"{parity.relative['energy']:.1e}"  # of 0.5 GeV
        '2.0e-06'
    """
    small = SMALL * highest
    relative: dict[str, float] = {}
    absolute: dict[str, float] = {}
    for name, python in expected.items():
        finite = np.isfinite(python)
        if not np.array_equal(finite, np.isfinite(got[name])):
            at = int(np.argmax(finite != np.isfinite(got[name])))
            raise ExportError(
                f"the exported {name} must be finite where Python's is; at event {at} it is {got[name][at]:.7g} "
                f"instead of {python[at]:.7g} GeV: the file was not written; report it with this message"
            )
        distance = np.abs(np.where(finite, got[name], 0) - np.where(finite, python, 0))
        share = distance / np.maximum(np.where(finite, np.abs(python), 0), small)
        relative[name], absolute[name] = (float(d.max(initial=0)) for d in (share, distance))
        if not relative[name] <= TOLERANCE:
            at = int(np.argmax(share))
            raise ExportError(
                f"the exported {name} must agree with Python's to {TOLERANCE:g} of its value, or of {small:.4g} GeV "
                f"where that is more ({SMALL:.0%} of the highest training energy); at event {at} it is "
                f"{got[name][at]:.7g} instead of {python[at]:.7g} GeV: the file was not written; report it with this "
                "message"
            )
    return Parity(max(map(len, expected.values())), small, relative, absolute)
