"""Digitisation by its laws: means, variances, occupancies, curves."""

from __future__ import annotations

import json
from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
from scipy import stats

from showercal.detectors import BoxCalorimeter, Layer
from showercal.errors import DataError, RecipeError
from showercal.events import Events
from showercal.simulation import DigitisationOptions, Digitiser

BOX = BoxCalorimeter("box", (Layer("silicon", 1.0, "lead", 2.0), Layer("silicon", 1.0)), 20, 30, 10.0, 10.0)
N_CELLS = 1200  # 600 in each layer


def sample(cell: object, energy_mev: object, tracks: object = None) -> Events:
    cells = {
        "id": ak.values_astype(cell, np.uint16),
        "energy": ak.values_astype(ak.Array(energy_mev) * 1e-3, np.float32),
    }
    units = {"energy_true": "GeV", "cells.id": "1", "cells.energy": "GeV"}
    if tracks is not None:
        cells["tracks"], units["cells.tracks"] = ak.values_astype(tracks, np.uint16), "1"
    array = ak.zip({"energy_true": np.ones(len(cell)), "cells": ak.zip(cells)}, depth_limit=1)
    return Events(array, units, BOX.to_dict(), {"seed": 1})


def everywhere(energy_mev: float, n_events: int = 50) -> Events:
    """All cells have the same energy."""
    cell = ak.from_regular(np.tile(np.arange(N_CELLS), (n_events, 1)))
    return sample(cell, ak.full_like(cell, energy_mev, dtype=float))


def empty(n_events: int) -> Events:
    return sample(ak.Array([[0]] * n_events)[:, :0], ak.Array([[0.0]] * n_events)[:, :0])


def digitised(events: Events, seed: int = 1, **options: object) -> ak.Array:
    return Digitiser(BOX, DigitisationOptions(**options), seed)(events).array.cells


def mev(cells: ak.Array) -> np.ndarray:
    return ak.to_numpy(ak.flatten(cells.energy)).astype(float) * 1e3


def test_nothing_asked_is_nothing_done() -> None:
    mev_of_12_bits = 1e3 / 1024
    events = sample([[3, 700], [], [5]], [[mev_of_12_bits, 3 * mev_of_12_bits], [], [0.0]], [[1, 2], [], [4]])
    done = Digitiser(BOX, DigitisationOptions(), 1)(events)
    assert ak.array_equal(done.array, events.array)
    assert done.units == events.units


@pytest.mark.parametrize("mean", [0.5, 4.0, 60.0])
def test_photo_electrons_are_poisson(mean: float) -> None:
    energy = mev(digitised(everywhere(mean / 20, 20), photo_electrons_per_mev=20.0))
    counts = np.concatenate([energy * 20, np.zeros(20 * N_CELLS - len(energy))])  # dark cells are dropped
    n = len(counts)
    assert np.abs(counts - np.rint(counts)).max() < 0.02  # energies are rounded to 12 bits
    assert counts.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / n))
    assert counts.var() == pytest.approx(mean, rel=4 * np.sqrt((2 + 1 / mean) / n))


@pytest.mark.parametrize("pixels", [20, 100])
@pytest.mark.parametrize("mean", [5.0, 50.0, 2000.0])
def test_pixels_saturate_by_their_known_curve(pixels: int, mean: float) -> None:
    energy = mev(digitised(everywhere(mean / 10, 20), photo_electrons_per_mev=10.0, pixels=pixels))
    fired, probability, n = np.rint(energy * 10), -np.expm1(-mean / pixels), 20 * N_CELLS
    variance = pixels * probability * (1 - probability)
    assert fired.max() <= pixels
    assert fired.sum() / n == pytest.approx(pixels * probability, abs=4 * np.sqrt(variance / n) + 1e-6)
    assert fired.var() == pytest.approx(variance, rel=0.06, abs=1e-4)  # dark cells, dropped, are below 1 %


def test_gains_belong_to_the_cells() -> None:
    events = everywhere(2.0, 3)
    one, other = (mev(digitised(events, seed, gain_spread=(0.05, 0.3))).reshape(3, 2, 600) / 2 for seed in (1, 2))
    assert np.array_equal(one, other)
    assert np.array_equal(one[0], one[2])
    assert one[0].mean(axis=1) == pytest.approx([1, 1], abs=4 * 0.3 / np.sqrt(600))
    assert one[0].std(axis=1) == pytest.approx([0.05, 0.3], rel=0.2)  # a log-normal of 30 % has heavy tails
    assert one.min() > 0
    assert not np.any(mev(digitised(events, gain_spread=0.05, gain_seed=2)).reshape(3, 2, 600)[0, 0] == one[0, 0] * 2)


def test_sampling_fraction_brings_each_layer_to_its_scale() -> None:
    cells = digitised(sample([[0, 1199]], [[1.0, 1.0]]), sampling_fraction=(0.01, 0.02))
    assert mev(cells) == pytest.approx([100, 50], rel=2e-4)


@pytest.mark.parametrize("two_sided", [False, True])
def test_noise_lights_empty_cells_as_often_as_its_tail_says(two_sided: bool) -> None:
    n_events = 4000
    sigma, threshold = np.array([0.3, 0.5]), np.array([0.6, 1.5])  # 2 and 3 sigma
    cells = digitised(empty(n_events), noise_mev=tuple(sigma), threshold_mev=tuple(threshold), two_sided=two_sided)
    energy, layer = mev(cells), ak.to_numpy(ak.flatten(cells.id)) // 600
    sides = 2 if two_sided else 1
    for number in (0, 1):
        expected = n_events * 600 * sides * stats.norm.sf(threshold[number] / sigma[number])
        assert (layer == number).sum() == pytest.approx(expected, abs=4 * np.sqrt(expected))
        pulls = np.abs(energy[layer == number]) / sigma[number]
        law = stats.truncnorm(threshold[number] / sigma[number], np.inf)
        assert stats.kstest(pulls[:2000], law.cdf).pvalue > 1e-3  # energies have 12 bits: no more than 2000
    assert (energy < 0).mean() == pytest.approx(0.5 if two_sided else 0, abs=4 * 0.5 / np.sqrt(len(energy)))
    assert ak.all(cells.id[:, 1:] > cells.id[:, :-1])  # sorted, each cell once
    where = np.bincount(ak.to_numpy(ak.flatten(cells.id)), minlength=N_CELLS)[:600]
    assert stats.chisquare(where).pvalue > 1e-3  # all places alike
    per_event = ak.to_numpy(ak.num(cells.id))
    assert per_event.var() == pytest.approx(per_event.mean(), rel=0.15)  # binomial with small probability


def test_noise_does_not_care_whether_a_cell_is_lit() -> None:
    """A cell with energy 0 but a track, and an empty one, see the same noise."""
    n = 4000
    options = {"noise_mev": 1.0, "threshold_sigma": 1.0}
    lit = digitised(sample([[7]] * n, [[0.0]] * n, [[1]] * n), **options)
    seen = (ak.any(lit.id == 7, axis=1), ak.any(digitised(empty(n), **options).id == 7, axis=1))
    for passed in seen:
        assert np.mean(passed) == pytest.approx(stats.norm.sf(1), abs=4 * 0.37 / np.sqrt(n))
    assert ak.max(ak.num(lit.id[lit.id == 7])) == 1
    assert ak.all(lit.tracks[lit.id == 7] == 1)
    assert ak.all(lit.tracks[lit.id != 7] == 0)


def test_noise_adds_to_the_signal_in_quadrature() -> None:
    energy = mev(digitised(everywhere(40.0, 20), photo_electrons_per_mev=10.0, noise_mev=1.5, threshold_mev=5.0))
    n = len(energy)
    assert n == 20 * N_CELLS
    assert energy.mean() == pytest.approx(40, abs=4 * energy.std() / np.sqrt(n))
    assert energy.var() == pytest.approx(40 / 10 + 1.5**2, rel=4 * np.sqrt(2 / n))


def test_thresholds_drop_what_does_not_pass_both() -> None:
    events = sample([[1, 2, 3, 4]], [[0.5, 0.99, 1.5, 2.5]])
    assert digitised(events, threshold_mev=1.0).id.tolist() == [[3, 4]]
    cells = digitised(events, noise_mev=1e-3, threshold_sigma=2000.0, threshold_mev=1.0)
    assert cells.id.tolist() == [[4]]
    assert digitised(events, noise_mev=1e-9, threshold_mev=3.0).id.tolist() == [[]]


def test_saturation_and_counts() -> None:
    events = sample([[1, 2, 3]], [[0.74, 3.0, 100.0]])
    assert mev(digitised(events, max_energy_mev=50.0)) == pytest.approx([0.74, 3.0, 50.0], rel=2e-4)
    cells = digitised(events, adc_step_mev=0.5, adc_bits=6, adc_pedestal=10)
    assert cells.adc.tolist() == [[11, 16, 63]]
    assert mev(cells) == pytest.approx([0.5, 3.0, 26.5])
    assert Digitiser(BOX, DigitisationOptions(adc_step_mev=0.5), 1)(events).units["cells.adc"] == "1"
    below = digitised(empty(300), noise_mev=2.0, threshold_sigma=3.0, two_sided=True, adc_step_mev=1.0, adc_pedestal=5)
    assert ak.min(below.adc) == 0  # far below the pedestal there are no counts left
    assert mev(below).min() == pytest.approx(-5.0)


ALL = {
    "gain_spread": 0.1,
    "photo_electrons_per_mev": 15.0,
    "pixels": 100,
    "sampling_fraction": (0.02, 0.01),
    "noise_mev": (1.0, 2.0),
    "threshold_sigma": 2.0,
}


def test_an_event_depends_on_seed_and_number_only() -> None:
    events = everywhere(0.4, 30)
    digitise = Digitiser(BOX, DigitisationOptions(**ALL), 7)
    whole = digitise(events)
    parts = [digitise(events[start:stop], start).array for start, stop in ((0, 1), (1, 20), (20, 30))]
    assert ak.array_equal(ak.concatenate(parts), whole.array)
    other = Digitiser(BOX, DigitisationOptions(**ALL), 8)(events)
    assert not ak.array_equal(other.array.cells.energy[0], whole.array.cells.energy[0])
    assert not ak.array_equal(whole.array.cells.energy[0], whole.array.cells.energy[1])


def test_options_go_through_json() -> None:
    options = DigitisationOptions(**ALL, two_sided=True, adc_bits=10)
    back = DigitisationOptions.from_dict(json.loads(json.dumps(options.to_dict())))
    assert back == options
    assert DigitisationOptions().to_dict() == {}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"noise_mev": -1.0}, r"noise_mev must be >= 0; got -1"),
        ({"sampling_fraction": 0.0}, r"sampling_fraction must be > 0; got 0"),
        ({"photo_electrons_per_mev": float("nan")}, r"photo_electrons_per_mev must be > 0; got nan"),
        ({"gain_spread": 3.0}, r"gain_spread is relative and at most 1; got 3"),
        ({"pixels": 100}, r"pixels saturate by photo-electrons: give photo_electrons_per_mev"),
        ({"pixels": 1.5, "photo_electrons_per_mev": 1.0}, r"pixels must be whole numbers; got 1.5"),
        ({"noise_mev": 1.0}, r"noise without zero suppression would light every cell"),
        ({"threshold_sigma": 1.0}, r"threshold_sigma counts in units of the noise: give noise_mev"),
        ({"two_sided": True}, r"two_sided is about thresholds"),
        ({"adc_bits": 0}, r"adc_bits must be 1 to 32; got 0"),
        ({"adc_pedestal": 4096}, r"adc_pedestal must be a count of the 12 bits; got 4096"),
        ({"gain_seed": -1}, r"gain_seed must be in"),
        ({"nois_mev": 1.0}, r"unknown option 'nois_mev' of a digitisation; nearest known: 'noise_mev'"),
        ({"noise_mev": "much"}, r"option 'noise_mev' of a digitisation has a value of the wrong type: 'much'"),
        ({"two_sided": 1}, r"option 'two_sided' of a digitisation has a value of the wrong type: 1"),
    ],
)
def test_bad_options_are_refused(options: dict, text: str) -> None:
    with pytest.raises(RecipeError, match=text):
        DigitisationOptions.from_dict(options)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"sampling_fraction has 3 numbers; 'box' has 2 layers"):
        Digitiser(BOX, DigitisationOptions(sampling_fraction=(0.1, 0.1, 0.1)), 1)
    events = sample([[3]], [[1.0]])
    cells = ak.with_field(events.array.cells, 5.0, "time")
    timed = replace(
        events, array=ak.with_field(events.array, cells, "cells"), units={**events.units, "cells.time": "ns"}
    )
    with pytest.raises(DataError, match=r"cells.time cannot be digitised: cells may hold id, energy, tracks"):
        Digitiser(BOX, DigitisationOptions(), 1)(timed)
