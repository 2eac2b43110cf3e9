"""After the model: correct the bias, then the width, on events neither trained on nor evaluated on."""

from showercal.calibration._bias import BiasCorrection
from showercal.calibration._binned import BinnedPrediction, binned_prediction
from showercal.calibration._maps import EnergyMap, LineMap, PowerMap, SplineMap, map_from_dict
from showercal.calibration._recalibration import WidthRecalibration
from showercal.calibration._smoothing import smooth_by_cp

__all__ = [
    "BiasCorrection",
    "BinnedPrediction",
    "EnergyMap",
    "LineMap",
    "PowerMap",
    "SplineMap",
    "WidthRecalibration",
    "binned_prediction",
    "map_from_dict",
    "smooth_by_cp",
]
