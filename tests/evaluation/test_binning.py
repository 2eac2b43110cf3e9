"""Bins: edges, membership, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from showercal.errors import DataError, RecipeError
from showercal.evaluation import Binning


def test_membership_against_a_loop() -> None:
    binning = Binning((0.0, 1.0, 2.5, 10.0))
    values = np.array([-0.1, 0.0, 0.99, 1.0, 2.5, 9.9, 10.0, 10.1, np.inf])
    slow = [next((k for k in range(3) if binning.edges[k] <= v < binning.edges[k + 1]), -1) for v in values]
    slow[6] = 2  # the last edge belongs to the last bin
    np.testing.assert_array_equal(binning.number(values), slow)


def test_groups_hold_every_inside_event_once() -> None:
    binning = Binning.uniform(0, 10, 7)
    values = np.random.default_rng(1).uniform(-1, 11, 500)
    groups = binning.groups(values)
    for k, at in enumerate(groups):
        np.testing.assert_array_equal(at, np.flatnonzero(binning.number(values) == k))
    assert sum(map(len, groups)) == np.sum(binning.number(values) >= 0)


def test_logarithmic_edges() -> None:
    np.testing.assert_allclose(Binning.logarithmic(1, 1000, 3).edges, [1, 10, 100, 1000])


def test_refusals() -> None:
    with pytest.raises(RecipeError, match=r"2 or more finite, increasing edges; got \(0.0, 2.0, 1.0\)"):
        Binning((0.0, 2.0, 1.0))
    with pytest.raises(RecipeError, match="lowest edge above 0; got 0 GeV"):
        Binning.logarithmic(0, 10, 3)
    with pytest.raises(RecipeError, match="n_bins >= 1; got 0"):
        Binning.uniform(0, 10, 0)
    with pytest.raises(RecipeError, match="min_events must be >= 2"):
        Binning((0.0, 1.0), min_events=1)
    with pytest.raises(DataError, match="cannot bin energy_true: NaN at event 1"):
        Binning.uniform(0, 10, 3).number(np.array([1.0, np.nan]))
