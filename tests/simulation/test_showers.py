from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from showercal.detectors import detector
from showercal.simulation import ParticleGun, Showers, parse_spectrum, to_events
from showercal.simulation._messages import pack_primaries, pack_showers, unpack_primaries, unpack_showers
from showercal.simulation._showers import round_mantissa

CALORIMETER = detector("toy-sandwich")
PRIMARIES = ParticleGun("e-", parse_spectrum("0:10"), 75.0, 75.0).primaries(1, 0, 3)
SHOWERS = Showers(
    event=np.array([2, 0, 0, 2, 2]),
    cell=np.array([9, 5, 3, 1087, 4]),
    energy=np.array([0.5, 0.0, 0.25, 0.0, 0.0]),
    tracks=np.array([0, 1, 2, 3, 0]),
)


def test_cells_are_sorted_and_empty_ones_dropped() -> None:
    events = to_events(SHOWERS, PRIMARIES, CALORIMETER, {"seed": 1})
    assert events.array.cells.id.tolist() == [[3, 5], [], [9, 1087]]
    assert events.array.cells.energy.tolist() == [[0.25, 0.0], [], [0.5, 0.0]]
    assert events.array.cells.tracks.tolist() == [[2, 1], [], [0, 3]]
    assert np.array_equal(events.energy_true, PRIMARIES.energy)
    assert events.geometry == CALORIMETER.to_dict()


def test_without_tracks_there_is_no_such_field() -> None:
    showers = Showers(SHOWERS.event, SHOWERS.cell, SHOWERS.energy, None)
    events = to_events(showers, PRIMARIES, CALORIMETER, {})
    assert events.array.cells.fields == ["id", "energy"]
    assert ak.num(events.array.cells.id).tolist() == [1, 0, 1]


def test_rounding_keeps_twelve_bits_and_is_unbiased() -> None:
    values = np.random.default_rng(1).lognormal(0, 5, 100_000).astype(np.float32)
    rounded = round_mantissa(values)
    relative = rounded.astype(np.float64) / values - 1
    assert np.abs(relative).max() <= 2.0**-13
    assert np.abs(relative.mean()) < 4 * relative.std() / np.sqrt(len(values))
    assert np.all(rounded.view(np.uint32) & 0x7FF == 0)  # 23 - 12 = 11 bits are zero
    assert np.array_equal(round_mantissa(rounded), rounded)


@pytest.mark.parametrize("tracks", [SHOWERS.tracks, None])
def test_bytes_round_trip(tracks: np.ndarray | None) -> None:
    showers = Showers(SHOWERS.event, SHOWERS.cell, SHOWERS.energy, tracks)
    back = unpack_showers(pack_showers(showers))
    for name in ("event", "cell", "energy"):
        assert np.array_equal(getattr(back, name), getattr(showers, name))
    assert (back.tracks is None) if tracks is None else np.array_equal(back.tracks, tracks)


def test_primaries_round_trip() -> None:
    back = unpack_primaries(pack_primaries(PRIMARIES))
    for name, values in vars(PRIMARIES).items():
        assert np.array_equal(getattr(back, name), values), name
