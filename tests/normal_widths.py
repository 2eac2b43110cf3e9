"""Normal predictions as the arrays that the evaluation judges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from showercal.evaluation import WidthArrays

FloatArray = NDArray[np.float64]
LEVELS = special.ndtr(np.linspace(-4, 4, 65))


def normal_widths(truth: FloatArray, location: FloatArray, scale: FloatArray) -> WidthArrays:
    """All that is predicted by a normal distribution per event, in closed form."""
    z = (truth - location) / scale
    return WidthArrays(
        pit=special.ndtr(z),
        log_density=-0.5 * z**2 - np.log(scale * np.sqrt(2 * np.pi)),
        levels=LEVELS,
        quantiles=location[:, None] + scale[:, None] * special.ndtri(LEVELS),
        median=location,
        std=scale,
        sigma68=scale,
    )
