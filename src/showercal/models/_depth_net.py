"""A network along the depth of a shower: a residual convolution over the layers of the calorimeter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn
from torch.nn import functional

from showercal.models._dense import Shapes, dense_layers, initialise
from showercal.models._distribution import EnergyDistribution
from showercal.models._heads import Head, HeadConfig, PointHeadConfig


class DepthNetConfig(BaseModel):
    """Convolutions over the layers of a profile, their mean and maximum over the depth, then dense layers.

    Args:
        profile: The input that is a profile: ``track_profiles``.
        channels: Of the convolutions.
        n_blocks: Of two convolutions each, with a way past them.
        kernel: Layers that a convolution sees, odd.
        widths: Units of the dense layers, to which all other inputs come, too.
        head: From the outputs to a distribution.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Literal["depth_net"] = "depth_net"
    profile: str
    channels: int = Field(default=32, ge=1)
    n_blocks: int = Field(default=4, ge=0)
    kernel: int = Field(default=3, ge=1)
    widths: tuple[int, ...] = (64, 64)
    head: HeadConfig = PointHeadConfig()

    @field_validator("kernel")
    @classmethod
    def _is_odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"must be odd, so that it has a middle; got {value}")
        return value


class DepthNet(nn.Module):
    """See `DepthNetConfig`; SiLU between the layers.

    A muon loses energy in single collisions all along its path: each lights a few neighbouring layers, which the
    convolutions see at once, and the mean over the depth adds up what the collisions say, whose likelihoods multiply.

    Args:
        config: Options.
        shapes: Shape of each input for one event, that of the profile (L, F).
        head: From the outputs to a distribution.

    References:
        K. He et al., arXiv:1603.05027 (residual blocks with the activation first).
    """

    def __init__(self, config: DepthNetConfig, shapes: Shapes, head: Head) -> None:
        super().__init__()
        self.profile = config.profile
        self.others = sorted(set(shapes) - {config.profile})
        n_layers, n_values = shapes[config.profile]
        self.first = nn.Conv1d(n_values, config.channels, config.kernel, padding=config.kernel // 2)
        self.depth = nn.Parameter(torch.zeros(config.channels, n_layers))
        self.blocks = nn.Sequential(*(_Block(config.channels, config.kernel) for _ in range(config.n_blocks)))
        n_others = sum(int(torch.Size(shapes[name]).numel()) for name in self.others)
        self.layers = dense_layers(2 * config.channels + n_others, config.widths, head.n_outputs, nn.SiLU)
        self.head = head
        initialise(self)
        # the training begins at the mean of the spectrum
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]

    def forward(self, features: Mapping[str, Tensor]) -> EnergyDistribution:
        """Features, the profile (B, L, F) among them, -> distribution of B events."""
        hidden = self.blocks(self.first(features[self.profile].transpose(1, 2)) + self.depth)
        pooled = [hidden.mean(2), hidden.amax(2)]
        raw = self.layers(torch.cat([*pooled, *(features[name].flatten(1) for name in self.others)], 1))
        distribution: EnergyDistribution = self.head(raw)
        return distribution


class _Block(nn.Module):
    """Two convolutions that change what they are given by a difference."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) for _ in range(2))
        self.convolutions = nn.ModuleList(nn.Conv1d(channels, channels, kernel, padding=kernel // 2) for _ in range(2))

    def forward(self, values: Tensor) -> Tensor:
        """Values (B, C, L) -> (B, C, L)."""
        change = values
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            change = convolution(functional.silu(norm(change)))
        return values + change
