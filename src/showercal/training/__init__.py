"""Training: one loop for all networks, on Lightning, and ensembles; resumes after a kill to the same result."""

from showercal.training._config import AugmentationConfig, CosineSchedule, ScheduleConfig, TrainingConfig
from showercal.training._ensemble import Ensemble, EnsembleConfig, EnsembleOptions
from showercal.training._methods import METHODS, MethodConfig, build_method, load_method
from showercal.training._regressor import NetworkMethodConfig, NetworkRegressor

__all__ = [
    "METHODS",
    "AugmentationConfig",
    "CosineSchedule",
    "Ensemble",
    "EnsembleConfig",
    "EnsembleOptions",
    "MethodConfig",
    "NetworkMethodConfig",
    "NetworkRegressor",
    "ScheduleConfig",
    "TrainingConfig",
    "build_method",
    "load_method",
]
