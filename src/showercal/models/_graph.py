"""A fitted method as one module, from the fields of events to a distribution over energy: what is exported."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from showercal.detectors import BoxCalorimeter
from showercal.features import FeatureGraph, Fields
from showercal.models._distribution import EnergyDistribution


class EnergyGraph(nn.Module, ABC):
    """Flat fields of events (see `FeatureGraph`) to one distribution per event.

    Attributes:
        fields: Names of the fields it takes.
        calorimeter: Where the cells are; None where only numbers of whole events are used.
    """

    fields: tuple[str, ...]
    calorimeter: BoxCalorimeter | None

    @abstractmethod
    def forward(self, fields: Fields) -> EnergyDistribution:
        """Fields of B events -> their distributions."""


class NetworkGraph(EnergyGraph):
    """Features, then a network.

    Args:
        features: Makes its inputs.
        network: Its forward takes them and returns a distribution.
    """

    def __init__(self, features: FeatureGraph, network: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.network = network
        self.fields = features.fields
        self.calorimeter = features.calorimeter

    def forward(self, fields: Fields) -> EnergyDistribution:
        distribution: EnergyDistribution = self.network(self.features(fields))
        return distribution
