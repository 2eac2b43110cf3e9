"""Squared errors divided by the true energy, for resolutions that grow with it; plain, or with their tails tamed."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from showercal.losses._losses import mse
from showercal.models import EnergyDistribution


def fractional_mse(distribution: EnergyDistribution, energy_true: Tensor) -> Tensor:
    """Squared error of the mean over the true energy, shape (B,), [GeV]; energies above 0.

    References:
        J. Kieseler, G. Strong, F. Chiandotto, T. Dorigo, L. Layer, Eur. Phys. J. C 82 (2022) 79.
    """
    return mse(distribution, energy_true) / energy_true


class FractionalHuber(nn.Module):
    """`fractional_mse` of most events; beyond a threshold that follows the errors, a straight line instead of a square.

    With the error e = E_pred - E_true and the threshold t of the event's bin of true energy, an event adds

        e^2 / E_true                                   for e^2 <= t,
        (t + 2 sqrt(t) (|e| - sqrt(t))) / E_true       beyond,

    which has no step and no kink. In training every batch moves the thresholds of its bins by ``momentum`` towards a
    quantile of its e^2: of n events in a bin that is the k-th smallest, k = 1 + round(quantile (n - 1)). The first
    batch with events in a bin sets its threshold. Events outside all bins keep the square. Validation leaves the
    thresholds alone (the published code moved them there, too), and a checkpoint of the training holds them.

    Args:
        low, high: Ends of the bins of true energy; ``high`` itself is outside, [GeV].
        n_bins: Of equal width.
        quantile: Share of the events of a bin that keep the square.
        momentum: Share of a batch in its thresholds; 0 keeps the first ones.

    Attributes:
        threshold: t of each bin, infinite until the bin has been seen, shape (n_bins,), [GeV^2].

    References:
        J. Kieseler, G. Strong, F. Chiandotto, T. Dorigo, L. Layer, Eur. Phys. J. C 82 (2022) 79 (Huberised mean
        fractional squared error); P. J. Huber, Ann. Math. Statist. 35 (1964) 73.
    """

    threshold: Tensor
    edges: Tensor

    def __init__(self, low: float, high: float, n_bins: int, quantile: float, momentum: float) -> None:
        super().__init__()
        self.quantile, self.momentum = quantile, momentum
        self.register_buffer("threshold", torch.full((n_bins,), math.inf))
        self.register_buffer("edges", torch.linspace(low, high, n_bins + 1, dtype=torch.float64), persistent=False)

    def forward(self, distribution: EnergyDistribution, energy_true: Tensor) -> Tensor:
        """Distribution of B events and their true energy (B,), above 0, [GeV] -> loss of each, shape (B,), [GeV]."""
        error = (distribution.mean - energy_true).abs()
        # (B, n_bins): no event outside all of them is in one
        is_in = torch.bucketize(energy_true.double(), self.edges, right=True)[:, None] == self._numbers
        if self.training:
            self._follow(error.detach() ** 2, is_in)
        # sqrt(t) of each event; e^2 and the straight line are one expression in the smaller of |e| and sqrt(t)
        root = torch.where(is_in, self.threshold.sqrt().to(error.dtype), math.inf).amin(1)
        least = torch.minimum(error, root)
        return least * (2 * error - least) / energy_true

    @property
    def _numbers(self) -> Tensor:
        """Of the bins, as `torch.bucketize` counts them: what is below all bins has number 0."""
        return torch.arange(1, len(self.edges), device=self.edges.device)

    @torch.no_grad()
    def _follow(self, squared: Tensor, is_in: Tensor) -> None:
        """Move the thresholds of the bins that a batch has events in; no event leaves the device."""
        count = is_in.sum(0)
        k = (self.quantile * (count - 1).clamp(min=0)).round().long()
        ordered = torch.where(is_in, squared[:, None], math.inf).sort(0).values
        found = ordered.gather(0, k[None])[0].to(self.threshold.dtype)
        moved = torch.where(self.threshold.isinf(), found, self.threshold.lerp(found, self.momentum))
        self.threshold.copy_(torch.where(count > 0, moved, self.threshold))
