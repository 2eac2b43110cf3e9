"""Models: lines, trees and networks. A network's forward takes features and returns a distribution over energy."""

from showercal.models._distribution import EnergyDistribution, NormalEnergy, PointEnergy
from showercal.models._heads import HEADS, Head, NormalHead, PointHead
from showercal.models._linear import LayerLine, LayerLineConfig, StraightLine, StraightLineConfig
from showercal.models._networks import ConvNet, DenseNet, NetworkConfig, build_network
from showercal.models._trees import Trees, TreesConfig

__all__ = [
    "HEADS",
    "ConvNet",
    "DenseNet",
    "EnergyDistribution",
    "Head",
    "LayerLine",
    "LayerLineConfig",
    "NetworkConfig",
    "NormalEnergy",
    "NormalHead",
    "PointEnergy",
    "PointHead",
    "StraightLine",
    "StraightLineConfig",
    "Trees",
    "TreesConfig",
    "build_network",
]
