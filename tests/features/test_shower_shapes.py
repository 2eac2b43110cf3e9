"""Shower shapes and profiles against the obvious loop over cells, and on events whose shapes are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import awkward as ak
import numpy as np
import pytest

from showercal import BoxCalorimeter, Events, detector
from showercal.errors import DataError
from showercal.features import CELL_EDGES, ring_edges, shower_hits, shower_profiles, shower_shapes

BOX = detector("toy-sandwich")


def one_event(
    cells: dict[tuple[int, int, int], float], tracks: dict[tuple[int, int, int], int] | None = None
) -> Events:
    """An electron of 2 GeV at the centre of cell (4, 4) with cell energies in MeV."""
    number = [int(BOX.cell_number(*place)) for place in cells]
    record = {
        "id": ak.Array([number]),
        "energy": ak.Array([[1e-3 * e for e in cells.values()]]),
        "tracks": ak.Array([[1 if tracks is None else tracks[place] for place in cells]]),
    }
    array = ak.zip(
        {"energy_true": [2.0], "impact_x": [37.5], "impact_y": [37.5], "cells": ak.zip(record)}, depth_limit=1
    )
    units = {"energy_true": "GeV", "impact_x": "mm", "impact_y": "mm"}
    units |= {"cells.id": "1", "cells.energy": "GeV", "cells.tracks": "1"}
    return Events(array, units, BOX.to_dict(), {})


def test_shapes_of_a_known_event() -> None:
    place = {(0, 4, 4): 2.0, (2, 4, 4): 12.0, (2, 5, 4): 5.0, (16, 4, 4): 0.5, (3, 4, 0): 0.5}
    tracks = {(0, 4, 4): 1, (2, 4, 4): 30, (2, 5, 4): 10, (16, 4, 4): 2, (3, 4, 0): 1}
    shapes = shower_shapes(one_event(place, tracks))
    expected = {
        "energy_true": 2.0,
        "visible_fraction": 20 / 2000,
        "tracks_per_gev": 22.0,
        "tracks_per_visible_mev": 2.2,
        "tracks_depth": (2 * 40 + 3 + 16 * 2) / 44,
        "share_layers_0_0": 0.1,
        "share_layers_2_2": 0.85,
        "share_layers_14_16": 0.025,
        "depth_mean": (2 * 17 + 3 * 0.5 + 16 * 0.5) / 20,
        "shower_maximum": 2,
        "shower_start": 2,
        "share_maximum_layer": 0.85,
        "share_last_layers": 0.025,
        "share_outermost_cells": 0.025,
        "centre_x": 75 * 5 / 20,
        "centre_y": -300 * 0.5 / 20,
        "radius_mean": (75 * 5 + 300 * 0.5) / 20,
        "radius_rms": math.sqrt((75**2 * 5 + 300**2 * 0.5) / 20),
        "radius_back": 0.0,
        "lit_cells_0_mev": 5,
        "lit_cells_1_mev": 3,
        "lit_cells_10_mev": 1,
        "share_highest_cell": 0.6,
        "share_second_cell": 0.25,
        "share_fifth_cell": 0.025,
        "concentration": (4 + 144 + 25 + 0.5) / 400,
        "log_cell_mean": np.log10([2, 12, 5, 0.5, 0.5]).mean(),
        "log_cell_rms": np.log10([2, 12, 5, 0.5, 0.5]).std(),
        "log_cell_median": math.log10(2),
        "log_cell_90": math.log10(5),
    }
    for name, value in expected.items():
        assert shapes.column(name)[0] == pytest.approx(value), name
    assert math.isnan(shapes.column("radius_middle")[0])


def test_an_event_stands_alone(make_events: Callable[[int], Events]) -> None:
    """Dark and single-cell events among others do not shift their neighbours."""
    events = make_events(60)
    assert 0 in ak.num(events.array.cells)
    assert 1 in ak.num(events.array.cells)
    together = shower_shapes(events)
    alone = np.concatenate([shower_shapes(events[k : k + 1]).values for k in range(60)])
    np.testing.assert_allclose(together.values, alone, rtol=1e-9, atol=1e-9)  # running sums in another order
    dark = ak.to_numpy(ak.num(events.array.cells)) == 0
    assert np.all(together.column("visible_fraction")[dark] == 0)
    assert np.all(np.isnan(together.column("depth_mean")[dark]))
    assert np.all(np.isfinite(together.column("depth_mean")[~dark]))


def test_order_of_the_cells_does_not_count(make_events: Callable[[int], Events]) -> None:
    events = make_events(40)
    turned = replace(events, array=ak.with_field(events.array, events.array.cells[:, ::-1], "cells"))
    np.testing.assert_allclose(shower_shapes(events).values, shower_shapes(turned).values, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["toy-sandwich", "pbwo4-block"])
def test_shares_sum_to_one(name: str, make_events: Callable[[int], Events]) -> None:
    box: BoxCalorimeter = detector(name)
    events = replace(make_events(50), geometry=box.to_dict())  # the cells of the sandwich are cells of the block too
    shapes = shower_shapes(events)
    lit = shapes.column("visible_fraction") > 0
    shares = [shapes.column(one) for one in shapes.names if one.startswith("share_layers_")]
    assert len(shares) == 9
    np.testing.assert_allclose(np.sum(shares, axis=0)[lit], 1)
    assert 30 <= len(shapes.names) <= 45


def test_profiles_hold_all_energy(make_events: Callable[[int], Events]) -> None:
    events = make_events(80)
    hits = shower_hits(events, BOX)
    profiles = shower_profiles(hits, BOX)
    visible = 1e3 * ak.to_numpy(ak.sum(events.array.cells.energy, axis=1)).astype(float)
    np.testing.assert_allclose(profiles.layers.sum(1), visible, rtol=1e-5)
    np.testing.assert_allclose(profiles.rings.sum(1), visible, rtol=1e-5)
    np.testing.assert_array_equal(profiles.cells.sum(1), ak.num(events.array.cells))
    assert profiles.rings.shape[1] == len(ring_edges(BOX)) - 1
    assert profiles.cells.shape[1] == len(CELL_EDGES) - 1


def test_profiles_of_a_known_event() -> None:
    events = one_event({(2, 4, 4): 12.0, (2, 5, 4): 5.0, (3, 0, 0): 0.5})
    profiles = shower_profiles(shower_hits(events, BOX), BOX)
    np.testing.assert_allclose(np.flatnonzero(profiles.layers[0]), [2, 3])
    edges = ring_edges(BOX)
    for radius, energy in ((0.0, 12.0), (75.0, 5.0), (math.hypot(300, 300), 0.5)):
        ring = min(int(np.searchsorted(edges, radius, side="right")) - 1, len(edges) - 2)
        assert profiles.rings[0, ring] == pytest.approx(energy)


def test_what_is_missing_is_named(make_events: Callable[[int], Events]) -> None:
    events = make_events(3)
    with pytest.raises(DataError, match="carry no geometry"):
        shower_shapes(replace(events, geometry=None))
    with pytest.raises(DataError, match="no shower shape 'depth_men'; nearest known: 'depth_mean'"):
        shower_shapes(events).column("depth_men")
