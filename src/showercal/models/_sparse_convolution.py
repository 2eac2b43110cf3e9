"""Two stacked convolutions on a mostly empty grid, computed only where cells are lit; exact, on any device."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def sparse_pair(grid: Tensor, first: nn.Conv3d, second: nn.Conv3d) -> Tensor:
    """``second(relu(first(grid)))`` for a 3x3x3 same-padded and then a 3x3x3 valid convolution.

    Away from lit cells the first convolution yields the constant relu(bias); its share of the second is one vector,
    known beforehand. What remains is non-zero only within one cell of a lit cell (a tenth of the sandwich for a 5 GeV
    electron): the patches there are multiplied as one matrix and the products added to the cells they reach.

    Args:
        grid: Shape (B, C, L, X, Y).
        first: C -> H channels, kernel 3, padding 1.
        second: H -> K channels, kernel 3, no padding.

    Returns:
        Shape (B, L - 2, X - 2, Y - 2, K), channels last, before any activation.
    """
    B, C, L, X, Y = grid.shape
    hidden, out = first.out_channels, second.out_channels
    stride_x, stride_z = Y + 2, (X + 2) * (Y + 2)
    # Site s = (b, z, x, y) of the first output; `corner` is where its 3x3x3 patch begins in the padded grid.
    site = _next_to_lit((grid != 0).any(1)).flatten().nonzero()[:, 0]
    row, y = site // Y, site % Y
    plane, x = row // X, row % X
    corner = (plane // L * (L + 2) + plane % L) * stride_z + x * stride_x + y
    step = torch.arange(3, device=grid.device)
    patch = (step[:, None, None] * stride_z + step[:, None] * stride_x + step).flatten()

    padded = functional.pad(grid, (1, 1, 1, 1, 1, 1)).permute(0, 2, 3, 4, 1).reshape(-1, C)
    patches = padded.index_select(0, (corner[:, None] + patch).flatten()).view(len(site), 27 * C)
    background = functional.relu(_bias(first))
    weight = first.weight.permute(2, 3, 4, 1, 0).reshape(27 * C, hidden)
    excess = functional.relu(torch.addmm(_bias(first), patches, weight)) - background

    # A site reaches the outputs at s - k, k in {0, 1, 2}^3; on a grid padded by two cells below, none falls outside.
    weight = second.weight.permute(1, 2, 3, 4, 0).reshape(hidden, 27 * out)
    # under autocast the product comes in bf16; sums of many terms are kept in full precision
    products = (excess @ weight).to(_bias(second).dtype).view(-1, out)
    target = (corner[:, None] + 2 * (stride_z + stride_x + 1) - patch).flatten()
    reached = products.new_zeros(B * (L + 2) * stride_z, out).index_add(0, target, products)
    inside = reached.view(B, L + 2, X + 2, Y + 2, out)[:, 2:L, 2:X, 2:Y]
    return inside + (_bias(second) + background @ weight.view(hidden, 27, out).sum(1))


def _bias(convolution: nn.Conv3d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias


def _next_to_lit(lit: Tensor) -> Tensor:
    """True within one cell of a lit cell, diagonals included; shape (B, L, X, Y), bool."""
    for axis in (1, 2, 3):
        n, near = lit.shape[axis], lit.clone()
        near.narrow(axis, 1, n - 1).logical_or_(lit.narrow(axis, 0, n - 1))
        near.narrow(axis, 0, n - 1).logical_or_(lit.narrow(axis, 1, n - 1))
        lit = near
    return lit
