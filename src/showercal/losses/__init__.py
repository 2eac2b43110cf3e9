"""Losses: functions of a predicted distribution and the true energy, one value per event; and weights of events."""

from showercal.losses._build import build_loss
from showercal.losses._config import (
    BoundaryConfig,
    FittedWidth,
    LossConfig,
    MseConfig,
    NllConfig,
    PredictedWidth,
    WeightingConfig,
)
from showercal.losses._dependence import distance_correlation
from showercal.losses._fractional import FractionalHuber, fractional_mse
from showercal.losses._losses import (
    Loss,
    Width,
    boundary_likelihood,
    fit_width,
    huber,
    log_cosh,
    mae,
    mse,
    mutual_information,
    negative_log_likelihood,
    polynomial_width,
    predicted_width,
    quantile,
    root_energy_width,
)
from showercal.losses._weighting import Weighting, build_weighting, sigmoid_weighting

__all__ = [
    "BoundaryConfig",
    "FittedWidth",
    "FractionalHuber",
    "Loss",
    "LossConfig",
    "MseConfig",
    "NllConfig",
    "PredictedWidth",
    "Weighting",
    "WeightingConfig",
    "Width",
    "boundary_likelihood",
    "build_loss",
    "build_weighting",
    "distance_correlation",
    "fit_width",
    "fractional_mse",
    "huber",
    "log_cosh",
    "mae",
    "mse",
    "mutual_information",
    "negative_log_likelihood",
    "polynomial_width",
    "predicted_width",
    "quantile",
    "root_energy_width",
    "sigmoid_weighting",
]
