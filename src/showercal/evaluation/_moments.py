"""Mean and standard deviation of resampled values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class Moments:
    """Mean and standard deviation of resampled values from how often each was drawn: a matrix product."""

    def __init__(self, values: FloatArray) -> None:
        self._centre = values.mean()
        offset = values - self._centre  # small numbers: the difference of squares below keeps its digits
        self._powers = np.column_stack([offset, offset**2])

    def mean_and_std(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Both of shape (R,).

        Args:
            weights: How often each value was drawn, shape (R, B).
        """
        first, second = (weights @ self._powers / weights.shape[1]).T
        return self._centre + first, np.sqrt(np.maximum(second - first**2, 0))
