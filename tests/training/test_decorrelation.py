"""Penalties on what the error tells about the true energy: they work, they take turns, they resume."""

import math
from copy import deepcopy

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from showercal.losses import distance_correlation
from showercal.training._decorrelation import (
    AlternatingAdversary,
    DecorrelationConfig,
    GradientReversal,
    build_decorrelation,
    relative_error,
)

KINDS = ("adversary", "gradient_reversal", "distance_correlation")


def build(energy: torch.Tensor, **options: object) -> torch.nn.Module:
    torch.manual_seed(1)
    return build_decorrelation(TypeAdapter(DecorrelationConfig).validate_python(options), energy)


def test_relative_error() -> None:
    pred, truth = torch.tensor([5.0, 1.0]), torch.tensor([4.0, 0.0])
    torch.testing.assert_close(relative_error(pred, truth), torch.tensor([0.5, 1.0 / math.sqrt(1e-3)]))


def test_the_published_adversary() -> None:
    penalty = build(torch.rand(100), kind="adversary")
    assert isinstance(penalty, AlternatingAdversary)
    widths = [m.out_features for m in penalty.adversary.modules() if isinstance(m, torch.nn.Linear)]
    assert widths == [50, 50, 50, 50, 128, 20]
    assert penalty.strength == 2.5


def test_bins_of_the_adversary_are_equally_filled() -> None:
    energy = torch.from_numpy(np.random.default_rng(1).exponential(3.0, 10_000))
    penalty = build(energy, kind="gradient_reversal", n_bins=10)
    assert isinstance(penalty, GradientReversal)
    counts = torch.bucketize(energy.float(), penalty.adversary.edges).bincount(minlength=10)
    assert (counts - 1000).abs().max() <= 2


def test_the_adversary_learns_and_the_network_is_told_the_opposite() -> None:
    """The error is the energy itself: an adversary finds out, its loss falls, and the network's penalty rises."""
    energy = torch.rand(2000, generator=torch.Generator().manual_seed(2)) * 10
    penalty = build(energy, kind="adversary", learning_rate=3e-3)
    assert isinstance(penalty, AlternatingAdversary)
    error = energy.clone().requires_grad_()
    values = [float(penalty(error, energy).detach()) for _ in range(300)]
    assert values[0] == pytest.approx(-2.5 * math.log(20), rel=0.05)
    assert values[-1] > values[0] + 2.5  # a nat less of cross entropy
    weights = [p.detach().clone() for p in penalty.adversary.parameters()]
    penalty(error, energy).backward()
    assert error.grad is not None
    assert (error.grad != 0).any()
    assert all(p.grad is None or not p.requires_grad for p in penalty.adversary.parameters())
    assert any(not torch.equal(a, b) for a, b in zip(weights, penalty.adversary.parameters(), strict=True))


def test_reversal_has_the_value_of_the_adversary_and_the_opposite_slope() -> None:
    energy = torch.rand(50, generator=torch.Generator().manual_seed(3)) * 10
    penalty = build(energy, kind="gradient_reversal", strength=1.5)
    assert isinstance(penalty, GradientReversal)
    error = (energy / 5).requires_grad_()
    plain = penalty.adversary(error, energy)
    (slope,) = torch.autograd.grad(plain, error)
    reversed_ = penalty(error, energy)
    torch.testing.assert_close(reversed_, plain)
    (opposite,) = torch.autograd.grad(reversed_, error)
    torch.testing.assert_close(opposite, -1.5 * slope)
    assert len(penalty.trained_with_network()) == 12


@pytest.mark.parametrize("kind", KINDS)
def test_makes_an_error_independent(kind: str) -> None:
    """An error of slope -0.5 in the energy, with one weight that could take the slope out: it is found."""
    draws = torch.Generator().manual_seed(4)
    energy = 0.5 + 9.5 * torch.rand(512, generator=draws)
    noise = torch.randn(512, generator=draws)
    slope = torch.tensor(-0.5, requires_grad=True)
    strength = {"distance_correlation": 5.0}.get(kind, 1.0)
    penalty = build(energy, kind=kind, strength=strength)
    optimizer = torch.optim.Adam(
        [{"params": [slope], "lr": 0.01}, {"params": penalty.trained_with_network(), "lr": 3e-3}]  # type: ignore[operator]
    )
    before = float(distance_correlation((slope * energy + noise).detach(), energy))
    for _ in range(400):
        optimizer.zero_grad()
        penalty(slope * energy + noise, energy).backward()
        optimizer.step()
    after = float(distance_correlation((slope * energy + noise).detach(), energy))
    assert before > 0.3
    assert after < before / 10
    assert abs(float(slope.detach())) < 0.2  # adversaries swing about 0


def test_state_of_the_alternating_training_comes_back() -> None:
    energy = torch.rand(200, generator=torch.Generator().manual_seed(5)) * 10
    first, second = (build(energy, kind="adversary") for _ in range(2))
    for _ in range(3):
        first(energy, energy)
    second.load_state_dict(first.state_dict())
    second.load_state_of_training(deepcopy(first.state_of_training()))  # type: ignore[operator]
    for penalty in (first, second):
        penalty(energy, energy)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
