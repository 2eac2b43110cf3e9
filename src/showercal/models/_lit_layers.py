"""Two stacked convolutions on grids whose deep layers are mostly dark, computed only where there is light; exact."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def convolution_pair(grid: Tensor, first: nn.Conv3d, second: nn.Conv3d) -> Tensor:
    """``second(relu(first(grid)))`` for a 3x3x3 same-padded and then a 3x3x3 valid convolution.

    A layer with no light in itself or its neighbours has relu(bias) everywhere after the first convolution, and its
    share of the second is one known vector. All other layers of all events (7 of 17 for electrons of 0 to 10 GeV in
    the sandwich) are images of one two-dimensional convolution, whose channels are the three neighbouring layers:
    those that a layer takes from before the first, those that it gives to after the second.

    Args:
        grid: Shape (B, C, L, X, Y).
        first: C -> H channels, kernel 3, padding 1.
        second: H -> K channels, kernel 3, no padding.

    Returns:
        Shape (B, L - 2, X - 2, Y - 2, K), channels last, before any activation.
    """
    if torch.compiler.is_exporting():  # how many layers are lit is not known there
        plain: Tensor = second(functional.relu(first(grid)))
        return plain.permute(0, 2, 3, 4, 1)
    B, _, L, X, Y = grid.shape
    n_out = second.out_channels
    lit = (grid != 0).flatten(3).any(3).any(1)
    near = lit.clone()
    near[:, 1:] |= lit[:, :-1]
    near[:, :-1] |= lit[:, 1:]
    event, layer = near.nonzero(as_tuple=True)

    padded = functional.pad(grid, (0, 0, 0, 0, 1, 1)).transpose(1, 2)
    neighbours = padded[event[:, None], layer[:, None] + torch.arange(3, device=grid.device)].flatten(1, 2)
    kernel = first.weight.transpose(1, 2).flatten(1, 2)
    images = neighbours.contiguous(memory_format=torch.channels_last)
    hidden = functional.relu(functional.conv2d(images, kernel, _bias(first), padding=1), inplace=True)

    # what every image gives to the layer above, its own and the layer below, and at last what a dark layer gives
    kernel = second.weight.permute(2, 0, 1, 3, 4).flatten(0, 1)
    given = functional.conv2d(hidden, kernel)
    dark = second.weight.sum((3, 4)).permute(2, 0, 1) @ functional.relu(_bias(first))
    dark = dark.to(given.dtype).view(1, 3 * n_out, 1, 1).expand(1, 3 * n_out, X - 2, Y - 2)
    given = torch.cat([given, dark]).view(-1, 3, n_out, X - 2, Y - 2)
    image = torch.full((B, L), len(event), device=grid.device)
    image[event, layer] = torch.arange(len(event), device=grid.device)
    # under autocast the products come in bf16; their sum is kept in full precision
    taken = [given[:, dz].index_select(0, image[:, dz : dz + L - 2].flatten()).to(grid.dtype) for dz in range(3)]
    total = (taken[0] + taken[1] + taken[2]).view(B, L - 2, n_out, X - 2, Y - 2)
    return total.permute(0, 1, 3, 4, 2) + _bias(second)


def _bias(convolution: nn.Conv3d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias
