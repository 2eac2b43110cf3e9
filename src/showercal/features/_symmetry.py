"""The symmetries of a square calorimeter as augmentation of a batch of grids, on tensors."""

from __future__ import annotations

import torch
from torch import Tensor


class GridAugmentation:
    """Random symmetry of the square and shifts by whole cells, per event, as published for the sandwich calorimeter.

    Each event gets one of the 8 symmetries (4 rotations, mirrored or not) and a shift of at most ``max_shift`` cells in
    x and in y. A shift that would push a lit cell over the edge is not taken in that direction: no signal is lost.

    Args:
        max_shift: Largest shift, in cells; 0 for none.

    References:
        S. Schnake, Universitaet Hamburg 2019 (data augmentation: flipping, rotating and shifting).
    """

    def __init__(self, max_shift: int = 1) -> None:
        if max_shift < 0:
            raise ValueError(f"max_shift must be >= 0 cells; got {max_shift}")
        self.max_shift = max_shift

    def __call__(self, grid: Tensor, generator: torch.Generator) -> Tensor:
        """Augment grids (B, C, L, X, Y) with X = Y; the result has the same shape.

        Raises:
            ValueError: If the grid is not square across.
        """
        n = grid.shape[-1]
        if grid.shape[-2] != n:
            raise ValueError(f"the 8 symmetries need as many cells in x as in y; got {grid.shape[-2]} x {n}")
        B = len(grid)
        lit = (grid != 0).flatten(1, 2).any(1)
        x_range, y_range = _lit_range(lit.any(2)), _lit_range(lit.any(1))
        code = torch.randint(0, 8, (B,), generator=generator, device=grid.device)
        shift_x = self._shift(x_range, n, generator)
        shift_y = self._shift(y_range, n, generator)
        # Source cell of every target cell: where the symmetry puts it, moved back by the shift.
        axis = torch.arange(n, device=grid.device)
        tx = axis[None, :, None].expand(B, n, n)
        ty = axis[None, None, :].expand(B, n, n)
        swap, mirror_x, mirror_y = ((code >> bit & 1).bool()[:, None, None] for bit in range(3))
        u, v = torch.where(swap, ty, tx), torch.where(swap, tx, ty)
        u, v = torch.where(mirror_x, n - 1 - u, u), torch.where(mirror_y, n - 1 - v, v)
        # cells that wrap around are empty, because the shift keeps all lit cells inside
        source = (u - shift_x[:, None, None]) % n * n + (v - shift_y[:, None, None]) % n
        flat = grid.reshape(B, -1, n * n)
        index = source.reshape(B, 1, n * n).expand(-1, flat.shape[1], -1)
        return flat.gather(2, index).view(grid.shape)

    def _shift(self, lit_range: tuple[Tensor, Tensor], n: int, generator: torch.Generator) -> Tensor:
        low, high = lit_range
        step = torch.randint(-self.max_shift, self.max_shift + 1, low.shape, generator=generator, device=low.device)
        return torch.minimum(torch.maximum(step, -low), n - 1 - high)


def _lit_range(lit: Tensor) -> tuple[Tensor, Tensor]:
    """First and last lit position along the last axis, (B, N) -> (B,), (B,); (0, N - 1) where nothing is lit."""
    n = lit.shape[-1]
    position = torch.arange(n, device=lit.device)
    empty = ~lit.any(1)
    low = torch.where(lit, position, n).amin(1).masked_fill(empty, 0)
    high = torch.where(lit, position, -1).amax(1).masked_fill(empty, n - 1)
    return low, high
