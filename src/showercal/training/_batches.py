"""Batches of features, cut from columns that live on the training device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from showercal.features import Columns, FeatureExtractor

# Of a batch: fewer events are no batch of their own in training.
_LEAST: Final = 0.1


@dataclass(frozen=True)
class Batch:
    """Features and truth of B events.

    Attributes:
        features: What a network's forward takes.
        energy_true: Shape (B,), [GeV].
    """

    features: dict[str, Tensor]
    energy_true: Tensor

    def __len__(self) -> int:
        return len(self.energy_true)

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device; what Lightning calls."""
        return Batch({name: f.to(device) for name, f in self.features.items()}, self.energy_true.to(device))


class Batches:
    """Iterates over all events once, in batches; in an order drawn from (seed, epoch) when ``seed`` is given.

    Args:
        extractor: Makes features of a batch from the columns.
        columns: Of N events.
        energy_true: Shape (N,), [GeV].
        batch_size: Events per batch; the last batch takes what is left. In training, less than a tenth of a batch joins
            the batch before it: a few events make a poor step, and one alone cannot be normalised.
        seed: None keeps the order.
        epoch: Called at the start of every pass for the number of the epoch.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        columns: Columns,
        energy_true: Tensor,
        batch_size: int,
        seed: int | None = None,
        epoch: Callable[[], int] = lambda: 0,
    ) -> None:
        self.extractor, self.columns, self.energy_true = extractor, columns, energy_true
        self.batch_size, self.seed, self.epoch = batch_size, seed, epoch

    def __len__(self) -> int:
        n_whole, left = divmod(len(self.energy_true), self.batch_size)
        joins = self.seed is not None and n_whole > 0 and left < _LEAST * self.batch_size
        return n_whole + (left > 0 and not joins)

    def __iter__(self) -> Iterator[Batch]:
        n = len(self.energy_true)
        order = torch.arange(n)
        if self.seed is not None:
            order = torch.randperm(n, generator=generator("order", self.seed, self.epoch()))
        edges = torch.arange(1, len(self)) * self.batch_size
        for chosen in order.to(self.energy_true.device).tensor_split(edges):
            yield Batch(self.extractor.batch(self.columns, chosen), self.energy_true[chosen])


def generator(purpose: str, *numbers: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A random generator that depends on nothing but its arguments, so that a resumed training draws the same."""
    state = 0xCBF29CE484222325  # FNV-1a, 64 bit
    for byte in f"{purpose}:{numbers}".encode():
        state = ((state ^ byte) * 0x100000001B3) % 2**64
    return torch.Generator(device=device).manual_seed(state >> 1)
