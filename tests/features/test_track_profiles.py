"""Track profiles against the obvious loop over cells, as tensor operations, their symmetries and their refusals."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import awkward as ak
import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from showercal import BoxCalorimeter, Events
from showercal.detectors import Layer
from showercal.errors import DataError
from showercal.features import (
    FeatureConfig,
    FeatureExtractor,
    TrackProfiles,
    profile_names,
    track_profiles,
    track_profiles_of_fields,
)
from showercal.features._blocks import blocks

BOX = BoxCalorimeter("small", tuple(Layer("PbWO4", t) for t in (10.0, 20.0, 10.0, 5.0)), 6, 5, 4.0, 3.0)
RINGS, THRESHOLDS = (3.0, 8.0), (1e-4, 0.01, 1.0)
Cells = Mapping[tuple[int, int, int], float]


def events_of(cells: Sequence[Cells], impact: Sequence[tuple[float, float]]) -> Events:
    """Events with cell energies in GeV by (layer, ix, iy)."""
    lists = {
        "id": ak.values_astype(ak.Array([[int(BOX.cell_number(*place)) for place in one] for one in cells]), np.int32),
        "energy": ak.values_astype(ak.Array([list(one.values()) for one in cells]), np.float64),
    }
    columns = {"energy_true": np.full(len(cells), 500.0), "cells": ak.zip(lists)}
    columns |= dict(zip(("impact_x", "impact_y"), np.array(impact, dtype=float).T, strict=True))
    units = {"energy_true": "GeV", "impact_x": "mm", "impact_y": "mm", "cells.id": "1", "cells.energy": "GeV"}
    return Events(ak.zip(columns, depth_limit=1), units, BOX.to_dict(), {})


def random_events(rng: np.random.Generator, n_events: int) -> Events:
    """A third of the cells with energies from far below an electronvolt to 3 GeV; the last event is dark."""
    cells: list[Cells] = []
    for _ in range(n_events - 1):
        lit = rng.permutation(BOX.n_cells)[: BOX.n_cells // 3]
        energy = np.where(rng.random(len(lit)) < 0.1, 1e-12, 10 ** rng.uniform(-5, 0.5, len(lit)))
        places = np.stack(BOX.cell_index(lit), axis=1)
        cells.append({(int(a), int(b), int(c)): float(e) for (a, b, c), e in zip(places, energy, strict=True)})
    return events_of([*cells, {}], [tuple(rng.uniform(-6, 6, 2)) for _ in range(n_events)])


def slow_profile(event: ak.Record, track: tuple[float, float]) -> np.ndarray:
    """Profile of one event, one cell after the other."""
    n_layers, n_x, n_y = BOX.shape
    rows = np.zeros((n_layers, len(RINGS) + 1 + len(THRESHOLDS) + 6))
    for layer in range(n_layers):
        cells = [
            (cell.energy, *BOX.cell_position(np.array([cell.id]))[0])
            for cell in event.cells
            if cell.id // (n_x * n_y) == layer and cell.energy > 1e-9
        ]
        if not cells:
            continue
        edges = (0.0, *RINGS, math.inf)
        places = [(e, x - track[0], y - track[1]) for e, x, y, _ in cells]
        total, roots = sum(e for e, *_ in places), sum(math.sqrt(e) for e, *_ in places)
        rows[layer] = [
            *(
                math.log1p(1000 * sum(e for e, dx, dy in places if low <= math.hypot(dx, dy) < high))
                for low, high in pairwise(edges)
            ),
            *(math.log1p(sum(e > threshold for e, *_ in places)) for threshold in THRESHOLDS),
            math.asinh(sum(e * dx for e, dx, _ in places) / total),
            math.asinh(sum(e * dy for e, _, dy in places) / total),
            math.log1p(sum(e * (dx**2 + dy**2) for e, dx, dy in places) / total),
            math.asinh(sum(math.sqrt(e) * dx for e, dx, _ in places) / roots),
            math.log1p(1000 * max(e for e, *_ in places)),
            math.log1p(1000 * total),
        ]
    return rows


def slow_track(event: ak.Record) -> tuple[float, float]:
    """Mean place of the bright cells, by energy up to 50 MeV."""
    bright = [
        (min(cell.energy, 0.05), *BOX.cell_position(np.array([cell.id]))[0])
        for cell in event.cells
        if cell.energy > 0.01
    ]
    total = sum(w for w, *_ in bright)
    return (0.0, 0.0) if not bright else tuple(sum(w * place[axis] for w, *place in bright) / total for axis in (0, 1))


@pytest.mark.parametrize("impact", [("impact_x", "impact_y"), None])
def test_profiles_equal_the_loop(rng: np.random.Generator, impact: tuple[str, str] | None) -> None:
    events = random_events(rng, 6)
    found = track_profiles(events, impact=impact, rings=RINGS, thresholds=THRESHOLDS)
    assert found.shape == (6, 4, len(profile_names(RINGS, THRESHOLDS)))
    for row, event in zip(found, events.array, strict=True):
        track = slow_track(event) if impact is None else (event.impact_x, event.impact_y)
        np.testing.assert_allclose(row, slow_profile(event, track), rtol=1e-5, atol=1e-6)
    assert np.any(found[:5] != 0)
    assert not found[5].any()


@pytest.mark.parametrize("impact", [("impact_x", "impact_y"), None])
def test_profiles_as_tensor_operations_are_the_same(rng: np.random.Generator, impact: tuple[str, str] | None) -> None:
    events = random_events(rng, 6)
    fields = {
        "offsets": torch.from_numpy(events.cell_offsets),
        "cells.id": torch.from_numpy(ak.to_numpy(ak.flatten(events.field("cells.id"))).astype(np.int64)),
        "cells.energy": torch.from_numpy(np.array(ak.to_numpy(ak.flatten(events.field("cells.energy"))))),
        **{name: torch.from_numpy(np.array(events.scalar(name))) for name in ("impact_x", "impact_y")},
    }
    found = track_profiles_of_fields(fields, BOX, "cells.energy", impact, RINGS, THRESHOLDS)
    expected = track_profiles(events, impact=impact, rings=RINGS, thresholds=THRESHOLDS)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_mirrored_events_have_mirrored_centres_and_else_the_same(rng: np.random.Generator) -> None:
    cells = {
        (int(a), int(b), int(c)): float(e)
        for a, b, c, e in zip(*rng.integers(0, [[4], [6], [5]], (3, 20)), rng.exponential(0.1, 20), strict=True)
    }
    mirrored = {(a, 5 - b, 4 - c): e for (a, b, c), e in cells.items()}
    one, other = track_profiles(events_of([cells, mirrored], [(1.0, 2.0), (-1.0, -2.0)]))
    odd = [name.endswith(("centre_x", "centre_y")) for name in profile_names()]
    assert sum(odd) == 3
    np.testing.assert_allclose(other, np.where(odd, -one, one), rtol=1e-5, atol=1e-6)


def test_all_layers_share_one_scale(rng: np.random.Generator) -> None:
    events = random_events(rng, 30)
    extractor = FeatureExtractor({"profile": TrackProfiles()}).fit(events)
    n_features = len(profile_names())
    assert extractor.shapes() == {"profile": (4, n_features)}
    assert extractor.scale_["profile"].shape == (n_features,)
    profile = extractor.batch(extractor.transform(events), torch.arange(30))["profile"]
    torch.testing.assert_close(profile.mean((0, 1)), torch.zeros(n_features), atol=1e-4, rtol=0)


@pytest.mark.parametrize("impact", [("impact_x", "impact_y"), None])
def test_blocks_of_events_do_not_count(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, impact: tuple[str, str] | None
) -> None:
    events = random_events(rng, 30)
    expected = track_profiles(events, impact=impact)
    some = functools.partial(blocks, n_hits=100)
    assert len(list(some(events))) > 5
    monkeypatch.setattr("showercal.features._track_profiles.blocks", some)
    np.testing.assert_array_equal(track_profiles(events, impact=impact), expected)
    lost = events_of([{(0, 0, 0): 1.0}] * 150 + [{(1, 0, 0): math.nan}], [(0.0, 0.0)] * 151)
    with pytest.raises(DataError, match=r"finite cells.energy; got nan in event 150"):
        track_profiles(lost)


def test_bad_input_is_refused(rng: np.random.Generator) -> None:
    events = random_events(rng, 3)
    with pytest.raises(DataError, match=r"rings of track profiles must rise from above 0 mm; got \[3.0, 3.0\]"):
        track_profiles(events, rings=(3.0, 3.0))
    with pytest.raises(DataError, match=r"thresholds of track profiles must rise from above 0 GeV; got \[0.0\]"):
        track_profiles(events, thresholds=(0.0,))
    with pytest.raises(ValidationError, match="rings of track profiles must rise"):
        TypeAdapter(FeatureConfig).validate_python({"p": {"kind": "track_profiles", "rings": [2, 1]}})
    lost = events_of([{(0, 0, 0): 1.0}, {(1, 0, 0): math.nan}], [(0.0, 0.0), (0.0, 0.0)])
    with pytest.raises(DataError, match=r"finite cells.energy; got nan in event 1"):
        track_profiles(lost)
    astray = events_of([{(0, 0, 0): 1.0}], [(math.nan, 0.0)])
    with pytest.raises(DataError, match=r"finite impact_x; got nan in event 0"):
        track_profiles(astray)
