"""How much two quantities tell about each other, with a gradient."""

from __future__ import annotations

import torch
from torch import Tensor


def distance_correlation(a: Tensor, b: Tensor) -> Tensor:
    """Squared distance correlation without bias: 0 on average for independent quantities, 1 for a straight line.

    Memory grows with B^2: meant for batches.

    Args:
        a, b: Shape (B,), B > 3.

    References:
        G. Szekely and M. Rizzo, Ann. Statist. 42 (2014) 2382, definitions 2 and 3.
    """
    first, second = _centred(a), _centred(b)
    variances = (first * first).sum() * (second * second).sum()
    return (first * second).sum() / variances.clamp(min=torch.finfo(variances.dtype).tiny).sqrt()


def _centred(values: Tensor) -> Tensor:
    """U-centred distances, zero on the diagonal, shape (B, B)."""
    B = len(values)
    distance = (values[:, None] - values[None]).abs()
    row = distance.sum(1) / (B - 2)
    centred = distance - row[:, None] - row[None] + row.sum() / (B - 1)
    return centred * ~torch.eye(B, dtype=torch.bool, device=values.device)
