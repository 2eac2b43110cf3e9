"""Events some at a time: blocks are whole and small, and nothing that is made from them depends on how they are cut."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from showercal import Events, detector
from showercal.features import FeatureExtractor, LayerSums, LinearEnergy, Neighbourhoods, Points, Voxels, layer_sums
from showercal.features._blocks import blocks
from showercal.features._columns import RaggedColumn, cell_type
from showercal.features._extractor import _mean_and_spread

MakeEvents = Callable[[int], Events]


def test_blocks_are_whole_and_small(make_events: MakeEvents) -> None:
    events = make_events(40)
    counts = np.diff(events.cell_offsets)
    limit = int(counts.max()) + 5
    cut = list(blocks(events, limit))
    assert len(cut) > 5
    assert [place for block in cut for place in range(40)[block]] == list(range(40))
    assert all(counts[block].sum() <= limit for block in cut)
    # no block could have taken the next event, too
    assert all(counts[block.start : block.stop + 1].sum() > limit for block in cut[:-1])
    assert list(blocks(events, 1)) == [slice(k, k + 1) for k in range(40)]
    assert list(blocks(events)) == [slice(0, 40)]
    assert list(blocks(events[:0])) == [slice(0, 0)]


def test_columns_do_not_depend_on_blocks(make_events: MakeEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    events = make_events(60)
    config: Any = {
        "grid": Voxels(values=("cells.energy",)),
        "set": Points(values=("cells.energy",)),
        "hits": Neighbourhoods(values=("cells.energy",)),
        "sums": LayerSums(values=("cells.energy",)),
        "start": LinearEnergy(values=("cells.energy",)),
    }
    whole = FeatureExtractor(config)
    expected, sums = whole.fit_transform(events), layer_sums(events, detector("toy-sandwich"), "cells.energy")
    some = functools.partial(blocks, n_hits=20)
    assert len(list(some(events))) > 10
    for module in ("_extractor", "_sums"):
        monkeypatch.setattr(f"showercal.features.{module}.blocks", some)
    np.testing.assert_array_equal(layer_sums(events, detector("toy-sandwich"), "cells.energy"), sums)
    for name, column in whole.transform(events).items():
        for array, other in zip(vars(column).values(), vars(expected[name]).values(), strict=True):
            assert torch.equal(array, other), name
    learned = FeatureExtractor(config).fit(events).learned_  # sums in another order
    for name, constants in learned.items():
        torch.testing.assert_close(constants, whole.learned_[name], rtol=1e-12, atol=1e-12)


def test_mean_and_spread_of_parts(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Joined from parts as from all at once, far from 0, where a difference of squares would lose all digits."""
    values = torch.from_numpy(1e7 + rng.normal(size=(1001, 3)))
    monkeypatch.setattr("showercal.features._extractor._ROWS_AT_A_TIME", 100)
    mean, spread = _mean_and_spread(values)
    torch.testing.assert_close(mean, values.mean(0), rtol=1e-14, atol=0)
    torch.testing.assert_close(spread, values.std(0), rtol=1e-9, atol=0)


@pytest.mark.parametrize("n_cells", [2**16, 2**16 + 1])
def test_cell_numbers_come_back(n_cells: int) -> None:
    """Two bytes hold those of up to 65,536 cells, as the 51,200 of the muon study, four bytes more."""
    number = torch.tensor([0, 32767, 32768, n_cells - 1, 40000])
    column = RaggedColumn(number.to(cell_type(n_cells)), torch.zeros(5, 1), torch.tensor([0, 2, 5]))
    assert column.cell.element_size() == (2 if n_cells == 2**16 else 4)
    hits = column.gather(torch.tensor([1, 0]))
    assert hits.cell.tolist() == [32768, n_cells - 1, 40000, 0, 32767]
