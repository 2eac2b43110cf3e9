"""What lies around a lit cell: against a search through all cells, and unchanged by shifts and symmetries."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from showercal import Events, detector
from showercal.features import FeatureExtractor, Neighbourhoods, neighbourhoods
from showercal.features import _extractor as extractor_module

MakeEvents = Callable[[int], Events]
Cells = dict[tuple[int, int, int], float]
SANDWICH = detector("toy-sandwich")
FIELD = ("cells.energy",)


def features(events: list[Cells], unit: float = 1.0) -> torch.Tensor:
    """Features (H, 11) of hits given as {(layer, x, y): signal} per event."""
    numbers = [int(SANDWICH.cell_number(*place)) for event in events for place in event]
    fields = {
        "offsets": torch.tensor(np.cumsum([0, *(len(event) for event in events)])),
        "cells.id": torch.tensor(numbers, dtype=torch.int64),
        "cells.energy": torch.tensor([v for event in events for v in event.values()], dtype=torch.float32),
    }
    return neighbourhoods(fields, SANDWICH, FIELD, torch.tensor([unit]))


def draw(rng: np.random.Generator, n: int, low: int, high: int) -> Cells:
    """Some lit cells with x and y in [low, high)."""
    places = {(int(rng.integers(0, 17)), *(int(i) for i in rng.integers(low, high, 2))) for _ in range(n)}
    return {place: float(rng.exponential()) for place in places}


def test_sums_of_neighbours_equal_a_search(rng: np.random.Generator) -> None:
    events = [draw(rng, 60, 0, 8), {}, draw(rng, 150, 0, 8), {(0, 0, 0): 4.0}]
    found = features(events, unit=2.0)
    row = 0
    for event in events:
        for (layer, x, y), value in event.items():
            sums = dict.fromkeys(range(7), 0.0)
            for (other, ox, oy), signal in event.items():
                depth, across = other - layer, tuple(sorted((abs(ox - x), abs(oy - y))))
                group = {
                    (-1, (0, 0)): 0,
                    (1, (0, 0)): 1,
                    (0, (0, 1)): 2,
                    (0, (1, 1)): 3,
                    (-1, (0, 1)): 4,
                    (1, (0, 1)): 5,
                    (-1, (1, 1)): 6,
                    (1, (1, 1)): 6,
                }.get((depth, across))
                if group is not None:
                    sums[group] += signal / 2
            own = [np.sqrt(value / 2), np.log1p(5 * value)]
            np.testing.assert_allclose(found[row, :2].numpy(), own, rtol=1e-5)
            np.testing.assert_allclose(found[row, 4:].numpy(), np.sqrt(list(sums.values())), rtol=1e-5, atol=1e-5)
            row += 1
    assert row == len(found)


def test_distances_are_those_from_the_weighted_centre() -> None:
    # 3 parts at (2, 2), 1 part at (2, 6): the centre is (2, 3)
    found = features([{(0, 2, 2): 3.0, (5, 2, 6): 1.0}])
    np.testing.assert_allclose(found[:, 2:4].numpy(), [[1, 0], [3, 0]], atol=1e-6)


def test_shifts_and_symmetries_change_nothing(rng: np.random.Generator) -> None:
    event = draw(rng, 40, 2, 6)
    expected = features([event])
    moves: list[Callable[[int, int], tuple[int, int]]] = [
        lambda x, y: (x + 1, y - 2),
        lambda x, y: (7 - x, y),
        lambda x, y: (y, x),
        lambda x, y: (7 - y, x),
    ]
    for move in moves:
        moved = {(layer, *move(x, y)): value for (layer, x, y), value in event.items()}
        torch.testing.assert_close(features([moved]), expected, rtol=1e-5, atol=1e-5)


def test_events_do_not_see_each_other(make_events: MakeEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    events = make_events(50)
    extractor = FeatureExtractor({"hits": Neighbourhoods(values=FIELD)}).fit(events)
    whole = extractor.transform(events)["hits"].values
    for n_together in (1, 7):
        monkeypatch.setattr(extractor_module, "_CELLS_AT_A_TIME", n_together * 19 * 10 * 10)
        torch.testing.assert_close(extractor.transform(events)["hits"].values, whole, rtol=1e-5, atol=1e-5)
    assert extractor.shapes() == {"hits": (17, 11)}
    torch.testing.assert_close(whole.mean(0), torch.zeros(11), atol=1e-5, rtol=0)


def test_no_cell_at_all(make_events: MakeEvents) -> None:
    events = make_events(20)
    extractor = FeatureExtractor({"hits": Neighbourhoods(values=FIELD)}).fit(events)
    assert extractor.transform(events[:0])["hits"].values.shape == (0, 11)
