"""Columns of features in memory: dense or ragged tensors over all events, from which batches are gathered.

A batch of ragged data is cut out with index arithmetic on whole arrays, never with a Python loop over events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DenseColumn:
    """One array of the same shape per event.

    Args:
        values: Shape (N, ...).
    """

    values: Tensor

    def __len__(self) -> int:
        return len(self.values)

    def gather(self, events: Tensor) -> Tensor:
        """Values of some events: positions (B,) -> (B, ...)."""
        return self.values[events]

    def to(self, device: torch.device) -> DenseColumn:
        """The same column on a device."""
        return DenseColumn(self.values.to(device))


def cell_type(n_cells: int) -> torch.dtype:
    """Type of the cell numbers of a column: two bytes where they do, a third less memory than four beside a float32.

    They are meant without a sign: torch hardly computes with its own type for that.
    """
    return torch.int16 if n_cells <= 2**16 else torch.int32


@dataclass(frozen=True)
class RaggedColumn:
    """A list of hits per event, all lists end to end.

    Args:
        cell: Cell number of every hit, shape (H,), in the type that `cell_type` gives.
        values: Features of every hit, shape (H, F).
        offsets: Hits of event i are ``offsets[i]:offsets[i + 1]``, shape (N + 1,), int64.
    """

    cell: Tensor
    values: Tensor
    offsets: Tensor

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def gather(self, events: Tensor) -> Hits:
        """Hits of some events, positions (B,), in their order."""
        start = self.offsets[events]
        count = self.offsets[events + 1] - start
        last = torch.cumsum(count, 0)
        event = torch.repeat_interleave(torch.arange(len(events), device=events.device), count)
        # place in the batch, minus where the event's hits begin in the batch, plus where they begin in the column
        hit = torch.arange(len(event), device=events.device) + (start - last + count)[event]
        cell = self.cell[hit].long()
        if self.cell.dtype == torch.int16:
            cell = cell & 0xFFFF  # without the sign
        return Hits(count, event, cell, self.values[hit])

    def to(self, device: torch.device) -> RaggedColumn:
        """The same column on a device."""
        return RaggedColumn(self.cell.to(device), self.values.to(device), self.offsets.to(device))


@dataclass(frozen=True)
class Hits:
    """The hits of a batch of B events.

    Attributes:
        count: Hits of each event, shape (B,).
        event: Event of each hit within the batch, shape (H,).
        cell: Cell number of each hit, shape (H,).
        values: Shape (H, F).
    """

    count: Tensor
    event: Tensor
    cell: Tensor
    values: Tensor

    def to_grid(self, shape: tuple[int, int, int]) -> Tensor:
        """Dense grid (B, F, L, X, Y); hits in the same cell add up."""
        n_layers, n_x, n_y = shape
        n_cells = n_layers * n_x * n_y
        grid = torch.zeros(len(self.count) * n_cells, self.values.shape[1], device=self.values.device)
        grid.index_put_((self.event * n_cells + self.cell,), self.values, accumulate=True)
        return grid.view(len(self.count), n_layers, n_x, n_y, -1).permute(0, 4, 1, 2, 3)


Columns = Mapping[str, DenseColumn | RaggedColumn]
