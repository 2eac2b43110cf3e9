"""How much a point estimator scatters, measured on toys."""

from __future__ import annotations

import json

import numpy as np
import pytest

from showercal.calibration import EnergySpread
from showercal.errors import DataError, ModelFileError, NotFittedError


def test_spread_follows_the_resolution(rng: np.random.Generator) -> None:
    truth = rng.uniform(100, 8000, 40_000)
    spread = EnergySpread().fit(truth, truth + (100 + 0.1 * truth) * rng.normal(size=len(truth)))
    at = np.array([500.0, 2000.0, 4000.0, 7500.0])
    # 40 bins of 1,000 events: 2.7 % each
    np.testing.assert_allclose(spread.width(at), 100 + 0.1 * at, rtol=0.1)
    np.testing.assert_allclose(spread.width([0.0, 1e5]), spread.width_[[0, -1]])


def test_a_bias_counts_as_spread(rng: np.random.Generator) -> None:
    truth = rng.uniform(1, 2, 10_000)
    spread = EnergySpread().fit(truth, truth + 0.3 + 0.4 * rng.normal(size=len(truth)))
    np.testing.assert_allclose(spread.width_.mean(), 0.5, rtol=0.02)


def test_outliers_hardly_count(rng: np.random.Generator) -> None:
    truth = rng.uniform(1, 2, 10_000)
    wild = np.where(rng.random(10_000) < 0.02, 50, 0.1) * rng.normal(size=10_000)
    np.testing.assert_allclose(EnergySpread().fit(truth, truth + wild).width_.mean(), 0.1, rtol=0.1)


@pytest.mark.parametrize("n_events", [1, 30, 150])
def test_few_events_share_one_bin(n_events: int) -> None:
    truth = np.linspace(1, 2, n_events)
    assert len(EnergySpread().fit(truth, truth + 1).width_) == 1


def test_beams_of_a_few_energies_have_one_point_each() -> None:
    truth = np.repeat([100.0, 500.0, 900.0], 1000)
    spread = EnergySpread().fit(truth, truth + 1)
    assert np.all(np.diff(spread.energy_) > 0)
    np.testing.assert_allclose(spread.width([100.0, 300.0, 900.0]), 1)


def test_json_round_trip() -> None:
    truth = np.linspace(1, 9, 1000)
    spread = EnergySpread().fit(truth, 1.1 * truth)
    again = EnergySpread.from_dict(json.loads(json.dumps(spread.to_dict())))
    np.testing.assert_array_equal(again.width(truth), spread.width(truth))


def test_refusals() -> None:
    with pytest.raises(NotFittedError, match="call fit"):
        EnergySpread().width([1.0])
    with pytest.raises(DataError, match="of one shape"):
        EnergySpread().fit(np.ones(3), np.ones(2))
    with pytest.raises(ModelFileError, match=r"needs 'energy' and 'width' of one length; got \['energy'\]"):
        EnergySpread.from_dict({"energy": [1.0]})
