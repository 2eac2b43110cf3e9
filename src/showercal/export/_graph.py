"""The whole graph: fields of events to calibrated energy and width."""

from __future__ import annotations

from dataclasses import fields as dataclass_fields
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor, nn

from showercal.calibration import EnergyMap, WidthRecalibration
from showercal.export._maps import map_graph
from showercal.models import EnergyDistribution, EnergyGraph, PointEnergy
from showercal.prediction import ONE_SIGMA

# Levels of the central 68.27 % interval and of the median.
_LEVELS: Final = ((1 - ONE_SIGMA) / 2, 0.5, (1 + ONE_SIGMA) / 2)


class CalibratedGraph(nn.Module):
    """A method with its calibration, from fields to what is written to files.

    The median of the corrected distribution is the energy, half of its central 68.27 % interval the width: quantiles
    of a distribution and of its image under an increasing map are the images of each other.

    Args:
        method: The method.
        energy_map: Its bias correction, or None.
        recalibration: Of the width of the corrected distribution, or None.
    """

    def __init__(
        self, method: EnergyGraph, energy_map: EnergyMap | None, recalibration: WidthRecalibration | None
    ) -> None:
        super().__init__()
        self.method = method
        rules = [(level, 1.0) if recalibration is None else recalibration.graph_level(level) for level in _LEVELS]
        self.levels, self.factors = zip(*((0.5, 1.0), *rules), strict=True)
        self.energy_map = nn.Identity() if energy_map is None else map_graph(energy_map)

    def forward(self, *fields: Tensor) -> tuple[Tensor, ...]:
        """Fields in the order of ``method.fields`` -> energy (B,) and, with a distribution, width (B,), [GeV]."""
        distribution = self.method(dict(zip(self.method.fields, fields, strict=True)))
        if isinstance(distribution, PointEnergy):
            return (self.energy_map(distribution.energy.double()).float(),)
        corrected = self.energy_map(_double(distribution).quantile(self.levels))
        factors = torch.tensor(self.factors, dtype=torch.float64)
        centre = corrected[:, :1]
        low, median, high = (centre + factors * (corrected - centre))[:, 1:].unbind(1)
        return median.float(), ((high - low) / 2).float()


def _double(distribution: EnergyDistribution) -> EnergyDistribution:
    """The same distribution in float64, in which Python calibrates."""
    values: dict[str, Any] = {}
    for field in dataclass_fields(distribution):  # type: ignore[arg-type]
        value = getattr(distribution, field.name)
        if isinstance(value, Tensor) and value.is_floating_point():
            values[field.name] = value.double()
    return replace(distribution, **values)  # type: ignore[type-var]
