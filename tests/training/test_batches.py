"""Batches hold every event once, and none of a training is too short to be normalised."""

import pytest
import torch

from showercal.features import DenseColumn, FeatureExtractor
from showercal.training._batches import Batches


def sizes(n_events: int, batch_size: int, seed: int | None) -> list[int]:
    energy = torch.arange(n_events, dtype=torch.float32)
    extractor = FeatureExtractor({})
    batches = Batches(extractor, {"x": DenseColumn(energy[:, None])}, energy, batch_size, seed)
    seen = list(batches)
    assert len(seen) == len(batches)
    joined = torch.cat([batch.energy_true for batch in seen])
    assert torch.equal(joined.sort().values, energy)
    assert all(torch.equal(batch.features["x"][:, 0], batch.energy_true) for batch in seen)
    assert torch.equal(joined, energy) == (seed is None)
    return [len(batch) for batch in seen]


@pytest.mark.parametrize(
    ("n_events", "expected"), [(200, [50] * 4), (201, [50, 50, 50, 51]), (205, [50] * 4 + [5]), (40, [40])]
)
def test_a_short_remainder_joins_the_batch_before_it(n_events: int, expected: list[int]) -> None:
    assert sizes(n_events, 50, seed=1) == expected


def test_in_order_the_last_batch_takes_what_is_left() -> None:
    assert sizes(201, 50, seed=None) == [50] * 4 + [1]
