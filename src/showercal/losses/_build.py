"""From options to losses."""

from __future__ import annotations

from showercal.losses._config import (
    BoundaryConfig,
    FittedWidth,
    HuberConfig,
    LogCoshConfig,
    LossConfig,
    MaeConfig,
    MseConfig,
    MutualInformationConfig,
    PredictedWidth,
    QuantileConfig,
)
from showercal.losses._losses import (
    Loss,
    Width,
    boundary_likelihood,
    huber,
    log_cosh,
    mae,
    mse,
    mutual_information,
    negative_log_likelihood,
    predicted_width,
    quantile,
    root_energy_width,
)


def build_loss(config: LossConfig, fitted_width: Width | None = None) -> Loss:
    """The loss of a configuration.

    Args:
        config: Options.
        fitted_width: For the boundary likelihood with a fitted sigma.
    """
    match config:
        case MseConfig():
            return mse
        case MaeConfig():
            return mae
        case HuberConfig():
            return huber(config.delta)
        case LogCoshConfig():
            return log_cosh(config.scale)
        case QuantileConfig():
            return quantile
        case BoundaryConfig():
            return boundary_likelihood(config.low, config.high, _width(config, fitted_width))
        case MutualInformationConfig():
            return mutual_information(config.n_shifts)
        case _:
            return negative_log_likelihood


def _width(config: BoundaryConfig, fitted_width: Width | None) -> Width:
    if isinstance(config.sigma, PredictedWidth):
        return predicted_width
    if isinstance(config.sigma, FittedWidth):
        assert fitted_width is not None
        return fitted_width
    return root_energy_width(config.sigma.stochastic_term)
