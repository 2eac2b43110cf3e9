"""Bias corrections as modules of tensor operations, in float64."""

from __future__ import annotations

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from torch import Tensor, nn

from showercal.calibration import EnergyMap, LineMap, PowerMap


class LineGraph(nn.Module):
    """`LineMap` on tensors."""

    def __init__(self, line: LineMap) -> None:
        super().__init__()
        self.line = line

    def forward(self, energy: Tensor) -> Tensor:
        """Predicted -> corrected energy, any shape, [GeV]."""
        return (energy - self.line.c1) / self.line.c0


class PowerGraph(nn.Module):
    """`PowerMap` on tensors."""

    def __init__(self, power: PowerMap) -> None:
        super().__init__()
        self.power = power

    def forward(self, energy: Tensor) -> Tensor:
        """Predicted -> corrected energy, any shape, [GeV]."""
        c0, c1 = self.power.c0, self.power.c1
        pred_low = c0 * self.power.energy_low**c1
        above = (energy.clamp(min=pred_low) / c0) ** (1 / c1)
        slope_low = self.power.energy_low / (c1 * pred_low)
        result: Tensor = above + slope_low * (energy - pred_low).clamp(max=0)
        return result


class SplineGraph(nn.Module):
    """`SplineMap` on tensors: the coefficients of its cubics, and its straight tails."""

    def __init__(
        self, knots: tuple[float, ...], energy: tuple[float, ...], slope_low: float, slope_high: float
    ) -> None:
        super().__init__()
        cubic = PchipInterpolator(knots, energy)
        self.register_buffer("knots", torch.from_numpy(np.array(cubic.x)))
        self.register_buffer("coefficients", torch.from_numpy(np.array(cubic.c)))
        self.first, self.last = knots[0], knots[-1]
        self.slope_low, self.slope_high = slope_low, slope_high

    def forward(self, energy: Tensor) -> Tensor:
        """Predicted -> corrected energy, any shape, [GeV]."""
        knots, coefficients = self.get_buffer("knots"), self.get_buffer("coefficients")
        inside = energy.clamp(self.first, self.last)
        piece = (inside[..., None] >= knots[1:-1]).sum(-1)
        c3, c2, c1, c0 = (one[piece] for one in coefficients)
        step = inside - knots[piece]
        below, above = (energy - self.first).clamp(max=0), (energy - self.last).clamp(min=0)
        result: Tensor = ((c3 * step + c2) * step + c1) * step + c0 + self.slope_low * below + self.slope_high * above
        return result


def map_graph(energy_map: EnergyMap) -> nn.Module:
    """The module of a correction."""
    if isinstance(energy_map, LineMap):
        return LineGraph(energy_map)
    if isinstance(energy_map, PowerMap):
        return PowerGraph(energy_map)
    return SplineGraph(energy_map.energy_pred, energy_map.energy, energy_map.slope_low, energy_map.slope_high)
