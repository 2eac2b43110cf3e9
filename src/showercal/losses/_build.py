"""From options to losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from showercal.losses._config import (
    BoundaryConfig,
    FittedWidth,
    FractionalHuberConfig,
    HuberConfig,
    LogCoshConfig,
    LossConfig,
    MutualInformationConfig,
    PredictedWidth,
)
from showercal.losses._fractional import FractionalHuber, fractional_mse
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

_WITHOUT_OPTIONS: Final[Mapping[str, Loss]] = {
    "mse": mse,
    "mae": mae,
    "fractional_mse": fractional_mse,
    "quantile": quantile,
    "nll": negative_log_likelihood,
}


def build_loss(config: LossConfig, fitted_width: Width | None = None) -> Loss:
    """The loss of a configuration; one that learns from the batches is a module with a state of its own.

    Args:
        config: Options.
        fitted_width: For the boundary likelihood with a fitted sigma.
    """
    if isinstance(config, BoundaryConfig):
        return boundary_likelihood(config.low, config.high, _width(config, fitted_width), config.train_width)
    if isinstance(config, HuberConfig):
        return huber(config.delta)
    if isinstance(config, LogCoshConfig):
        return log_cosh(config.scale)
    if isinstance(config, FractionalHuberConfig):
        return FractionalHuber(config.low, config.high, config.n_bins, config.quantile, config.momentum)
    if isinstance(config, MutualInformationConfig):
        return mutual_information(config.n_energies)
    return _WITHOUT_OPTIONS[config.kind]


def _width(config: BoundaryConfig, fitted_width: Width | None) -> Width:
    if isinstance(config.sigma, PredictedWidth):
        return predicted_width
    if isinstance(config.sigma, FittedWidth):
        assert fitted_width is not None
        return fitted_width
    return root_energy_width(config.sigma.stochastic_term, config.sigma.noise_term)
