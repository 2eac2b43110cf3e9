"""Running batch normalisation: against its definition written out, with gradients by autograd."""

import math

import pytest
import torch
from torch import Tensor, nn

from showercal.models import RunningNorm


class Slow(nn.Module):
    """The definition, with running sums that stay in the graph of the current batch."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = (nn.Parameter(values.clone()) for values in (weight, bias))
        self.total = self.squares = torch.zeros_like(weight)
        self.count, self.n_events = 0.0, 0

    def forward(self, x: Tensor) -> Tensor:
        axes = tuple(range(x.ndim - 1))
        share = 1 - (1 - 0.1) / math.sqrt(max(len(x) - 1, 1) + 1e-5)
        self.total = (1 - share) * self.total.detach() + share * x.sum(axes)
        self.squares = (1 - share) * self.squares.detach() + share * (x * x).sum(axes)
        self.count = (1 - share) * self.count + share * x[..., 0].numel()
        self.n_events += len(x)
        mean = self.total / self.count
        variance = self.squares / self.count - mean * mean
        if self.n_events < 20:
            variance = variance.clamp(min=0.01)
        return (x - mean) / (variance + 1e-5).sqrt() * self.weight + self.bias


def batches(sizes: tuple[int, ...]) -> list[Tensor]:
    """Of wandering mean; the first channel varies less than the least variance of few events."""
    draws = torch.Generator().manual_seed(1)
    spread = torch.tensor([0.05, 1.0, 3.0], dtype=torch.float64)
    return [
        0.5 * n + spread * torch.randn(size, 2, 3, 5, 3, generator=draws, dtype=torch.float64)
        for n, size in enumerate(sizes)
    ]


def pair() -> tuple[RunningNorm, Slow]:
    norm = RunningNorm(3).double()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([0.5, 1.0, -2.0]))
        norm.bias.copy_(torch.tensor([0.1, 0.0, 3.0]))
    return norm, Slow(norm.weight.detach(), norm.bias.detach())


@pytest.mark.parametrize("sizes", [(4, 5, 30, 31), (256, 64), (2, 2), (1, 1, 30, 1)])
def test_equals_its_definition_with_all_gradients(sizes: tuple[int, ...]) -> None:
    norm, slow = pair()
    for x in batches(sizes):
        found, expected = x.clone().requires_grad_(), x.clone().requires_grad_()
        y, y_slow = norm(found), slow(expected)
        torch.testing.assert_close(y, y_slow, rtol=1e-10, atol=1e-10)
        g = torch.randn(y.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        for a, b in zip(
            torch.autograd.grad((y * g).sum(), (found, norm.weight, norm.bias)),
            torch.autograd.grad((y_slow * g).sum(), (expected, slow.weight, slow.bias)),
            strict=True,
        ):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
    assert int(norm.n_events) == sum(sizes)


def test_inference_uses_the_running_statistics_and_leaves_them() -> None:
    norm, _ = pair()
    first, second = batches((40, 50))
    trained = norm(first)
    before = {name: values.clone() for name, values in norm.state_dict().items()}
    norm.eval()
    torch.testing.assert_close(norm(first), trained)
    norm(second)
    for name, values in norm.state_dict().items():
        torch.testing.assert_close(values, before[name], rtol=0, atol=0)


def test_training_and_inference_agree_on_like_batches() -> None:
    """The reason for it: what a batch of other events is normalised by is hardly other than what is used later."""
    norm = RunningNorm(4)
    draws = torch.Generator().manual_seed(3)
    for _ in range(5):
        x = 2 + 3 * torch.randn(256, 3, 4, 4, 4, generator=draws)
        y = norm(x)
    torch.testing.assert_close(norm.eval()(x), y)
    assert float(y.mean().detach()) == pytest.approx(0, abs=0.02)
    assert float(y.std().detach()) == pytest.approx(1, abs=0.02)


def test_never_trained_it_lets_values_pass() -> None:
    x = batches((5,))[0]
    torch.testing.assert_close(RunningNorm(3).double().eval()(x), x, rtol=1e-6, atol=1e-6)


def test_statistics_of_bf16_are_kept_in_full_precision() -> None:
    """A mean far above the spread: sums in bf16 would be wrong by more than the spread."""
    x = (50 + torch.randn(64, 4, 4, 4, 3, generator=torch.Generator().manual_seed(4))).bfloat16()
    norm = RunningNorm(3)
    y = norm(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(norm.total / norm.count, x.float().mean((0, 1, 2, 3)), rtol=1e-5, atol=0)
    assert float(y.float().std().detach()) == pytest.approx(1, abs=0.02)


def test_saved_and_read_it_goes_on_alike() -> None:
    first, second = RunningNorm(3).double(), RunningNorm(3).double()
    one, two = batches((20, 20))
    first(one)
    second.load_state_dict(first.state_dict())
    torch.testing.assert_close(first(two), second(two), rtol=0, atol=0)


def test_values_far_above_their_spread_stay_finite() -> None:
    """In float32 the squares of 1000 are known to 0.06, which is more than the variance."""
    norms = [RunningNorm(3) for _ in range(20)]
    for seed, norm in enumerate(norms):
        x = 1000 + 0.01 * torch.randn(32, 2, 3, 3, 3, generator=torch.Generator().manual_seed(seed))
        assert bool(norm(x).isfinite().all())
    mean = [norm.total / norm.count for norm in norms]
    assert any(bool((n.squares / n.count < m * m - 1e-5).any()) for n, m in zip(norms, mean, strict=True))
    assert all(bool(norm.eval()(x).isfinite().all()) for norm in norms)
