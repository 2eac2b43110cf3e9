"""Models: lines, trees and networks. A network's forward takes features and returns a distribution over energy."""

from showercal.models._ansatz import GaussianAnsatzEnergy
from showercal.models._build import NetworkConfig, build_network
from showercal.models._dense import dense_layers
from showercal.models._depth_net import DepthNetConfig
from showercal.models._distribution import EnergyDistribution, PointEnergy
from showercal.models._ensemble_graph import EnsembleGraph
from showercal.models._graph import EnergyGraph, NetworkGraph
from showercal.models._heads import (
    Head,
    HeadConfig,
    TruncatedLogNormalHeadConfig,
    TruncatedNormalHeadConfig,
    build_head,
)
from showercal.models._linear import LayerLine, LayerLineConfig, StraightLine, StraightLineConfig
from showercal.models._mixture import NormalMixtureEnergy
from showercal.models._muon_cnn import MuonCnn, MuonCnnConfig
from showercal.models._networks import ConvNet, DeepSetsConfig, DenseNet
from showercal.models._normal import LogNormalEnergy, NormalEnergy, TruncatedNormalEnergy, log_normal_mass
from showercal.models._quantiles import QuantileEnergy
from showercal.models._running_norm import RunningNorm
from showercal.models._tree_ensemble import TREE_ENSEMBLE
from showercal.models._trees import Trees, TreesConfig, load_lightgbm
from showercal.models._truncated_log_normal import TruncatedLogNormalEnergy

__all__ = [
    "TREE_ENSEMBLE",
    "ConvNet",
    "DeepSetsConfig",
    "DenseNet",
    "DepthNetConfig",
    "EnergyDistribution",
    "EnergyGraph",
    "EnsembleGraph",
    "GaussianAnsatzEnergy",
    "Head",
    "HeadConfig",
    "LayerLine",
    "LayerLineConfig",
    "LogNormalEnergy",
    "MuonCnn",
    "MuonCnnConfig",
    "NetworkConfig",
    "NetworkGraph",
    "NormalEnergy",
    "NormalMixtureEnergy",
    "PointEnergy",
    "QuantileEnergy",
    "RunningNorm",
    "StraightLine",
    "StraightLineConfig",
    "Trees",
    "TreesConfig",
    "TruncatedLogNormalEnergy",
    "TruncatedLogNormalHeadConfig",
    "TruncatedNormalEnergy",
    "TruncatedNormalHeadConfig",
    "build_head",
    "build_network",
    "dense_layers",
    "load_lightgbm",
    "log_normal_mass",
]
