"""Muon features against the obvious loop over cells, on events whose features are known, and their symmetries."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from scipy import ndimage

from samples import method_of
from showercal import BoxCalorimeter, Events, detector
from showercal.detectors import Layer
from showercal.errors import DataError, ExportError, GeometryError
from showercal.features import (
    MUON_FEATURES,
    FeatureConfig,
    FeatureExtractor,
    MuonFeatures,
    muon_features,
    shower_shapes,
)
from showercal.readers import open_mapped

NAMES = [feature.name for feature in MUON_FEATURES]
DOCS = Path(__file__).parents[2] / "docs" / "muon_features.md"
# Few cells, so that clusters meet the faces; layers of different thickness, so that fifths of the depth hold 1 to 3.
THICKNESS = (10.0, 20.0, 10.0, 5.0, 40.0, 20.0, 20.0, 10.0, 30.0, 15.0)
SMALL = BoxCalorimeter(
    "small", tuple(Layer("PbWO4", t) for t in THICKNESS), 6, 5, 4.0, 3.0, magnetic_field=(0.0, 2.0, 0.0)
)
BLOCK = detector("pbwo4-block")
Cells = Mapping[tuple[int, int, int], float]


def events_of(
    cells: Sequence[Cells], impact: Sequence[tuple[float, float]], box: BoxCalorimeter = SMALL, **more: object
) -> Events:
    """Events with cell energies in GeV by (layer, ix, iy)."""
    lists = {
        "id": ak.values_astype(ak.Array([[int(box.cell_number(*place)) for place in one] for one in cells]), np.int32),
        "energy": ak.values_astype(ak.Array([list(one.values()) for one in cells]), np.float64),
    }
    columns = {"energy_true": np.full(len(cells), 500.0), "cells": ak.zip(lists)}
    columns |= dict(zip(("impact_x", "impact_y"), np.array(impact, dtype=float).T, strict=True))
    units = {"energy_true": "GeV", "impact_x": "mm", "impact_y": "mm", "cells.id": "1", "cells.energy": "GeV"}
    return Events(ak.zip(columns, depth_limit=1), units, box.to_dict(), {})


def random_cells(rng: np.random.Generator, box: BoxCalorimeter) -> Cells:
    """A third of the cells with energies from far below an electronvolt to 3 GeV."""
    lit = rng.permutation(box.n_cells)[: box.n_cells // 3]
    energy = np.where(rng.random(len(lit)) < 0.1, 1e-12, 10 ** rng.uniform(-4, 0.5, len(lit)))
    places = np.stack(box.cell_index(lit), axis=1)
    return {(int(z), int(x), int(y)): float(e) for (z, x, y), e in zip(places, energy, strict=True)}


def random_events(rng: np.random.Generator, box: BoxCalorimeter = SMALL, n_events: int = 25) -> Events:
    half = 0.49 * np.array(box.width)
    impact = [tuple(rng.uniform(-half, half)) for _ in range(n_events)]
    return events_of([random_cells(rng, box) for _ in range(n_events)], impact, box)


def slow_features(
    cells: Cells, impact: tuple[float, float], box: BoxCalorimeter, low: float = 0.01, high: float = 0.1
) -> dict[str, float]:
    """The definitions, one by one, in plain Python."""
    lit = {place: e for place, e in cells.items() if e > 1e-9}
    position = {place: box.cell_position(int(box.cell_number(*place))).tolist() for place in lit}

    def mean(pairs: list[tuple[float, float]]) -> float:
        weight = sum(w for w, _ in pairs)
        return sum(w * v for w, v in pairs) / weight if pairs else 0.0

    def dx(place: tuple[int, int, int]) -> float:
        return float(position[place][0] - impact[0])

    def dy(place: tuple[int, int, int]) -> float:
        return float(position[place][1] - impact[1])

    above = {place: e for place, e in lit.items() if e > high}
    result = {
        "energy_high_cells": sum(above.values()),
        "energy_middle_cells": sum(e for e in lit.values() if low < e <= high),
        "energy_low_cells": sum(e for e in lit.values() if e <= low),
        "moment_x": sum(e * dx(c) for c, e in lit.items()) + sum(e * dx(c) for c, e in above.items()),
        "moment_y": sum(e * dy(c) for c, e in lit.items()) + sum(e * dy(c) for c, e in above.items()),
        "radius_squared": mean([(e, dx(c) ** 2 + dy(c) ** 2) for c, e in lit.items()]),
    }
    for name, some in (("centre_distance", lit), ("centre_distance_high_cells", above)):
        x, y = (mean([(e, d(c)) for c, e in some.items()]) for d in (dx, dy))
        result[name] = math.sqrt(x**2 + y**2)
    for fifth in range(5):
        inside = [c for c in lit if fifth <= 5 * position[c][2] / box.depth < fifth + 1]
        result[f"radius_squared_fifth_{fifth + 1}"] = mean([(lit[c], dx(c) ** 2 + dy(c) ** 2) for c in inside])
    clusters = slow_clusters(set(above))
    column = (math.floor(impact[0] / box.cell_x + box.n_x / 2), math.floor(impact[1] / box.cell_y + box.n_y / 2))
    on_track = [one for one in clusters if any(place[1:] == column for place in one)]
    for name, some_clusters in (("track", on_track), ("other", [one for one in clusters if one not in on_track])):
        most = max((len(one) for one in some_clusters), default=0)
        highest = max((sum(lit[c] for c in one) for one in some_clusters), default=0.0)
        result |= {
            f"{name}_clusters": len(some_clusters),
            f"{name}_cluster_cells_max": most,
            f"{name}_cluster_energy_max": highest,
            f"{name}_cluster_energy_per_cell": highest / most if most else 0.0,
            f"{name}_cluster_cells_mean": mean([(1.0, len(one)) for one in some_clusters]),
        }
    for axis, name in enumerate("zxy"):
        extents = [max(c[axis] for c in one) - min(c[axis] for c in one) for one in on_track]
        result[f"track_cluster_extent_{name}"] = max(extents, default=0)
    left = {place: e for place, e in lit.items() if e <= high}
    result["cube_energy_max"] = max(
        sum(e for c, e in left.items() if all(abs(c[a] - centre[a]) <= 1 for a in range(3)))
        for centre in np.ndindex(box.shape)
    )
    result["bending_energy"] = slow_bending(lit, position, impact, box)
    return result


def slow_clusters(places: set[tuple[int, int, int]]) -> list[set[tuple[int, int, int]]]:
    """Join what touches until nothing does."""
    clusters: list[set[tuple[int, int, int]]] = []
    for place in places:
        near = [
            one for one in clusters if any(sum(abs(a - b) for a, b in zip(place, c, strict=True)) == 1 for c in one)
        ]
        clusters = [one for one in clusters if one not in near] + [{place}.union(*near)]
    return clusters


def slow_bending(
    lit: Cells, position: Mapping[tuple[int, int, int], list[float]], impact: tuple[float, float], box: BoxCalorimeter
) -> float:
    """The circle by three of its points: both centres, and the first one mirrored in the front plane."""
    b_x, b_y, _ = box.magnetic_field
    field = math.sqrt(b_x**2 + b_y**2)
    points = []
    for is_back in (False, True):
        weight = beside = along = 0.0
        for place, e in lit.items():
            x, y, z = position[place]
            if (z >= box.depth / 2) == is_back:
                w = e * math.exp(-abs((x - impact[0]) * b_x + (y - impact[1]) * b_y) / field / 50)
                weight, along = weight + w, along + w * z
                beside += w * ((x - impact[0]) * b_y - (y - impact[1]) * b_x) / field
        if weight == 0:
            return 10_000.0
        points.append(complex(beside / weight, along / weight))
    points.append(points[0].conjugate())
    a, b, c = (abs(points[k] - points[k - 1]) for k in range(3))
    (p, q, r) = points
    area = abs(((q - p).conjugate() * (r - p)).imag) / 2
    radius = a * b * c / (4 * area) if area else math.inf
    return min(0.3 * field * radius / 1000, 10_000.0)


def named(values: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(NAMES, values.tolist(), strict=True))


@pytest.mark.parametrize(
    "box",
    [
        SMALL,
        replace(SMALL, magnetic_field=(1.0, -0.5, 3.0)),
        replace(SMALL, n_x=1, n_y=2),
        replace(SMALL, n_y=1, layers=SMALL.layers[:2]),
    ],
    ids=["block", "tilted-field", "narrow", "two-layers"],
)
def test_equal_the_obvious_loop(box: BoxCalorimeter, rng: np.random.Generator) -> None:
    events = random_events(rng, box)
    impacts = np.stack([events.scalar("impact_x"), events.scalar("impact_y")], axis=1)
    got = muon_features(events)
    for row, cells, impact in zip(got, events.array.cells, impacts, strict=True):
        places = zip(*(one.tolist() for one in box.cell_index(ak.to_numpy(cells.id))), strict=True)
        expected = slow_features(dict(zip(places, cells.energy.tolist(), strict=True)), tuple(impact), box)
        assert sorted(expected) == sorted(NAMES)
        # sums in another order; a circle by three points loses digits where it is nearly straight
        assert named(row) == pytest.approx(expected, rel=1e-7, abs=1e-9)


def test_random_events_show_every_feature(rng: np.random.Generator) -> None:
    """The comparison above would pass for nothing if a feature never varied."""
    assert np.all(muon_features(random_events(rng)).std(0) > 0)


def test_known_event() -> None:
    """A cluster of five cells on the track in an L, one off it, small cells in a cube behind."""
    cells = {(0, 16, 16): 0.2, (1, 16, 16): 1.0, (2, 16, 16): 0.4, (2, 17, 16): 0.3, (2, 18, 16): 0.1 + 1e-6}
    cells |= {(2, 19, 17): 0.5}  # touches the end of the L only by an edge
    cells |= {(40, 5, 5): 0.05, (41, 6, 6): 0.1, (42, 5, 5): 0.01, (43, 5, 5): 0.02, (40, 5, 6): 1e-10}
    known = named(muon_features(events_of([cells], [(1.875, 1.875)], BLOCK))[0])
    expected = {
        "energy_high_cells": 2.5,
        "energy_middle_cells": 0.17,
        "energy_low_cells": 0.01,
        "track_clusters": 1,
        "track_cluster_cells_max": 5,
        "track_cluster_energy_max": 2.0,
        "track_cluster_extent_x": 2,
        "track_cluster_extent_y": 0,
        "track_cluster_extent_z": 2,
        "track_cluster_energy_per_cell": 0.4,
        "track_cluster_cells_mean": 5,
        "other_clusters": 1,
        "other_cluster_cells_max": 1,
        "other_cluster_energy_max": 0.5,
        "other_cluster_energy_per_cell": 0.5,
        "other_cluster_cells_mean": 1,
        "cube_energy_max": 0.16,
        "radius_squared_fifth_1": 3.75**2 * (0.3 + 0.1 * 4 + 0.5 * 10) / 2.5,
        "radius_squared_fifth_2": 0,
        "centre_distance_high_cells": 3.75 * math.hypot(0.3 + 0.2 + 1.5, 0.5) / 2.5,
    }
    for name, value in expected.items():
        assert known[name] == pytest.approx(value, rel=1e-5), name


@pytest.mark.parametrize("momentum", [20.0, 200.0])
def test_bending_energy_is_the_momentum_of_a_clean_track(momentum: float) -> None:
    """Cells so small that the track is known: a circle of radius p / 0.3 B that enters along z."""
    fine = replace(BLOCK, n_x=40_001, n_y=1, cell_x=0.01, layers=BLOCK.layers)
    radius = 1e3 * momentum / (0.3 * 2.0)
    sagitta = radius - np.sqrt(radius**2 - fine.layer_centre() ** 2)
    for sign in (1, -1):
        cells = {(layer, 20_000 + round(sign * s / 0.01), 0): 0.02 for layer, s in enumerate(sagitta)}
        [[got]] = muon_features(events_of([cells], [(0.0, 0.0)], fine), ["bending_energy"])
        # the centre of half a track lies inside the circle: z^2 / 2 r averages to more than at the mean z
        z = fine.layer_centre().reshape(2, 25)
        expected = momentum * (z[1].mean() ** 2 - z[0].mean() ** 2) / ((z[1] ** 2).mean() - (z[0] ** 2).mean())
        assert got == pytest.approx(expected, rel=2e-3)  # half a cell of 10 um in a sagitta of 3 mm at least


def test_straight_track_and_dark_half_bend_as_little_as_can_be_told() -> None:
    straight = {(layer, 3, 2): 0.1 for layer in range(10)}
    half = {(layer, 3 - layer, 2): 0.1 for layer in range(3)}
    got = muon_features(events_of([straight, half, {}], [(1.0, 0.0)] * 3), ["bending_energy"])
    np.testing.assert_array_equal(got, np.full((3, 1), 10_000.0))


def test_an_event_without_a_lit_cell(rng: np.random.Generator) -> None:
    """All is zero but the bend, also with deposits below an electronvolt only; its neighbours do not change."""
    some = [random_cells(rng, SMALL) for _ in range(2)]
    impact = [(1.0, -2.0)] * 4
    got = muon_features(events_of([some[0], {}, {(3, 3, 1): 1e-12, (9, 0, 0): -0.5}, some[1]], impact))
    for row in (1, 2):
        assert {name: value for name, value in named(got[row]).items() if value} == {"bending_energy": 10_000.0}
    np.testing.assert_array_equal(got[[0, 3]], muon_features(events_of(some, impact[:2])))
    assert muon_features(events_of([{}, *some], impact[:3])[:0]).shape == (0, 28)


def test_hits_in_the_same_cell_add_up(rng: np.random.Generator) -> None:
    events = random_events(rng)
    cells = events.array.cells
    halves = ak.with_field(cells, cells.energy / 2, "energy")
    split = replace(events, array=ak.with_field(events.array, ak.concatenate([halves, halves], axis=1), "cells"))
    np.testing.assert_allclose(muon_features(split), muon_features(events), rtol=1e-9, atol=1e-9)


def test_order_of_cells_and_blocks_of_events_do_not_count(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = random_events(rng)
    turned = replace(events, array=ak.with_field(events.array, events.array.cells[:, ::-1], "cells"))
    np.testing.assert_allclose(muon_features(turned), muon_features(events), rtol=1e-9, atol=1e-9)
    many = np.tile(np.arange(25), 9)
    expected = muon_features(events)[many]
    monkeypatch.setattr("showercal.features._muon_features._HITS_AT_A_TIME", 1000)  # some 10 events
    np.testing.assert_array_equal(muon_features(events[many]), expected)


@pytest.mark.parametrize("axis", ["x", "y"])
def test_mirrored_muons_have_the_same_features(axis: str, rng: np.random.Generator) -> None:
    events = random_events(rng)
    layer, ix, iy = SMALL.cell_index(ak.to_numpy(ak.flatten(events.array.cells.id)))
    mirrored = (layer, SMALL.n_x - 1 - ix, iy) if axis == "x" else (layer, ix, SMALL.n_y - 1 - iy)
    number = ak.unflatten(SMALL.cell_number(*mirrored), ak.num(events.array.cells))
    array = ak.with_field(events.array, ak.with_field(events.array.cells, number, "id"), "cells")
    array = ak.with_field(array, -events.scalar(f"impact_{axis}"), f"impact_{axis}")
    got, expected = muon_features(replace(events, array=array)), muon_features(events)
    expected[:, NAMES.index(f"moment_{axis}")] *= -1
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def test_energies_and_thresholds_scale_together(rng: np.random.Generator) -> None:
    events = random_events(rng)
    cells = events.array.cells
    # none below an electronvolt, which does not scale
    cells = cells[cells.energy > 1e-6]
    once, twice = (
        replace(events, array=ak.with_field(events.array, ak.with_field(cells, f * cells.energy, "energy"), "cells"))
        for f in (1, 4)
    )
    expected = muon_features(once, thresholds=(0.01, 0.1))
    scales = [name != "bending_energy" and "GeV" in one.unit for name, one in zip(NAMES, MUON_FEATURES, strict=True)]
    assert sum(scales) == 10
    got = muon_features(twice, thresholds=(0.04, 0.4))
    np.testing.assert_allclose(got, expected * np.where(scales, 4, 1), rtol=1e-9, atol=1e-9)


def test_agree_with_shower_shapes(rng: np.random.Generator) -> None:
    """Two quantities are there in another form, made from arrays of all hits, which takes longer and more memory."""
    events = random_events(rng)
    shapes = shower_shapes(events)
    centre = np.hypot(shapes.column("centre_x"), shapes.column("centre_y"))
    np.testing.assert_allclose(muon_features(events, ["centre_distance"])[:, 0], centre, rtol=1e-9)
    square = shapes.column("radius_rms") ** 2
    np.testing.assert_allclose(muon_features(events, ["radius_squared"])[:, 0], square, rtol=1e-9)


def test_some_features_and_other_fields(rng: np.random.Generator) -> None:
    events = random_events(rng)
    array = ak.with_field(events.array, events.scalar("impact_x"), "track_x")
    array = ak.with_field(array[["energy_true", "cells", "impact_y", "track_x"]], events.array.impact_y, "impact_y")
    units = {**events.units, "track_x": "mm"}
    del units["impact_x"]
    renamed = replace(events, array=array, units=units)
    got = muon_features(renamed, ["moment_x", "energy_low_cells"], impact=("track_x", "impact_y"))
    expected = muon_features(events)[:, [NAMES.index("moment_x"), NAMES.index("energy_low_cells")]]
    np.testing.assert_array_equal(got, expected)
    with pytest.raises(DataError, match=r"no field 'impact_x'"):
        muon_features(renamed)


def test_refusals(rng: np.random.Generator) -> None:
    events = random_events(rng, n_events=5)
    with pytest.raises(DataError, match="carry no geometry"):
        muon_features(replace(events, geometry=None))
    with pytest.raises(DataError, match=r"no muon feature 'moment_z'; nearest known: 'moment_[xy]'"):
        muon_features(events, ["moment_z"])
    with pytest.raises(DataError, match=r"'moment_x' is named twice"):
        muon_features(events, ["moment_x", "moment_y", "moment_x"])
    with pytest.raises(DataError, match=r"must rise from 0 GeV or more; got \(0.1, 0.01\)"):
        muon_features(events, thresholds=(0.1, 0.01))
    for field in ((0.0, 0.0, 0.0), (0.0, 0.0, 4.0)):
        other = replace(events, geometry=replace(SMALL, magnetic_field=field).to_dict())
        with pytest.raises(
            DataError, match=r"bending_energy needs a magnetic field across the beam; 'small' has \(0.0"
        ):
            muon_features(other)
        rest = [name for name in NAMES if name != "bending_energy"]
        np.testing.assert_array_equal(muon_features(other, rest), muon_features(events, rest))
    for place in (12.5, math.nan):
        x = events.scalar("impact_x").copy()
        x[3] = place
        beside = replace(events, array=ak.with_field(events.array, x, "impact_x"))
        with pytest.raises(DataError, match=r"front face of 'small', which is 24 x 15 mm.* at event 3 \(1 of 5\)"):
            muon_features(beside)
    cells = [{(0, 0, 0): 1.0}, {(0, 0, 0): 1.0, (1, 0, 0): math.inf}]
    with pytest.raises(DataError, match=r"muon features need finite cells.energy; got inf in event 1 \(1 of 3 values"):
        muon_features(events_of(cells, [(0, 0)] * 2))
    with pytest.raises(GeometryError, match="run from 0 to 149"):
        muon_features(replace(events, geometry=replace(SMALL, layers=SMALL.layers[:5]).to_dict()))


def test_options_of_a_recipe() -> None:
    read = TypeAdapter(FeatureConfig).validate_python
    assert read({"muon": {"kind": "muon_features"}}) == {"muon": MuonFeatures()}
    with pytest.raises(ValidationError, match="no muon feature 'moment_z'"):
        read({"muon": {"kind": "muon_features", "names": ["moment_z"]}})
    with pytest.raises(ValidationError, match="must rise from 0 GeV"):
        read({"muon": {"kind": "muon_features", "thresholds": [0.1, 0.01]}})


def test_extractor_standardises_them(rng: np.random.Generator) -> None:
    events = random_events(rng)
    extractor = FeatureExtractor({"muon": MuonFeatures(), "moments": MuonFeatures(names=("moment_x", "moment_y"))})
    columns = extractor.fit_transform(events)
    assert extractor.shapes() == {"muon": (28,), "moments": (2,)}
    again = columns["moments"].values * extractor.scale_["moments"] + extractor.shift_["moments"]
    np.testing.assert_allclose(again.numpy(), muon_features(events, ["moment_x", "moment_y"]), rtol=1e-4, atol=1e-4)
    with pytest.raises(DataError, match=r"come from 'other'.*trained on 'small'"):
        extractor.transform(replace(events, geometry=replace(SMALL, name="other").to_dict()))


def learnable(rng: np.random.Generator, n_events: int) -> Events:
    """Muons whose deposits grow with their energy."""
    energy = rng.uniform(100, 1000, n_events)
    cells = [{(layer, 3, 2): e * rng.uniform(1e-4, 2e-4) for layer in range(10)} for e in energy]
    events = events_of(cells, [(1.0, 0.0)] * n_events)
    return replace(events, array=ak.with_field(events.array, energy, "energy_true"))


@pytest.mark.parametrize(
    "method",
    [
        {"kind": "trees", "n_trees": 30, "min_events_per_leaf": 5},
        {"kind": "network", "network": {"name": "fcn"}, "training": {"epochs": 2, "batch_size": 32}},
    ],
    ids=["trees", "network"],
)
def test_methods_learn_from_them(method: Mapping[str, object], rng: np.random.Generator, tmp_path: Path) -> None:
    train, validation = learnable(rng, 300), learnable(rng, 100)
    fitted = method_of({**method, "features": {"muon": {"kind": "muon_features"}}}).fit(train, validation)
    predicted = fitted.predict(validation).mean
    assert np.corrcoef(predicted, validation.energy_true)[0, 1] > 0.9
    fitted.save(tmp_path / "model")
    again = type(fitted).load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(validation).mean, predicted)
    assert tuple(fitted.config.fields) == ("offsets", "cells.id", "cells.energy", "impact_x", "impact_y")
    with pytest.raises(ExportError, match="apply it in Python"):
        fitted.graph()


def test_documentation_defines_them_all() -> None:
    rows = [f"| `{f.name}` | `{f.published}` | {f.definition} | {f.unit} |" for f in MUON_FEATURES]
    assert "\n".join(rows).replace("^2", "²") in DOCS.read_text()


def test_muons_of_the_study(shared_data: Path) -> None:
    """Energies of all cells are shared out; clusters and cubes are those of SciPy's image functions."""
    events = open_mapped(shared_data / "g4_pwo_muons.parquet", "g4_pwo_muons").read()[:100]
    got = muon_features(events)
    assert np.all(np.isfinite(got))
    total = got[:, [NAMES.index(f"energy_{part}_cells") for part in ("low", "middle", "high")]].sum(1)
    energy = ak.values_astype(events.array.cells.energy, np.float64)
    np.testing.assert_allclose(total, ak.to_numpy(ak.sum(energy, axis=1)), rtol=1e-9)
    faces = ndimage.generate_binary_structure(3, 1)
    for number in range(100):
        row = named(got[number])
        grid = np.zeros(BLOCK.shape)
        grid.flat[ak.to_numpy(events.array.cells.id[number])] = ak.to_numpy(energy[number])
        label, n_clusters = ndimage.label(grid > 0.1, faces)
        column = np.floor([events.array[f"impact_{axis}"][number] / 3.75 + 16 for axis in "xy"]).astype(int)
        on_track = set(label[:, column[0], column[1]].tolist()) - {0}
        others = set(range(1, n_clusters + 1)) - on_track
        for name, some in (("track", on_track), ("other", others)):
            cells = [int((label == one).sum()) for one in some]
            assert row[f"{name}_clusters"] == len(some)
            assert row[f"{name}_cluster_cells_max"] == max(cells, default=0)
            highest = max((grid[label == one].sum() for one in some), default=0.0)
            assert row[f"{name}_cluster_energy_max"] == pytest.approx(highest)
        cube = ndimage.convolve(np.where(grid > 0.1, 0, grid), np.ones((3, 3, 3)), mode="constant")
        assert row["cube_energy_max"] == pytest.approx(cube.max())
