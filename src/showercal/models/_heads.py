"""Heads: from the last numbers of a network to a distribution over energy, in GeV.

The scale of the target (mean and standard deviation of the training energies) sits here as buffers, so that a network
works on numbers of order 1 and the saved file is complete.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from showercal.models._ansatz import GaussianAnsatzEnergy
from showercal.models._distribution import EnergyDistribution, PointEnergy
from showercal.models._mixture import NormalMixtureEnergy
from showercal.models._normal import LogNormalEnergy, NormalEnergy, TruncatedNormalEnergy
from showercal.models._quantiles import QuantileEnergy
from showercal.models._truncated_log_normal import TruncatedLogNormalEnergy

# Smallest width, in units of the spread of the training energies: far below any detector's resolution.
_FLOOR = 1e-6


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PointHeadConfig(_Options):
    """An energy without a width."""

    kind: Literal["point"] = "point"


class NormalHeadConfig(_Options):
    """Location and width of a normal distribution."""

    kind: Literal["normal"] = "normal"


class _IntervalOptions(_Options):
    low: float
    high: float

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"a truncated distribution needs low < high; got {self.low:g} and {self.high:g} GeV")
        return self


class TruncatedNormalHeadConfig(_IntervalOptions):
    """A normal distribution truncated to [low, high], [GeV]: nothing else is possible."""

    kind: Literal["truncated_normal"] = "truncated_normal"


class LogNormalHeadConfig(_Options):
    """The logarithm of the energy is normal."""

    kind: Literal["log_normal"] = "log_normal"


class TruncatedLogNormalHeadConfig(_IntervalOptions):
    """A mixture of log-normal distributions, each truncated to [low, high], [GeV]; with one component just that."""

    kind: Literal["truncated_log_normal"] = "truncated_log_normal"
    low: float = Field(gt=0)
    n_components: int = Field(default=1, ge=1)


class NormalMixtureHeadConfig(_Options):
    """A mixture of normal distributions."""

    kind: Literal["normal_mixture"] = "normal_mixture"
    n_components: int = Field(default=3, ge=1)


class QuantilesHeadConfig(_Options):
    """Energies at fixed levels, which cannot cross."""

    kind: Literal["quantiles"] = "quantiles"
    levels: tuple[float, ...] = (
        0.005,
        0.025,
        0.05,
        0.1,
        0.16,
        0.25,
        0.375,
        0.5,
        0.625,
        0.75,
        0.84,
        0.9,
        0.95,
        0.975,
        0.995,
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        inside = all(0 < level < 1 for level in self.levels)
        if (
            len(self.levels) < 3
            or not inside
            or any(b <= a for a, b in zip(self.levels, self.levels[1:], strict=False))
        ):
            raise ValueError(f"quantiles need three or more rising levels between 0 and 1; got {self.levels}")
        return self


class GaussianAnsatzHeadConfig(_Options):
    """A likelihood (see `GaussianAnsatzEnergy`), for loss ``mutual_information``.

    Args:
        n_context: Numbers that the network hands to the width of the likelihood.
        width: Units of the hidden layer that makes this width of them and an energy.
    """

    kind: Literal["gaussian_ansatz"] = "gaussian_ansatz"
    n_context: int = Field(default=8, ge=1)
    width: int = Field(default=16, ge=1)


HeadConfig = Annotated[
    PointHeadConfig
    | NormalHeadConfig
    | TruncatedNormalHeadConfig
    | LogNormalHeadConfig
    | TruncatedLogNormalHeadConfig
    | NormalMixtureHeadConfig
    | QuantilesHeadConfig
    | GaussianAnsatzHeadConfig,
    Field(discriminator="kind"),
]


@dataclass(frozen=True)
class Frame:
    """What raw numbers are measured from and in.

    Args:
        centre, unit: Shape (1, 1), or (B, 1) with one for each event, [GeV]; of a logarithm, no unit.
    """

    centre: Tensor
    unit: Tensor

    def energy(self, raw: Tensor) -> Tensor:
        """Raw numbers (B, K) to energies, [GeV]; in full precision, also under autocast."""
        return self.centre + self.unit * raw.to(self.centre.dtype)

    def width(self, raw: Tensor) -> Tensor:
        """Raw numbers (B, K) to widths, [GeV]: softplus keeps them positive and their gradients finite."""
        return self.unit * positive(raw.to(self.unit.dtype))

    def of_logarithm(self) -> Frame:
        """The frame of log(energy/GeV): from the logarithm of the centre, in factors of e."""
        # a first guess below its error has no logarithm to speak of
        return Frame(torch.maximum(self.centre, self.unit).log(), torch.ones_like(self.unit))


class Head(nn.Module, ABC):
    """Turns raw outputs (B, n_outputs) into a distribution; the first output moves its centre.

    Args:
        n_outputs: Numbers it takes.
        energy_mean, energy_std: Of the training energies, [GeV].
    """

    energy_mean: Tensor
    energy_std: Tensor

    def __init__(self, n_outputs: int, energy_mean: float, energy_std: float) -> None:
        super().__init__()
        self.n_outputs = n_outputs
        self.register_buffer("energy_mean", torch.tensor(energy_mean))
        self.register_buffer("energy_std", torch.tensor(energy_std))

    def forward(self, raw: Tensor, frame: Frame | None = None) -> EnergyDistribution:
        """Raw outputs (B, n_outputs) -> distribution of B events.

        Args:
            raw: Outputs.
            frame: First guess of each event and its error; None for mean and spread of the training energies.
        """
        return self.distribution(raw, frame or Frame(self.energy_mean.view(1, 1), self.energy_std.view(1, 1)))

    @abstractmethod
    def distribution(self, raw: Tensor, frame: Frame) -> EnergyDistribution:
        """Raw outputs (B, n_outputs), measured in the frame, -> distribution of B events."""


def positive(raw: Tensor) -> Tensor:
    """Any number to one above 0."""
    return functional.softplus(raw) + _FLOOR


def _spread(n_components: int) -> Tensor:
    """Places from -1 to 1 where components start: equal ones would stay equal."""
    return torch.linspace(-1, 1, n_components) if n_components > 1 else torch.zeros(1)


class PointHead(Head):
    """One number: the energy."""

    def __init__(self, config: PointHeadConfig, energy_mean: float, energy_std: float) -> None:
        super().__init__(1, energy_mean, energy_std)

    def distribution(self, raw: Tensor, frame: Frame) -> PointEnergy:
        return PointEnergy(frame.energy(raw)[:, 0])


class NormalHead(Head):
    """Two numbers: location and width."""

    def __init__(self, config: NormalHeadConfig, energy_mean: float, energy_std: float) -> None:
        super().__init__(2, energy_mean, energy_std)

    def distribution(self, raw: Tensor, frame: Frame) -> NormalEnergy:
        return NormalEnergy(frame.energy(raw[:, :1])[:, 0], frame.width(raw[:, 1:])[:, 0])


class TruncatedNormalHead(Head):
    """Two numbers: location and width of the whole normal curve."""

    def __init__(self, config: TruncatedNormalHeadConfig, energy_mean: float, energy_std: float) -> None:
        super().__init__(2, energy_mean, energy_std)
        self.low, self.high = config.low, config.high

    def distribution(self, raw: Tensor, frame: Frame) -> TruncatedNormalEnergy:
        location = frame.energy(raw[:, :1])[:, 0]
        ends = (torch.full_like(location, end) for end in (self.low, self.high))
        return TruncatedNormalEnergy(location, frame.width(raw[:, 1:])[:, 0], *ends)


class LogNormalHead(Head):
    """Two numbers: mean and width of the logarithm."""

    def __init__(self, config: LogNormalHeadConfig, energy_mean: float, energy_std: float) -> None:
        super().__init__(2, energy_mean, energy_std)

    def distribution(self, raw: Tensor, frame: Frame) -> LogNormalEnergy:
        frame = frame.of_logarithm()
        return LogNormalEnergy(frame.energy(raw[:, :1])[:, 0], frame.width(raw[:, 1:])[:, 0])


class TruncatedLogNormalHead(Head):
    """Per component: location and width of the logarithm; per component but the first: how its weight exceeds that.

    At the start the locations are spread over half of the logarithm of the interval, around the first guess.
    """

    def __init__(self, config: TruncatedLogNormalHeadConfig, energy_mean: float, energy_std: float) -> None:
        super().__init__(3 * config.n_components - 1, energy_mean, energy_std)
        self.low, self.high, self.n_components = config.low, config.high, config.n_components
        self.register_buffer("start", math.log(config.high / config.low) / 4 * _spread(config.n_components))

    start: Tensor

    def distribution(self, raw: Tensor, frame: Frame) -> TruncatedLogNormalEnergy:
        n, frame = self.n_components, frame.of_logarithm()
        location, width, weight = raw.to(self.energy_mean.dtype).tensor_split((n, 2 * n), 1)
        log_weight = torch.cat([torch.zeros_like(location[:, :1]), weight], 1).log_softmax(1)
        ends = (torch.full_like(location[:, 0], end) for end in (self.low, self.high))
        return TruncatedLogNormalEnergy(log_weight, frame.energy(location + self.start), frame.width(width), *ends)


class NormalMixtureHead(Head):
    """Per component: location, width, weight. At the start the locations are spread over the training energies."""

    def __init__(self, config: NormalMixtureHeadConfig, energy_mean: float, energy_std: float) -> None:
        super().__init__(3 * config.n_components, energy_mean, energy_std)
        self.register_buffer("start", _spread(config.n_components))

    start: Tensor

    def distribution(self, raw: Tensor, frame: Frame) -> NormalMixtureEnergy:
        location, width, weight = raw.to(self.energy_mean.dtype).chunk(3, 1)
        return NormalMixtureEnergy(weight.log_softmax(1), frame.energy(location + self.start), frame.width(width))


class QuantilesHead(Head):
    """The central level, then the steps to the levels above and below it, which are above 0."""

    level: Tensor

    def __init__(self, config: QuantilesHeadConfig, energy_mean: float, energy_std: float) -> None:
        super().__init__(len(config.levels), energy_mean, energy_std)
        self.register_buffer("level", torch.tensor(config.levels))
        self.n_below = min(range(len(config.levels)), key=lambda k: abs(config.levels[k] - 0.5))

    def distribution(self, raw: Tensor, frame: Frame) -> QuantileEnergy:
        centre, step = frame.energy(raw[:, :1]), frame.width(raw[:, 1:])
        below, above = step[:, : self.n_below], step[:, self.n_below :]
        energy = torch.cat([centre - below.flip(1).cumsum(1).flip(1), centre, centre + above.cumsum(1)], 1)
        return QuantileEnergy(self.level.expand_as(energy), energy)


class GaussianAnsatzHead(Head):
    """Location, and what the width of the likelihood is to know of the signal."""

    def __init__(self, config: GaussianAnsatzHeadConfig, energy_mean: float, energy_std: float) -> None:
        super().__init__(1 + config.n_context, energy_mean, energy_std)
        # one hidden layer on signal and energy; kept apart, the part of the signal is computed once for all energies
        self.of_signal = nn.Linear(1 + config.n_context, config.width)
        self.of_energy = nn.Linear(1, config.width, bias=False)
        self.out = nn.Linear(config.width, 1)

    def distribution(self, raw: Tensor, frame: Frame) -> GaussianAnsatzEnergy:
        raw = raw.to(self.energy_mean.dtype)
        location, from_signal = frame.energy(raw[:, :1])[:, 0], self.of_signal(raw)

        def width(energy: Tensor) -> Tensor:
            scaled = (energy - frame.centre) / frame.unit
            hidden = functional.silu(from_signal[:, None] + self.of_energy(scaled[..., None]))
            return frame.width(self.out(hidden)[..., 0])

        return GaussianAnsatzEnergy(location, width(location[:, None])[:, 0], width)


def build_head(config: HeadConfig, energy_mean: float, energy_std: float) -> Head:
    """The head of a configuration, for a target of the given scale, [GeV]."""
    heads: dict[type[BaseModel], type[Head]] = {
        PointHeadConfig: PointHead,
        NormalHeadConfig: NormalHead,
        TruncatedNormalHeadConfig: TruncatedNormalHead,
        LogNormalHeadConfig: LogNormalHead,
        TruncatedLogNormalHeadConfig: TruncatedLogNormalHead,
        NormalMixtureHeadConfig: NormalMixtureHead,
        QuantilesHeadConfig: QuantilesHead,
        GaussianAnsatzHeadConfig: GaussianAnsatzHead,
    }
    return heads[type(config)](config, energy_mean, energy_std)  # type: ignore[arg-type]
