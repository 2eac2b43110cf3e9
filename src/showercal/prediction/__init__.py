"""Prediction: a distribution over energy for every event. What evaluation, calibration and export speak.

A point estimator gives a `PointPrediction`: it has a value and says that it has no width.
"""

from showercal.prediction._base import ONE_SIGMA, FloatArray, MonotoneMap, Prediction
from showercal.prediction._ensemble import EnsemblePrediction, ensemble_of
from showercal.prediction._families import from_arrays
from showercal.prediction._log_normal import LogNormalPrediction
from showercal.prediction._mapped import MappedPrediction
from showercal.prediction._mixture import NormalMixturePrediction
from showercal.prediction._normal import NormalPrediction
from showercal.prediction._point import PointPrediction
from showercal.prediction._quantiles import QuantilePrediction
from showercal.prediction._relevelled import LevelMap, RelevelledPrediction
from showercal.prediction._scaled import ScaledPrediction
from showercal.prediction._truncated_log_normal import TruncatedLogNormalPrediction
from showercal.prediction._truncated_normal import TruncatedNormalPrediction

__all__ = [
    "ONE_SIGMA",
    "EnsemblePrediction",
    "FloatArray",
    "LevelMap",
    "LogNormalPrediction",
    "MappedPrediction",
    "MonotoneMap",
    "NormalMixturePrediction",
    "NormalPrediction",
    "PointPrediction",
    "Prediction",
    "QuantilePrediction",
    "RelevelledPrediction",
    "ScaledPrediction",
    "TruncatedLogNormalPrediction",
    "TruncatedNormalPrediction",
    "ensemble_of",
    "from_arrays",
]
