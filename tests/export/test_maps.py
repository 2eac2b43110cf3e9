"""Corrections as tensor operations give what they give on arrays, also outside the energies of their fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from showercal.calibration import EnergyMap, LineMap, PowerMap, SplineMap
from showercal.export._maps import map_graph

MAPS = [
    LineMap(0.8, 0.5),
    PowerMap(1.3, 0.9, 0.0, energy_low=0.25, energy_high=9.0),
    PowerMap(0.7, 1.2, -0.3, energy_low=0.25, energy_high=9.0),
    PowerMap(-3.0, -0.2, 5.0, energy_low=0.25, energy_high=9.0),
    SplineMap((0.4, 1.0, 1.7, 4.0, 8.9), (0.2, 1.0, 2.0, 4.1, 9.7), slope_low=2.5, slope_high=3.1),
]


@pytest.mark.parametrize("energy_map", MAPS, ids=lambda m: m.form)
def test_graph_of_a_map_is_the_map(energy_map: EnergyMap) -> None:
    energy = np.linspace(-3, 14, 1001)
    tensors = map_graph(energy_map)(torch.from_numpy(energy))
    np.testing.assert_allclose(tensors.numpy(), energy_map(energy), rtol=1e-12, atol=1e-12)
