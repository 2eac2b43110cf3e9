"""Losses: pure functions of a predicted distribution and the true energy."""

from showercal.losses._build import build_loss
from showercal.losses._config import BoundaryConfig, FittedWidth, LossConfig, MseConfig, NllConfig, PredictedWidth
from showercal.losses._dependence import distance_correlation
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

__all__ = [
    "BoundaryConfig",
    "FittedWidth",
    "Loss",
    "LossConfig",
    "MseConfig",
    "NllConfig",
    "PredictedWidth",
    "Width",
    "boundary_likelihood",
    "build_loss",
    "distance_correlation",
    "fit_width",
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
]
