"""Where the mean longitudinal profile has its maximum."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from showercal.evaluation._estimates import Estimate

FloatArray = NDArray[np.float64]

_REPLICAS: Final = 100
_BLOCK: Final = 10_000  # events whose weights are drawn at once


def shower_maximum(layers: FloatArray, depth: FloatArray, seed: int = 1) -> Estimate:
    """Depth of the maximum of the mean profile, in the unit of ``depth``; its error by the bootstrap.

    A parabola through the logarithms of the highest layer and its neighbours: exact for a Gaussian peak, and the same
    rule for both samples where it is not.

    Args:
        layers: Energy per event and layer, shape (B, L), L >= 3, over the thickness where layers differ.
        depth: Of the middle of each layer, shape (L,), rising.
        seed: Of the bootstrap.

    Returns:
        NaN where no layer is lit.
    """
    rng = np.random.default_rng(seed)
    replicas = np.zeros((_REPLICAS, layers.shape[1]))
    for first in range(0, len(layers), _BLOCK):
        block = layers[first : first + _BLOCK]
        replicas += rng.poisson(1.0, (_REPLICAS, len(block))) @ block
    found = _peaks(np.vstack([layers.sum(axis=0), replicas]), depth)
    return Estimate(float(found[0]), float(np.std(found[1:], ddof=1)))


def _peaks(profiles: FloatArray, depth: FloatArray) -> FloatArray:
    """Peak of each profile, shape (R,)."""
    top = np.clip(profiles.argmax(axis=1), 1, profiles.shape[1] - 2)
    at = top[:, None] + np.arange(-1, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.log(np.take_along_axis(profiles, at, axis=1))
        x = depth[at]
        left, right = (y[:, 1] - y[:, 0]) / (x[:, 1] - x[:, 0]), (y[:, 2] - y[:, 1]) / (x[:, 2] - x[:, 1])
        curvature = (right - left) / (x[:, 2] - x[:, 0])
        peak: FloatArray = (x[:, 0] + x[:, 1]) / 2 - left / (2 * curvature)
    return np.where(curvature < 0, peak, np.nan)
