"""Batch normalisation by running statistics, in training as in inference."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

# Added to a variance before its root is taken.
_EPS = 1e-5
# While fewer events were seen, a variance counts as at least so much.
_FEW_EVENTS, _LEAST_VARIANCE = 20, 0.01


class RunningNorm(nn.Module):
    """Normalises by running statistics, which hold most of the current batch, so that training and inference agree.

    Of the values x of a channel the module keeps running averages of the sum, the sum of squares and their number.
    Every batch of B events in training moves them towards its own with weight 1 - (1 - momentum) / sqrt(B - 1 + 1e-5):
    more, the larger the batch; a batch of one event counts like one of two. Then

        y = weight (x - mean) / sqrt(variance + 1e-5) + bias

    with mean and variance from the running sums. Gradients flow through the share that the batch has in them. A module
    that has seen no batch leaves the mean 0 and the variance 1: it lets values pass.

    Args:
        n_channels: C, the last axis.
        momentum: Weight of a batch of two events.

    Attributes:
        total, squares: Running sums, shape (C,).
        count: Running number of values per channel.
        n_events: Events seen.

    References:
        J. Howard et al., fast.ai course v3 (2019), "running batch norm"; as here in J. Kieseler, G. Strong,
        F. Chiandotto, T. Dorigo, L. Layer, Eur. Phys. J. C 82 (2022) 79.
    """

    total: Tensor
    squares: Tensor
    count: Tensor
    n_events: Tensor

    def __init__(self, n_channels: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(n_channels))
        self.bias = nn.Parameter(torch.zeros(n_channels))
        self.register_buffer("total", torch.zeros(n_channels))
        self.register_buffer("squares", torch.zeros(n_channels))
        self.register_buffer("count", torch.tensor(0.0))
        self.register_buffer("n_events", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        """Grids (B, L, X, Y, C) -> the same, normalised."""
        if not self.training:
            mean, variance, _ = self._statistics()
            return _affine(x, self.weight * (variance + _EPS).rsqrt(), self.bias, mean)
        share = self._follow(x.detach())
        mean, variance, is_free = self._statistics()
        y: Tensor = _Normalise.apply(x, self.weight, self.bias, mean, variance, share, is_free)  # type: ignore[no-untyped-call]
        return y

    @torch.no_grad()
    def _follow(self, x: Tensor) -> Tensor:
        """Move the running sums by a batch; returns how much one value of it counts in mean and mean square."""
        weight = 1 - (1 - self.momentum) / math.sqrt(max(len(x) - 1, 1) + 1e-5)
        rows = _rows(x)
        # in the type of the running statistics that it is given, though it need not move them
        none = self.total.new_zeros(rows.shape[1])
        mean, variance = torch.batch_norm_update_stats(rows, none, none, 0.0)
        for running, of_rows in ((self.total, mean), (self.squares, variance + mean * mean)):
            running.lerp_(len(rows) * of_rows.view(-1, x.shape[-1]).sum(0), weight)
        self.count.lerp_(self.count.new_tensor(x[..., 0].numel()), weight)
        self.n_events += len(x)
        return weight / self.count

    @torch.no_grad()
    def _statistics(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, variance, and whether the variance is that of the values, each shape (C,)."""
        mean = self.total / self.count
        # of values far above their spread the difference rounds to below 0
        variance = (self.squares / self.count - mean * mean).clamp(min=0)
        is_free = (self.n_events >= _FEW_EVENTS) | (variance >= _LEAST_VARIANCE)
        variance = torch.where(is_free, variance, _LEAST_VARIANCE)
        is_new = self.count == 0
        return torch.where(is_new, 0.0, mean), torch.where(is_new, 1.0 - _EPS, variance), is_free


class _Normalise(Function):
    """weight t + bias with t = (x - mean) / sqrt(variance + eps), where every value has a share in mean and variance.

    With the gradient g of the result, that of x is

        weight / sqrt(variance + eps) (g - share sum(g) - share t sum(g t)),

    as in ordinary batch normalisation, where the share of a value is one over their number. In a variance that was set
    to its least value no x has a share.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
        share: Tensor,
        is_free: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, variance, share, is_free)
        return _affine(x, weight * (variance + _EPS).rsqrt(), bias, mean)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance, share, is_free = ctx.saved_tensors
        g = g.contiguous()
        sum_gt, sum_g = _gradient_sums(g, x, mean, variance)
        inverse = (variance + _EPS).rsqrt()
        scale = weight * inverse
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = _affine(x, -scale * share * is_free * inverse * sum_gt, -scale * share * sum_g, mean)
            grad_x += _affine(g, scale, torch.zeros_like(scale), torch.zeros_like(scale))
        return grad_x, sum_gt, sum_g, None, None, None, None


def _rows(x: Tensor) -> Tensor:
    """Grids (B, L, X, Y, C) -> (B L, X Y C): rows that keep the vector units of a processor busy.

    Two threads that add up rows write to neighbouring memory: with rows of one axis less they took four times as long.
    """
    return x.flatten(0, 1).flatten(1)


def _affine(x: Tensor, scale: Tensor, shift: Tensor, centre: Tensor) -> Tensor:
    """scale (x - centre) + shift per channel, in one pass over memory and in the type of x."""
    scale, shift = torch.stack([scale, shift]).repeat(1, x.shape[2] * x.shape[3])
    centre, one = torch.stack([centre, torch.ones_like(centre)]).repeat(1, x.shape[2] * x.shape[3])
    return functional.batch_norm(_rows(x), centre, one, scale, shift, eps=0.0).view_as(x)


def _gradient_sums(g: Tensor, x: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of g t and g per channel, in one pass: the gradients of weight and bias, each shape (C,)."""
    mean, variance = torch.stack([mean, variance]).repeat(1, x.shape[2] * x.shape[3])
    _, *sums = torch.ops.aten.native_batch_norm_backward(
        _rows(g), _rows(x), torch.ones_like(mean), mean, variance, None, None, False, _EPS, [False, True, True]
    )
    of_weight, of_bias = (values.view(-1, x.shape[-1]).sum(0) for values in sums)
    return of_weight, of_bias
