"""Several fitted methods as one module, for export."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from showercal.errors import ExportError
from showercal.features import Fields
from showercal.models._ansatz import GaussianAnsatzEnergy
from showercal.models._distribution import EnergyDistribution, PointEnergy
from showercal.models._graph import EnergyGraph
from showercal.models._mixture import NormalMixtureEnergy
from showercal.models._normal import NormalEnergy


class EnsembleGraph(EnergyGraph):
    """Graphs of the same fields, put together: points to their mean, normals and mixtures of them to one mixture.

    Args:
        members: Graphs of fitted methods of one kind.
        weights: What each counts, above 0, with sum 1.
    """

    weight: Tensor

    def __init__(self, members: Sequence[EnergyGraph], weights: Sequence[float]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.fields, self.calorimeter = members[0].fields, members[0].calorimeter
        self.register_buffer("weight", torch.tensor(weights, dtype=torch.float64))

    def forward(self, fields: Fields) -> EnergyDistribution:
        """Fields of B events -> their distributions.

        Raises:
            ExportError: If the members predict anything else.
        """
        members: list[EnergyDistribution] = [member(fields) for member in self.members]
        if all(isinstance(member, PointEnergy) for member in members):
            energies = torch.stack([member.mean for member in members], 1)
            return PointEnergy((energies * self.weight.to(energies.dtype)).sum(1))
        shares, locations, scales = zip(*map(_components, members), strict=True)
        counted = [share + own.log().to(share.dtype) for share, own in zip(shares, self.weight, strict=True)]
        return NormalMixtureEnergy(torch.cat(counted, 1), torch.cat(locations, 1), torch.cat(scales, 1))


def _components(member: EnergyDistribution) -> tuple[Tensor, Tensor, Tensor]:
    """Log weights, locations and widths of the normal curves of a distribution, each of shape (B, K)."""
    if isinstance(member, NormalMixtureEnergy):
        return member.log_weight, member.location, member.scale
    if isinstance(member, NormalEnergy | GaussianAnsatzEnergy):
        location, scale = member.location[:, None], member.scale[:, None]
        return torch.zeros_like(location), location, scale
    raise ExportError(
        f"an ensemble of {type(member).__name__} cannot be exported, only of points, normals and mixtures of normals: "
        "export a single method, or train the ensemble with network.head.kind point, normal or normal_mixture"
    )
