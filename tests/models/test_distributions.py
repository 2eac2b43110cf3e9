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
    TruncatedLogNormalEnergy,
    TruncatedNormalEnergy,
)

B = 40
DRAWS = torch.Generator().manual_seed(1)


def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
    return low + (high - low) * torch.rand(*shape, generator=DRAWS, dtype=torch.float64)


def truncated(low: float, high: float) -> TruncatedNormalEnergy:
    ends = torch.zeros(B, dtype=torch.float64), torch.full((B,), 10.0, dtype=torch.float64)
    return TruncatedNormalEnergy(uniform(low, high, B), uniform(0.2, 1.0, B), *ends)


def truncated_log(n_components: int, low: float, high: float) -> TruncatedLogNormalEnergy:
    """Cut to 0.05 to 10 GeV, with locations between two logarithms."""
    ends = torch.full((B,), 0.05, dtype=torch.float64), torch.full((B,), 10.0, dtype=torch.float64)
    shape = B, n_components
    weight = uniform(-2, 2, *shape).log_softmax(1)
    return TruncatedLogNormalEnergy(weight, uniform(low, high, *shape), uniform(0.1, 1.0, *shape), *ends)


LEVELS = torch.tensor([0.01, 0.1, 0.35, 0.5, 0.8, 0.99], dtype=torch.float64)
DISTRIBUTIONS: dict[str, EnergyDistribution] = {
    "normal": NormalEnergy(uniform(0, 10, B), uniform(0.1, 1, B)),
    "truncated_normal": truncated(-1, 11),
    "truncated_normal-below": truncated(-50, -1),
    "truncated_normal-above": truncated(11, 60),
    "log_normal": LogNormalEnergy(uniform(-1, 2, B), uniform(0.05, 0.6, B)),
    "truncated_log_normal": truncated_log(1, -3.5, 3),
    "truncated_log_normal-below": truncated_log(1, -30, -3),
    "truncated_log_normal-above": truncated_log(1, 2.3, 30),
    "truncated_log_normal-mixture": truncated_log(3, -10, 8),
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
        elif name == "truncated_log_normal-mixture":  # the same precision, and the search leaves 7e-9 of log(10 / 0.05)
            beside = abs(energy / prediction.quantile(level) - 1)
            assert np.all(np.minimum(abs(prediction.cdf(energy) - level), beside) < 2e-7)
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


@pytest.mark.parametrize("n_components", [1, 3])
def test_cut_log_normal_trains_from_far_outside(n_components: int) -> None:
    """In float32, with locations up to 40 widths outside: the gradients are those of float64."""
    far = [truncated_log(n_components, *ends) for ends in ((-12, -4), (3.5, 11))]
    energy = torch.tensor([0.05, 0.06, 3.0, 9.9, 10.0]).repeat(B // 5)
    for distribution in far:
        scale = 0.2 + 0 * distribution.scale
        gradients = []
        for dtype in (torch.float32, torch.float64):
            parameters = [p.to(dtype).requires_grad_() for p in (distribution.log_weight, distribution.location, scale)]
            ends = distribution.low.to(dtype), distribution.high.to(dtype)
            # the ends themselves are rounded to float32
            inside = torch.minimum(torch.maximum(energy.to(dtype), ends[0]), ends[1])
            density = TruncatedLogNormalEnergy(*parameters, *ends).log_prob(inside)
            gradients.append(torch.autograd.grad(density.sum(), parameters))
            outside = TruncatedLogNormalEnergy(*parameters, *ends).log_prob(torch.full((B,), 10.01, dtype=dtype))
            assert torch.isneginf(outside).all()
        for found, expected in zip(*gradients, strict=True):
            assert torch.isfinite(expected).all()
            # differences of pulls of up to 60, over a width of 0.2
            np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=2e-3, atol=2e-2)


def test_cut_log_normal_is_a_cut_normal_in_the_logarithm() -> None:
    one = truncated_log(1, -4, 3)
    curve = TruncatedNormalEnergy(one.location[:, 0], one.scale[:, 0], one.low.log(), one.high.log())
    energy = uniform(0.1, 9.9, B)
    torch.testing.assert_close(one.log_prob(energy), curve.log_prob(energy.log()) - energy.log())
    torch.testing.assert_close(one.quantile([0.2, 0.7]), curve.quantile([0.2, 0.7]).exp())


def test_mean_of_a_cut_log_normal_overflows_nowhere() -> None:
    """A curve so wide that exp(s^2 / 2) has no float is flat in log E, with mean (high - low) / log(high / low)."""
    low, high = torch.tensor([50.0]), torch.tensor([8000.0])
    wide = TruncatedLogNormalEnergy(torch.zeros(1, 1), torch.full((1, 1), 7.0), torch.full((1, 1), 1e3), low, high)
    np.testing.assert_allclose(wide.mean, 7950 / np.log(160), rtol=1e-5)
