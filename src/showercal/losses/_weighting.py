"""Weights of events in a loss, which multiply what each event adds to it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from showercal.losses._config import WeightingConfig

Weighting = Callable[[Tensor], Tensor]


def sigmoid_weighting(centre: float, width: float, width_above: float | None = None) -> Weighting:
    """Energies to weights 1 - sigmoid((E_true - centre) / width): near 1 far below the centre, near 0 far above.

    A network whose spectrum ends with a cut learns answers that shrink towards its middle. When its last part weighs
    little, that happens there and not at the energies that matter.

    Args:
        centre: Energy of weight one half, [GeV].
        width: [GeV].
        width_above: Of energies above the centre, [GeV]; None for ``width``.

    Returns:
        True energies, shape (B,), [GeV] -> weights, shape (B,).

    References:
        J. Kieseler, G. Strong, F. Chiandotto, T. Dorigo, L. Layer, Eur. Phys. J. C 82 (2022) 79: centre 5000 GeV,
        widths 300 and 600 GeV for muons up to 8 TeV; 3000 and 150 GeV up to 4 TeV.

    Example:
        >>> weight = sigmoid_weighting(5000.0, 300.0, width_above=600.0)
        >>> weight(torch.tensor([0.0, 5000.0, 8000.0]))
        tensor([1.0000, 0.5000, 0.0067])
    """
    above = width if width_above is None else width_above

    def weights(energy_true: Tensor) -> Tensor:
        beyond = centre - energy_true
        return torch.sigmoid(torch.where(beyond < 0, beyond / above, beyond / width))

    return weights


def build_weighting(config: WeightingConfig) -> Weighting:
    """The weighting of a configuration."""
    return sigmoid_weighting(config.centre, config.width, config.width_above)
