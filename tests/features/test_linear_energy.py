"""The linear estimate: right on average at every energy, with the smallest error, which it knows."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from showercal import Events
from showercal.errors import DataError
from showercal.features import FeatureExtractor, LinearEnergy
from showercal.features._linear_energy import fit_linear_energy, linear_energy

MakeEvents = Callable[[int], Events]
SLOPE, BASE, NOISE = np.array([3.0, 8.0, 1.0, 0.0]), np.array([1.0, 0.0, 2.0, 0.0]), np.array([1.0, 4.0, 0.2, 0.0])


def toy(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums that are lines in energy with a variance proportional to it; the last layer is never lit."""
    energy = rng.uniform(0, 10, n)
    return BASE + energy[:, None] * SLOPE + rng.normal(size=(n, 4)) * NOISE * np.sqrt(energy[:, None]), energy


def test_is_unbiased_at_every_energy(rng: np.random.Generator) -> None:
    constants = torch.from_numpy(fit_linear_energy(*toy(rng, 40_000)))
    sums, energy = toy(rng, 40_000)
    estimate, error = linear_energy(torch.from_numpy(sums), constants).numpy().T
    for low in (0.0, 2.0, 5.0, 9.0):
        inside = (energy >= low) & (energy < low + 1)
        pull = (estimate - energy)[inside] / error[inside]
        assert abs((estimate - energy)[inside].mean()) < 4 * error[inside].mean() / np.sqrt(inside.sum()) + 2e-3
        if low > 0:  # near 0 the estimate itself says little about its error
            assert abs(pull.std() - 1) < 0.05


def test_has_the_error_of_the_optimum(rng: np.random.Generator) -> None:
    """For independent noise the optimum weighs each sum by slope / variance: its variance is E / sum(b^2 / n^2)."""
    constants = torch.from_numpy(fit_linear_energy(*toy(rng, 40_000)))
    sums, energy = toy(rng, 40_000)
    estimate = linear_energy(torch.from_numpy(sums), constants)[:, 0].numpy()
    best = 1 / np.sqrt((SLOPE[:3] ** 2 / NOISE[:3] ** 2).sum())
    got = ((estimate - energy) / np.sqrt(energy)).std()
    assert abs(got / best - 1) < 0.015


def test_refuses_what_has_no_slope(rng: np.random.Generator) -> None:
    sums, energy = toy(rng, 100)
    with pytest.raises(DataError, match=r"training events of different energies; all 100 have about 5 GeV"):
        fit_linear_energy(sums, np.full(100, 5.0))
    with pytest.raises(DataError, match=r"a signal that changes with the true energy; the sums of all 4 layers"):
        fit_linear_energy(np.zeros((100, 4)), energy)


def test_stays_in_gev_and_survives_its_state(make_events: MakeEvents) -> None:
    events = make_events(60)
    config = {"start": LinearEnergy(values=("cells.energy",))}
    extractor = FeatureExtractor(config).fit(events)
    values = extractor.transform(events)["start"].values
    assert values.shape == (60, 2)
    assert (values[:, 1] > 0).all()
    # no relation between cells and truth in these events: the estimate is poor, its error honest
    miss = (values[:, 0].double().numpy() - events.energy_true) / values[:, 1].double().numpy()
    assert 0.5 < miss.std() < 2
    again = FeatureExtractor.from_state(config, extractor.state())
    torch.testing.assert_close(again.transform(events)["start"].values, values, rtol=0, atol=0)
