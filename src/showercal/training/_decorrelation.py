"""Making the error independent of the true energy: penalties on (E_pred - E_true) / sqrt(E_true) beside the loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from showercal.losses import distance_correlation
from showercal.models import dense_layers


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AdversaryConfig(_Options):
    """A second network guesses the bin of E_true from the error; the first is rewarded when it fails. As published.

    Both take turns at every batch: L_f - strength * L_r for the first, L_r (cross entropy) for the second.

    Args:
        strength: lambda.
        n_bins: Equally filled bins of E_true.
        widths: Hidden layers of the adversary.
        learning_rate: Of the adversary.
        n_steps: Of the adversary per step of the network.

    References:
        G. Louppe, M. Kagan, K. Cranmer, arXiv:1611.01046; S. Schnake, Universitaet Hamburg 2019 (50-50-50-50-128-20).
    """

    kind: Literal["adversary"] = "adversary"
    strength: float = Field(default=2.5, ge=0)
    n_bins: int = Field(default=20, ge=2)
    widths: tuple[int, ...] = (50, 50, 50, 50, 128)
    learning_rate: float = Field(default=1e-3, gt=0)
    n_steps: int = Field(default=1, ge=1)


class GradientReversalConfig(_Options):
    """The same adversary, trained in the same step: its gradient reaches the network with the opposite sign.

    Args:
        strength: Factor of the reversed gradient.
        n_bins, widths: As in `AdversaryConfig`.

    References:
        Y. Ganin et al., J. Mach. Learn. Res. 17 (2016) 59.
    """

    kind: Literal["gradient_reversal"] = "gradient_reversal"
    strength: float = Field(default=2.5, ge=0)
    n_bins: int = Field(default=20, ge=2)
    widths: tuple[int, ...] = (50, 50, 50, 50, 128)


class DistanceCorrelationConfig(_Options):
    """The distance correlation of error and E_true within the batch: no second network, nothing that could swing.

    Args:
        strength: Factor of the squared distance correlation.

    References:
        G. Kasieczka and D. Shih, Phys. Rev. Lett. 125 (2020) 122001, arXiv:2001.05310.
    """

    kind: Literal["distance_correlation"] = "distance_correlation"
    strength: float = Field(default=20.0, ge=0)


DecorrelationConfig = Annotated[
    AdversaryConfig | GradientReversalConfig | DistanceCorrelationConfig, Field(discriminator="kind")
]


def relative_error(energy_pred: Tensor, energy_true: Tensor) -> Tensor:
    """(E_pred - E_true) / sqrt(E_true), shape (B,), [sqrt(GeV)]; energies below 1 MeV count as 1 MeV below the root."""
    return (energy_pred - energy_true) / energy_true.clamp(min=1e-3).sqrt()


class Decorrelation(nn.Module, ABC):
    """A penalty that is added to the loss of a batch."""

    @abstractmethod
    def forward(self, error: Tensor, energy_true: Tensor) -> Tensor:
        """Penalty of errors and true energies, each (B,)."""

    def trained_with_network(self) -> list[nn.Parameter]:
        """Parameters that the network's optimiser trains, too."""
        return []

    def state_of_training(self) -> dict[str, Any]:
        """What a checkpoint needs beside the weights."""
        return {}

    def load_state_of_training(self, state: dict[str, Any]) -> None:
        """Take `state_of_training` back."""


class DistanceCorrelation(Decorrelation):
    """See `DistanceCorrelationConfig`."""

    def __init__(self, config: DistanceCorrelationConfig) -> None:
        super().__init__()
        self.strength = config.strength

    def forward(self, error: Tensor, energy_true: Tensor) -> Tensor:
        return self.strength * distance_correlation(error, energy_true)


class Adversary(nn.Module):
    """Guesses the bin of the true energy from the error.

    Args:
        widths: Hidden layers.
        energy_true: Training energies, whose quantiles are the edges of the bins, [GeV].
        n_bins: Number of bins.
    """

    edges: Tensor

    def __init__(self, widths: tuple[int, ...], energy_true: Tensor, n_bins: int) -> None:
        super().__init__()
        inner = torch.linspace(0, 1, n_bins + 1, dtype=torch.float64)[1:-1]
        self.register_buffer("edges", torch.quantile(energy_true.double().cpu(), inner).float())
        self.layers = dense_layers(1, widths, n_bins)

    def forward(self, error: Tensor, energy_true: Tensor) -> Tensor:
        """Cross entropy of its guesses, in nats; log(n_bins) when the error tells nothing."""
        guess = self.layers(error[:, None]).to(error.dtype)
        return functional.cross_entropy(guess, torch.bucketize(energy_true, self.edges))


class AlternatingAdversary(Decorrelation):
    """See `AdversaryConfig`."""

    def __init__(self, config: AdversaryConfig, energy_true: Tensor) -> None:
        super().__init__()
        self.strength, self.n_steps = config.strength, config.n_steps
        self.adversary = Adversary(config.widths, energy_true, config.n_bins)
        self.optimizer = torch.optim.Adam(self.adversary.parameters(), config.learning_rate)

    def forward(self, error: Tensor, energy_true: Tensor) -> Tensor:
        if self.training:
            self.adversary.requires_grad_(True)
            for _ in range(self.n_steps):
                self.optimizer.zero_grad()
                self.adversary(error.detach(), energy_true).backward()
                self.optimizer.step()
        self.adversary.requires_grad_(False)
        penalty: Tensor = -self.strength * self.adversary(error, energy_true)
        return penalty

    def state_of_training(self) -> dict[str, Any]:
        return self.optimizer.state_dict()

    def load_state_of_training(self, state: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state)


class GradientReversal(Decorrelation):
    """See `GradientReversalConfig`."""

    def __init__(self, config: GradientReversalConfig, energy_true: Tensor) -> None:
        super().__init__()
        self.strength = config.strength
        self.adversary = Adversary(config.widths, energy_true, config.n_bins)

    def forward(self, error: Tensor, energy_true: Tensor) -> Tensor:
        # equal to the error in value; its gradient is that of -strength times the error
        reversed_error = error.detach() * (1 + self.strength) - self.strength * error
        penalty: Tensor = self.adversary(reversed_error, energy_true)
        return penalty

    def trained_with_network(self) -> list[nn.Parameter]:
        return list(self.adversary.parameters())


def build_decorrelation(config: DecorrelationConfig, energy_true: Tensor) -> Decorrelation:
    """The penalty of a configuration.

    Args:
        config: Options.
        energy_true: Training energies, shape (N,), [GeV].
    """
    if isinstance(config, AdversaryConfig):
        return AlternatingAdversary(config, energy_true)
    if isinstance(config, GradientReversalConfig):
        return GradientReversal(config, energy_true)
    return DistanceCorrelation(config)
