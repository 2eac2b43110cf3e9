"""After the model: correct the bias, then the width, on events neither trained on nor evaluated on; add a tracker."""

from showercal.calibration._bias import BiasCorrection
from showercal.calibration._binned import BinnedPrediction, binned_prediction
from showercal.calibration._combination import combine_with_tracker, weighted_mean
from showercal.calibration._maps import EnergyMap, LineMap, PowerMap, SplineMap, map_from_dict
from showercal.calibration._recalibration import WidthRecalibration
from showercal.calibration._smoothing import smooth_by_cp
from showercal.calibration._spread import EnergySpread
from showercal.calibration._tracker import LinearTracker, TableTracker, TrackerConfig

__all__ = [
    "BiasCorrection",
    "BinnedPrediction",
    "EnergyMap",
    "EnergySpread",
    "LineMap",
    "LinearTracker",
    "PowerMap",
    "SplineMap",
    "TableTracker",
    "TrackerConfig",
    "WidthRecalibration",
    "binned_prediction",
    "combine_with_tracker",
    "map_from_dict",
    "smooth_by_cp",
    "weighted_mean",
]
