"""Losses of a batch; every one takes (distribution, energy_true) and returns a scalar to be made small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from torch import Tensor

if TYPE_CHECKING:
    from showercal.models import EnergyDistribution

Loss = Callable[["EnergyDistribution", Tensor], Tensor]


def mse(distribution: EnergyDistribution, energy_true: Tensor) -> Tensor:
    """Mean squared error of the mean, [GeV^2].

    Args:
        distribution: Of B events.
        energy_true: Shape (B,), [GeV].
    """
    return (distribution.mean - energy_true).square().mean()


def negative_log_likelihood(distribution: EnergyDistribution, energy_true: Tensor) -> Tensor:
    """Mean of -log p(energy_true), energies in GeV.

    Args:
        distribution: Of B events, with a width.
        energy_true: Shape (B,), [GeV].

    Raises:
        NoWidthError: For a point estimator.
    """
    return -distribution.log_prob(energy_true).mean()


LOSSES: Final[Mapping[str, Loss]] = {"mse": mse, "nll": negative_log_likelihood}
