"""Bias corrections as modules of tensor operations, in float64."""

from __future__ import annotations

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from torch import Tensor, nn

from showercal.calibration import EnergyMap, LineMap, PowerMap, SplineMap


class LineGraph(nn.Module):
    """`LineMap` on tensors."""

    def __init__(self, line: LineMap) -> None:
        super().__init__()
        _keep(self, c0=line.c0, c1=line.c1)

    def forward(self, energy: Tensor) -> Tensor:
        """Predicted -> corrected energy, any shape, [GeV]."""
        return (energy - self.get_buffer("c1")) / self.get_buffer("c0")


class PowerGraph(nn.Module):
    """`PowerMap` on tensors."""

    def __init__(self, power: PowerMap) -> None:
        super().__init__()
        (first, last), (slope_low, slope_high) = power.ends
        _keep(self, c0=power.c0, c2=power.c2, exponent=1 / power.c1)
        _keep(self, first=first, last=last, slope_low=slope_low, slope_high=slope_high)

    def forward(self, energy: Tensor) -> Tensor:
        """Predicted -> corrected energy, any shape, [GeV]."""
        first, last = self.get_buffer("first"), self.get_buffer("last")
        inside = torch.minimum(torch.maximum(energy, first), last)
        result: Tensor = ((inside - self.get_buffer("c2")) / self.get_buffer("c0")) ** self.get_buffer("exponent")
        below = self.get_buffer("slope_low") * (energy - first).clamp(max=0)
        above = self.get_buffer("slope_high") * (energy - last).clamp(min=0)
        return result + below + above


class SplineGraph(nn.Module):
    """`SplineMap` on tensors: the coefficients of its cubics, and its straight tails."""

    def __init__(self, spline: SplineMap) -> None:
        super().__init__()
        cubic = PchipInterpolator(spline.energy_pred, spline.energy)
        self.register_buffer("knots", torch.from_numpy(np.array(cubic.x)))
        self.register_buffer("coefficients", torch.from_numpy(np.array(cubic.c)))
        _keep(self, slope_low=spline.slope_low, slope_high=spline.slope_high)

    def forward(self, energy: Tensor) -> Tensor:
        """Predicted -> corrected energy, any shape, [GeV]."""
        knots, coefficients = self.get_buffer("knots"), self.get_buffer("coefficients")
        inside = torch.minimum(torch.maximum(energy, knots[0]), knots[-1])
        piece = (inside[..., None] >= knots[1:-1]).sum(-1)
        c3, c2, c1, c0 = (one[piece] for one in coefficients)
        step = inside - knots[piece]
        below = self.get_buffer("slope_low") * (energy - knots[0]).clamp(max=0)
        above = self.get_buffer("slope_high") * (energy - knots[-1]).clamp(min=0)
        result: Tensor = ((c3 * step + c2) * step + c1) * step + c0 + below + above
        return result


def map_graph(energy_map: EnergyMap) -> nn.Module:
    """The module of a correction."""
    if isinstance(energy_map, LineMap):
        return LineGraph(energy_map)
    return PowerGraph(energy_map) if isinstance(energy_map, PowerMap) else SplineGraph(energy_map)


def _keep(module: nn.Module, **constants: float) -> None:
    """Constants as tensors: of plain numbers the tracing keeps the digits of float32 alone."""
    for name, value in constants.items():
        module.register_buffer(name, torch.tensor(value, dtype=torch.float64))
