"""Batches cut from ragged columns, against the obvious loop."""

import numpy as np
import pytest
import torch

from showercal.features import DenseColumn, RaggedColumn


@pytest.fixture
def ragged(rng: np.random.Generator) -> RaggedColumn:
    counts = rng.integers(0, 6, 40)
    counts[[0, 7, 39]] = 0  # empty events at both ends and inside
    n_hits = int(counts.sum())
    return RaggedColumn(
        torch.from_numpy(rng.integers(0, 24, n_hits).astype(np.int32)),
        torch.from_numpy(rng.normal(size=(n_hits, 2)).astype(np.float32)),
        torch.from_numpy(np.concatenate([[0], np.cumsum(counts)])),
    )


def loop_grid(column: RaggedColumn, events: list[int], shape: tuple[int, int, int]) -> torch.Tensor:
    grid = torch.zeros(len(events), 2, *shape)
    for place, event in enumerate(events):
        for hit in range(int(column.offsets[event]), int(column.offsets[event + 1])):
            layer, rest = divmod(int(column.cell[hit]), shape[1] * shape[2])
            grid[place, :, layer, rest // shape[2], rest % shape[2]] += column.values[hit]
    return grid


@pytest.mark.parametrize("events", [[0], [3, 3, 1], [39, 38, 0, 7], list(range(40))])
def test_grid_equals_loop(ragged: RaggedColumn, events: list[int]) -> None:
    grid = ragged.gather(torch.tensor(events)).to_grid((2, 3, 4))
    torch.testing.assert_close(grid, loop_grid(ragged, events, (2, 3, 4)))


def test_two_hits_in_one_cell_add_up() -> None:
    column = RaggedColumn(torch.tensor([5, 5]), torch.tensor([[1.0], [2.0]]), torch.tensor([0, 2]))
    grid = column.gather(torch.tensor([0])).to_grid((1, 2, 3))
    assert grid[0, 0, 0, 1, 2] == 3.0
    assert grid.sum() == 3.0


def test_every_hit_is_gathered_once_and_in_order(ragged: RaggedColumn) -> None:
    events = [4, 0, 11, 39]
    hits = ragged.gather(torch.tensor(events))
    for place, event in enumerate(events):
        expected = ragged.values[ragged.offsets[event] : ragged.offsets[event + 1]]
        torch.testing.assert_close(hits.values[hits.event == place], expected)
        assert hits.count[place] == len(expected)


def test_dense_column_keeps_order(rng: np.random.Generator) -> None:
    values = torch.from_numpy(rng.normal(size=(5, 2, 3)))
    torch.testing.assert_close(DenseColumn(values).gather(torch.tensor([4, 0])), values[[4, 0]])
