"""The energy grid is exact on its knots and linear between them."""

from __future__ import annotations

import numpy as np
import pytest

from showercal.simulation.fast._grid import ENERGIES, place


def test_places_are_found():
    for energy in np.random.default_rng(2).uniform(np.log(ENERGIES[0]), np.log(ENERGIES[-1]), 2000):
        value = np.exp(energy)
        k, f = place(value)
        assert (1 - f) * ENERGIES[k] + f * ENERGIES[k + 1] == pytest.approx(value, rel=1e-12)


def test_outside_is_clipped():
    assert place(ENERGIES[0] / 3) == (0, 0.0)
    assert place(ENERGIES[-1] * 3) == (len(ENERGIES) - 2, 1.0)
