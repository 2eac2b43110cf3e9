"""Distributions on tensors agree with those on arrays, which have their own tests, and have quantiles for graphs."""

import numpy as np
import pytest
import torch

from showercal.models import (
    EnergyDistribution,
    GaussianAnsatzEnergy,
    LogNormalEnergy,
    NormalEnergy,
    NormalMixtureEnergy,
    QuantileEnergy,
    TruncatedNormalEnergy,
)

B = 40
DRAWS = torch.Generator().manual_seed(1)


def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
    return low + (high - low) * torch.rand(*shape, generator=DRAWS, dtype=torch.float64)


def truncated(low: float, high: float) -> TruncatedNormalEnergy:
    ends = torch.zeros(B, dtype=torch.float64), torch.full((B,), 10.0, dtype=torch.float64)
    return TruncatedNormalEnergy(uniform(low, high, B), uniform(0.2, 1.0, B), *ends)


LEVELS = torch.tensor([0.01, 0.1, 0.35, 0.5, 0.8, 0.99], dtype=torch.float64)
DISTRIBUTIONS: dict[str, EnergyDistribution] = {
    "normal": NormalEnergy(uniform(0, 10, B), uniform(0.1, 1, B)),
    "truncated_normal": truncated(-1, 11),
    "truncated_normal-below": truncated(-50, -1),
    "truncated_normal-above": truncated(11, 60),
    "log_normal": LogNormalEnergy(uniform(-1, 2, B), uniform(0.05, 0.6, B)),
    "normal_mixture": NormalMixtureEnergy(
        uniform(-2, 2, B, 3).log_softmax(1), uniform(0, 10, B, 3), uniform(0.2, 2, B, 3)
    ),
    "quantiles": QuantileEnergy(LEVELS.expand(B, -1), uniform(0.1, 1, B, 6).cumsum(1)),
    "gaussian_ansatz": GaussianAnsatzEnergy(uniform(0, 10, B), uniform(0.1, 1, B), torch.ones_like),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_agrees_with_its_prediction(name: str) -> None:
    distribution = DISTRIBUTIONS[name]
    prediction = distribution.to_prediction([distribution])
    np.testing.assert_allclose(distribution.mean.numpy(), prediction.mean, rtol=1e-9, atol=1e-9)
    truth = torch.from_numpy(np.random.default_rng(2).uniform(0.05, 9.9, B))
    if name != "quantiles":  # trained by another loss
        np.testing.assert_allclose(distribution.log_prob(truth).numpy(), prediction.log_prob(truth.numpy()), rtol=1e-9)
    levels = (0.005, 0.1587, 0.5, 0.8413, 0.995)
    got = distribution.quantile(levels)
    assert got.shape == (B, 5)
    for k, level in enumerate(levels):
        energy = got[:, k].numpy()
        if name == "normal_mixture":  # its error function is that of float32
            np.testing.assert_allclose(prediction.cdf(energy), level, rtol=0, atol=2e-7)
        else:  # the rational tail of the truncated normal is good to some 1e-7 of the width
            scale = np.maximum(prediction.sigma68, 1e-3)
            assert np.all(abs(energy - prediction.quantile(level)) < 1e-6 * scale + 1e-9)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_batches_join_in_order(name: str) -> None:
    distribution = DISTRIBUTIONS[name]
    prediction = distribution.to_prediction([distribution, distribution])
    assert len(prediction) == 2 * B
    np.testing.assert_array_equal(prediction.median[:B], prediction.median[B:])


def test_cut_normal_knows_its_ends() -> None:
    distribution = truncated(-5, 15)
    assert torch.isinf(distribution.log_prob(torch.full((B,), 10.001, dtype=torch.float64))).all()
    assert ((distribution.mean >= 0) & (distribution.mean <= 10)).all()
