"""Features of events: sums against a loop, scales from training events only, state, refusals."""

import json
from collections.abc import Callable
from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
import torch

from showercal import Events, detector
from showercal.errors import DataError, GeometryError, NotFittedError
from showercal.features import (
    FeatureExtractor,
    Images,
    LayerSums,
    LinearEnergy,
    Neighbourhoods,
    Points,
    Table,
    Voxels,
    layer_sums,
)

MakeEvents = Callable[[int], Events]


def batch(extractor: FeatureExtractor, events: Events) -> dict[str, torch.Tensor]:
    return extractor.batch(extractor.transform(events), torch.arange(len(events)))


def test_layer_sums_equal_loop(make_events: MakeEvents) -> None:
    events, calorimeter = make_events(30), detector("toy-sandwich")
    sums = layer_sums(events, calorimeter, "cells.energy")
    for row, event in zip(sums, events.array, strict=True):
        expected = np.zeros(17)
        for cell in event.cells:
            expected[cell.id // 64] += cell.energy
        np.testing.assert_allclose(row, expected, rtol=1e-6)


def test_grid_sum_is_the_scaled_sum_of_cells(make_events: MakeEvents) -> None:
    events = make_events(50)
    extractor = FeatureExtractor({"grid": Voxels(values=("cells.energy",))}).fit(events)
    grid = batch(extractor, events)["grid"]
    assert grid.shape == (50, 1, 17, 8, 8)
    total = ak.to_numpy(ak.sum(events.field("cells.energy"), axis=1)) / float(extractor.scale_["grid"][0])
    np.testing.assert_allclose(grid.sum((1, 2, 3, 4)).numpy(), total, rtol=1e-5, atol=1e-6)


def test_grid_in_a_unit_holds_the_values_over_it(make_events: MakeEvents) -> None:
    """Whatever events it was fitted on: a unit of 1 leaves the values as they are."""
    events = make_events(50)
    extractor = FeatureExtractor({"grid": Voxels(values=("cells.energy",), unit=1)}).fit(events[:7])
    total = ak.to_numpy(ak.sum(events.field("cells.energy"), axis=1))
    np.testing.assert_allclose(batch(extractor, events)["grid"].sum((1, 2, 3, 4)).numpy(), total, rtol=1e-5, atol=1e-6)
    again = FeatureExtractor({"grid": Voxels(values=("cells.energy",), unit=0.5)}).fit(events)
    torch.testing.assert_close(batch(again, events)["grid"], 2 * batch(extractor, events)["grid"])


def test_grid_position_is_that_of_the_geometry(make_events: MakeEvents) -> None:
    events, calorimeter = make_events(20), detector("toy-sandwich")
    extractor = FeatureExtractor({"grid": Voxels(values=("cells.energy",))}).fit(events)
    grid = batch(extractor, events)["grid"][:, 0]
    for number, event in enumerate(events.array):
        lit = {tuple(int(i) for i in place) for place in grid[number].nonzero()}
        assert lit == {tuple(int(i) for i in calorimeter.cell_index(int(cell.id))) for cell in event.cells}


def test_scales_come_from_training_events_only(make_events: MakeEvents) -> None:
    train, other = make_events(200), make_events(100)
    config = {"sums": LayerSums(values=("cells.energy",)), "impact": Table(values=("impact_x",))}
    extractor = FeatureExtractor(config).fit(train)
    features = batch(extractor, train)
    torch.testing.assert_close(features["impact"].mean(0), torch.zeros(1), atol=1e-5, rtol=0)
    torch.testing.assert_close(features["impact"].std(0), torch.ones(1), atol=1e-4, rtol=0)
    assert features["sums"].shape == (200, 18)
    x = other.scalar("impact_x")
    expected = (x - train.scalar("impact_x").mean()) / train.scalar("impact_x").std(ddof=1)
    np.testing.assert_allclose(batch(extractor, other)["impact"][:, 0].numpy(), expected, rtol=1e-4, atol=1e-5)


def test_learning_and_making_columns_at_once_is_the_same(make_events: MakeEvents) -> None:
    events = make_events(60)
    config = {
        "hits": Neighbourhoods(values=("cells.energy",)),
        "start": LinearEnergy(values=("cells.energy",)),
        "grid": Voxels(values=("cells.energy",)),
        "impact": Table(values=("impact_x",)),
    }
    at_once, apart = FeatureExtractor(config), FeatureExtractor(config)
    columns = at_once.fit_transform(events)
    assert at_once.state() == apart.fit(events).state()
    for name, column in apart.transform(events).items():
        for array, expected in zip(vars(columns[name]).values(), vars(column).values(), strict=True):
            assert torch.equal(array, expected), name


def test_a_feature_that_never_varies_stays_finite(make_events: MakeEvents) -> None:
    events = make_events(20)
    array = ak.with_field(events.array, np.ones(20), "always")
    events = replace(events, array=array, units={**events.units, "always": "1"})
    features = batch(FeatureExtractor({"t": Table(values=("always",))}).fit(events), events)
    assert (features["t"] == 0).all()


def test_images_keep_their_shape(make_events: MakeEvents, rng: np.random.Generator) -> None:
    events = make_events(12)
    image = rng.normal(size=(12, 4, 2))
    events = replace(
        events,
        array=ak.with_field(events.array, image, "front"),
        units={**events.units, "front": "GeV"},
    )
    extractor = FeatureExtractor({"front": Images(values=("front",))}).fit(events)
    assert extractor.shapes() == {"front": (4, 2)}
    assert batch(extractor, events)["front"].shape == (12, 4, 2)


def test_points_carry_positions(make_events: MakeEvents) -> None:
    events, calorimeter = make_events(30), detector("toy-sandwich")
    extractor = FeatureExtractor({"set": Points(values=("cells.energy",))}).fit(events)
    order = torch.tensor([7, 3, 29, 3])
    features = extractor.batch(extractor.transform(events), order)
    points = features["set"] * extractor.scale_["set"] + extractor.shift_["set"]
    for place, number in enumerate(order.tolist()):
        cells = events.array[number].cells
        mine = features["set_event"] == place
        np.testing.assert_array_equal(features["set_layer"][mine].numpy(), ak.to_numpy(cells.id) // 64)
        expected = np.column_stack([ak.to_numpy(cells.energy), calorimeter.cell_position(ak.to_numpy(cells.id))])
        np.testing.assert_allclose(points[mine].numpy(), expected, rtol=1e-4, atol=1e-2)


def test_state_survives_json(make_events: MakeEvents) -> None:
    events = make_events(40)
    config = {"grid": Voxels(values=("cells.energy",)), "impact": Table(values=("impact_x",))}
    extractor = FeatureExtractor(config).fit(events)
    again = FeatureExtractor.from_state(config, json.loads(json.dumps(extractor.state())))
    for name, values in batch(extractor, events).items():
        torch.testing.assert_close(batch(again, events)[name], values)


def test_tables_need_no_geometry(make_events: MakeEvents) -> None:
    events = replace(make_events(20), geometry=None)
    assert batch(FeatureExtractor({"t": Table(values=("impact_x",))}).fit(events), events)["t"].shape == (20, 1)
    with pytest.raises(DataError, match="need the geometry of the events"):
        FeatureExtractor({"grid": Voxels(values=("cells.energy",))}).fit(events)


def test_the_geometry_counts_where_cells_are_used(make_events: MakeEvents) -> None:
    """Scalars of the event ask for no calorimeter, though the training events carry one."""
    events = make_events(20)
    other = replace(events, geometry=replace(detector("toy-sandwich"), cell_x=70.0, name="narrow").to_dict())
    table = FeatureExtractor({"t": Table(values=("impact_x",))}).fit(events)
    assert table.calorimeter_ is None
    expected = batch(table, events)["t"]
    for without in (other, replace(events, geometry=None)):
        torch.testing.assert_close(batch(table, without)["t"], expected)
    both = FeatureExtractor({"t": Table(values=("impact_x",)), "s": LayerSums(values=("cells.energy",))}).fit(events)
    assert both.calorimeter_ == detector("toy-sandwich")
    with pytest.raises(DataError, match=r"come from 'narrow'.*trained on 'toy-sandwich'"):
        both.transform(other)


def test_refusals(make_events: MakeEvents) -> None:
    events = make_events(20)
    extractor = FeatureExtractor({"grid": Voxels(values=("cells.energy",))})
    with pytest.raises(NotFittedError, match="call fit"):
        extractor.transform(events)
    extractor.fit(events)
    other = replace(detector("toy-sandwich"), cell_x=70.0, name="narrow")
    with pytest.raises(DataError, match=r"come from 'narrow'.*trained on 'toy-sandwich'"):
        extractor.transform(replace(events, geometry=other.to_dict()))
    with pytest.raises(DataError, match=r"no field 'cells.enrgy'; nearest known: 'cells.energy'"):
        FeatureExtractor({"grid": Voxels(values=("cells.enrgy",))}).fit(events)
    cells = ak.with_field(events.array.cells, events.array.cells.id + 2000, "id")
    outside = replace(events, array=ak.with_field(events.array, cells, "cells"))
    with pytest.raises(GeometryError, match="run from 0 to 1087"):
        extractor.transform(outside)
