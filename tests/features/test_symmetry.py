"""Augmentation: a symmetry of the square moves cells and changes nothing else."""

import pytest
import torch

from showercal.features import GridAugmentation
from showercal.training._batches import generator

SHAPE = (400, 2, 3, 8, 8)


@pytest.fixture
def grid() -> torch.Tensor:
    draws = torch.Generator().manual_seed(3)
    lit = torch.rand(SHAPE, generator=draws) < 0.05
    return torch.rand(SHAPE, generator=draws) * lit


def all_images(image: torch.Tensor) -> list[torch.Tensor]:
    """The 8 symmetries, by rotating and mirroring."""
    turned = [torch.rot90(image, k, (-2, -1)) for k in range(4)]
    return turned + [turn.flip(-1) for turn in turned]


def test_every_event_becomes_one_of_its_8_images(grid: torch.Tensor) -> None:
    result = GridAugmentation(max_shift=0)(grid, generator("test", 1))
    found = set()
    for before, after in zip(grid, result, strict=True):
        matches = [k for k, image in enumerate(all_images(before)) if torch.equal(image, after)]
        assert matches
        found.add(matches[0])
    assert found == set(range(8))


def test_shift_loses_no_signal_and_moves_whole_cells(grid: torch.Tensor) -> None:
    inner = torch.zeros_like(grid)
    inner[..., 2:5, 1:7] = grid[..., 2:5, 1:7]
    result = GridAugmentation(max_shift=2)(inner, generator("test", 2))
    for before, after in zip(inner, result, strict=True):
        # layer by layer the same numbers, only elsewhere
        torch.testing.assert_close(after.flatten(2).sort().values, before.flatten(2).sort().values)
    assert not torch.equal(result, inner)


def test_shifts_reach_every_step() -> None:
    grid = torch.zeros(500, 1, 1, 8, 8)
    grid[..., 3, 4] = 1
    result = GridAugmentation(max_shift=1)(grid, generator("test", 3))
    places = {tuple(place.tolist()) for place in result[:, 0, 0].nonzero()[:, 1:]}
    # the 4 images of (3, 4) under the symmetries are the 4 central cells; shifts widen them to 4 x 4 = 16 cells
    assert places == {(x, y) for x in range(2, 6) for y in range(2, 6)}


def test_cells_at_the_edge_are_not_pushed_out() -> None:
    grid = torch.zeros(200, 1, 1, 8, 8)
    grid[..., 0, :] = 1
    result = GridAugmentation(max_shift=3)(grid, generator("test", 4))
    torch.testing.assert_close(result.sum((1, 2, 3, 4)), torch.full((200,), 8.0))


def test_empty_events_stay_empty() -> None:
    assert not GridAugmentation()(torch.zeros(5, 1, 2, 8, 8), generator("test", 5)).any()


def test_same_generator_same_result(grid: torch.Tensor) -> None:
    augmentation = GridAugmentation()
    torch.testing.assert_close(augmentation(grid, generator("a", 1)), augmentation(grid, generator("a", 1)))
    assert not torch.equal(augmentation(grid, generator("a", 1)), augmentation(grid, generator("a", 2)))


def test_refusals() -> None:
    with pytest.raises(ValueError, match="as many cells in x as in y; got 8 x 4"):
        GridAugmentation()(torch.zeros(1, 1, 2, 8, 4), generator("test", 6))
    with pytest.raises(ValueError, match="max_shift must be >= 0"):
        GridAugmentation(-1)
