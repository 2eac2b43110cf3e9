"""From options to networks."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import nn

from showercal.models._dense import Shapes
from showercal.models._depth_net import DepthNet, DepthNetConfig
from showercal.models._heads import build_head
from showercal.models._muon_cnn import MuonCnn, MuonCnnConfig
from showercal.models._networks import ConvNet, ConvNetConfig, DeepSets, DeepSetsConfig, DenseNet, DenseNetConfig

NetworkConfig = Annotated[
    DenseNetConfig | ConvNetConfig | DeepSetsConfig | DepthNetConfig | MuonCnnConfig, Field(discriminator="name")
]


def build_network(
    config: DenseNetConfig | ConvNetConfig | DeepSetsConfig | DepthNetConfig | MuonCnnConfig,
    shapes: Shapes,
    energy_mean: float,
    energy_std: float,
) -> nn.Module:
    """The network of a configuration, for inputs of the given shapes and a target of the given scale."""
    head = build_head(config.head, energy_mean, energy_std)
    if isinstance(config, DenseNetConfig):
        return DenseNet(shapes, config.widths, head)
    if isinstance(config, DeepSetsConfig):
        return DeepSets(shapes, config.hits, config.start, config.hit_widths, config.widths, head)
    if isinstance(config, DepthNetConfig):
        return DepthNet(config, shapes, head)
    if isinstance(config, MuonCnnConfig):
        return MuonCnn(config, shapes, head)
    return ConvNet(shapes, config.channels, config.widths, head)
