"""Rows of results: known answers, paired errors, sparse bins, refusals."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from showercal.errors import DataError
from showercal.evaluation import METRICS, RATIOS, Binning, MethodArrays, Row, compare, evaluate
from showercal.evaluation._measure_tracker import EVENT_METRICS, TRACKER_METRICS
from showercal.evaluation._measure_width import RAW_WIDTH_METRICS, WIDTH_METRICS

FloatArray = NDArray[np.float64]
BINS = Binning.uniform(0, 10, 5)


def toy(n: int = 20_000, seed: int = 1) -> tuple[FloatArray, dict[str, MethodArrays]]:
    """Two methods: the same noise of 0.3 sqrt(E), in "half" of half the size; raw predictions shrunk to 0.9."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.05, 10, n)
    noise = 0.3 * np.sqrt(truth) * rng.standard_normal(n)
    arrays = {"full": truth + noise, "half": truth + noise / 2}
    return truth, {name: MethodArrays(0.9 * pred, pred) for name, pred in arrays.items()}


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    truth, methods = toy()
    return evaluate(truth, methods, "full", BINS, n_bootstrap=100, seed=2)


def one(rows: list[Row], method: str, metric: str, number: int | None = None) -> Row:
    found = [r for r in rows if (r.method, r.metric, r.bin) == (method, metric, number)]
    assert len(found) == 1
    return found[0]


def test_every_row_is_there_once(rows: list[Row]) -> None:
    keys = [(r.method, r.metric, r.bin) for r in rows]
    assert len(keys) == len(set(keys))
    made_elsewhere = {"train_events_per_s", "fit_seconds", "n_parameters", "sigma_ratio_alone", "gain_kept"}
    made_by_a_second_correction = {name for name in METRICS if name.endswith("_local")}
    of_widths = {*WIDTH_METRICS, *RAW_WIDTH_METRICS, "pit_p", "crps_ratio", "model_spread"}
    of_simulations = {name for name in METRICS if name.endswith("_ratio")} - {*RATIOS.values()} | {"two_sample_auc"}
    of_a_tracker = {*TRACKER_METRICS, *EVENT_METRICS} | {
        name for name in METRICS if name.startswith(("mean_improvement", "max_rmse"))
    }
    made_elsewhere |= of_simulations | of_a_tracker
    assert {r.metric for r in rows} == set(METRICS) - made_elsewhere - made_by_a_second_correction - of_widths
    assert {r.bin for r in rows} == {None, *range(5)}
    assert (one(rows, "full", "bias").bin_low, one(rows, "full", "bias").bin_high) == (0, 10)
    assert (one(rows, "full", "bias", 1).bin_low, one(rows, "full", "bias", 1).bin_high) == (2, 4)


def test_width_over_root_energy(rows: list[Row]) -> None:
    for method, expected in (("full", 0.3), ("half", 0.15)):
        for number in (None, *range(5)):
            row = one(rows, method, "sigma_over_sqrt_e", number)
            assert row.value == pytest.approx(expected, abs=4.5 * row.error)
            n = 20_000 if number is None else 4_000
            assert row.error == pytest.approx(expected / np.sqrt(2 * n), rel=0.35)


def test_overall_width_is_the_mean_of_the_bins(rows: list[Row]) -> None:
    bins = [one(rows, "full", "sigma_over_sqrt_e", k).value for k in range(5)]
    assert one(rows, "full", "sigma_over_sqrt_e").value == pytest.approx(np.mean(bins), rel=1e-12)


def test_bias_is_of_the_corrected_and_of_the_raw(rows: list[Row]) -> None:
    for number in (None, *range(5)):
        corrected, raw = (one(rows, "full", m, number) for m in ("bias", "bias_raw"))
        assert corrected.value == pytest.approx(0, abs=4.5 * corrected.error)
        assert raw.value == pytest.approx(-0.1, abs=4.5 * raw.error)


def test_widths_of_the_response_agree_for_normal_noise(rows: list[Row]) -> None:
    """In the bin 8-10 GeV the response is close to normal with a width of 0.3 / sqrt(9)."""
    for metric, factor in (
        ("resolution_std", 1.0),
        ("resolution_sigma68", 1.0),
        ("resolution_gauss", 1.0),
        ("resolution_effective", 0.985),  # a shortest interval is biased low by its choice
        ("resolution_iqr", 1.349 / 2),
    ):
        row = one(rows, "full", metric, 4)
        assert row.value == pytest.approx(factor * 0.1, rel=0.045), metric
        assert 0 < row.error < 0.04 * row.value, metric


def test_centres_of_the_response(rows: list[Row]) -> None:
    for metric in ("response_mean", "linearity"):
        row = one(rows, "half", metric, 3)
        assert row.value == pytest.approx(1, abs=4.5 * row.error)


def test_half_the_width_is_half_in_every_ratio(rows: list[Row]) -> None:
    for number in (None, *range(5)):
        for metric in ("sigma_ratio", "relative_iqr"):
            row = one(rows, "half", metric, number)
            # residuals differ by an exact factor: the paired error vanishes
            assert row.value == pytest.approx(0.5, abs=1e-9)
            assert row.error < 1e-9
    assert one(rows, "full", "sigma_ratio").value == 1
    assert one(rows, "full", "relative_iqr").value == 0
    # raw: std(0.9 (t + e) - t) has the spread of the truth in the bin as well, so that the ratio is above one half
    assert 0.5 < one(rows, "half", "sigma_ratio_raw").value < 0.6


def test_ratios_of_other_metrics_are_of_all_events_and_paired(rows: list[Row]) -> None:
    for metric in ("resolution_std", "resolution_sigma68", "resolution_gauss"):
        full, half = (one(rows, method, metric) for method in ("full", "half"))
        ratio = one(rows, "half", RATIOS[metric])
        assert ratio.value == pytest.approx(half.value / full.value, rel=1e-12)
        # the noise of both differs by a factor: their errors, each of some per cent, cancel
        assert ratio.error < 0.2 * full.error / full.value
        assert [row.bin for row in rows if row.metric == RATIOS[metric] and row.method == "half"] == [None]


def test_spread_between_models_is_told_as_sigma_over_root_energy() -> None:
    truth, methods = toy(5_000)
    several = dataclasses.replace(methods["half"], spread=0.2 * np.sqrt(truth))
    rows = evaluate(truth, {"full": methods["full"], "half": several}, "full", BINS, n_bootstrap=10)
    assert {row.method for row in rows if row.metric == "model_spread"} == {"half"}
    # sqrt(E) is averaged before the division by sqrt(<E>): below 0.2 by 2 % in the bin from 0 on, by less in the others
    bins = [one(rows, "half", "model_spread", number).value for number in range(5)]
    assert bins == pytest.approx([0.2] * 5, rel=0.07)
    assert one(rows, "half", "model_spread").value == pytest.approx(np.mean(bins), rel=1e-12)
    with pytest.raises(DataError, match="the spread between the models of 'half' must be finite; got nan at event 0"):
        evaluate(truth, {"half": dataclasses.replace(several, spread=np.full(5_000, np.nan))}, "half", BINS)


def test_resolution_terms(rows: list[Row]) -> None:
    row = one(rows, "full", "stochastic_term")
    assert row.value == pytest.approx(0.3, abs=4 * row.error)
    assert row.error < 0.03


def test_counts(rows: list[Row]) -> None:
    truth, _ = toy()
    assert one(rows, "full", "n_events").value == 20_000
    assert one(rows, "full", "n_events_outside").value == 0
    assert one(rows, "full", "n_events", 2).value == np.sum((truth >= 4) & (truth < 6))


def test_errors_cover_the_scatter_of_toys() -> None:
    """Bootstrap errors of each kind of metric against the scatter of the metric over 60 independent samples."""
    values: dict[str, list[float]] = {}
    errors: dict[str, list[float]] = {}
    for seed in range(60):
        truth, methods = toy(1_500, seed=seed + 100)
        for row in evaluate(truth, methods, "full", Binning.uniform(0, 10, 2), n_bootstrap=60, seed=seed):
            if row.method == "half" and row.bin == 1:
                values.setdefault(row.metric, []).append(row.value)
                errors.setdefault(row.metric, []).append(row.error)
    for metric in (
        "bias",
        "linearity",
        "sigma_over_sqrt_e",
        "resolution_std",
        "resolution_sigma68",
        "resolution_gauss",
    ):
        # a scatter from 60 toys is known to 9 %; quantile errors are a little too wide at 750 events
        assert np.mean(errors[metric]) / np.std(values[metric]) == pytest.approx(1, abs=0.4), metric


def test_paired_error_is_smaller_and_right() -> None:
    """Two methods that share most of their noise: the paired error is the scatter of toys, an unpaired is too large."""
    ratios, errors, unpaired = [], [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        truth = rng.uniform(1, 9, 1_000)
        shared = rng.standard_normal(1_000)
        a, b = (truth + np.sqrt(truth) * (0.3 * shared + 0.08 * rng.standard_normal(1_000)) for _ in range(2))
        result = compare(truth, a, b, Binning.uniform(1, 9, 4), n_bootstrap=60, seed=seed)
        ratios.append(result.ratio)
        errors.append(result.error)
        unpaired.append(np.sqrt(2) / np.sqrt(2 * 1_000))
    assert np.mean(errors) < 0.6 * np.mean(unpaired)
    assert np.mean(errors) / np.std(ratios) == pytest.approx(1, abs=0.3)


def test_compare_agrees_with_evaluate(rows: list[Row]) -> None:
    rng = np.random.default_rng(3)
    truth, methods = toy()
    other = methods["half"].corrected + 0.1 * rng.standard_normal(len(truth))
    result = compare(truth, other, methods["full"].corrected, BINS, n_bootstrap=50, seed=4)
    both = {"full": methods["full"], "other": MethodArrays(other, other)}
    row = one(evaluate(truth, both, "full", BINS, n_bootstrap=50, seed=4), "other", "sigma_ratio")
    assert (result.ratio, result.error) == pytest.approx((row.value, row.error), rel=1e-12)
    assert result.n_bins == 5
    assert result.sigma_a / result.sigma_b == pytest.approx(result.ratio, rel=1e-12)


def test_sparse_bins_have_no_value_and_are_seen() -> None:
    truth, methods = toy()
    truth = np.where(truth < 2, 12.0, truth)  # bin 0 empty, some events outside
    rows = evaluate(truth, methods, "full", BINS, n_bootstrap=10)
    empty = one(rows, "full", "sigma_over_sqrt_e", 0)
    assert math.isnan(empty.value)
    assert math.isnan(empty.error)
    assert empty.to_dict()["value"] is None
    assert one(rows, "full", "n_events", 0).value == 0
    assert one(rows, "full", "n_events_outside").value == np.sum(truth == 12)
    others = [one(rows, "full", "sigma_over_sqrt_e", k).value for k in range(1, 5)]
    assert one(rows, "full", "sigma_over_sqrt_e").value == pytest.approx(np.mean(others))


def test_too_few_bins_for_a_curve() -> None:
    truth, methods = toy(500)
    rows = evaluate(truth, methods, "full", Binning.uniform(0, 10, 3), n_bootstrap=10)
    assert math.isnan(one(rows, "full", "constant_term").value)


def test_all_events_outside_is_no_crash() -> None:
    truth, methods = toy(500)
    rows = evaluate(truth, methods, "full", Binning.uniform(20, 30, 4), n_bootstrap=10)
    assert math.isnan(one(rows, "full", "bias").value)
    assert one(rows, "full", "n_events_outside").value == 500
    with pytest.raises(DataError, match="no bin of energy_true from 20 to 30 GeV has 10 events; got 500"):
        compare(truth, truth, truth, Binning.uniform(20, 30, 4))


def test_perfect_reference_gives_no_ratio() -> None:
    truth, methods = toy(500)
    both = {"exact": MethodArrays(truth, truth), **methods}
    rows = evaluate(truth, both, "exact", BINS, n_bootstrap=10)
    assert math.isnan(one(rows, "full", "sigma_ratio").value)
    assert one(rows, "exact", "sigma_over_sqrt_e").value == 0


def test_same_seed_same_rows() -> None:
    truth, methods = toy(1_000)
    first, again, other = (evaluate(truth, methods, "full", BINS, n_bootstrap=10, seed=s) for s in (5, 5, 6))
    assert [repr(r) for r in first] == [repr(r) for r in again]
    assert one(first, "half", "bias").error != one(other, "half", "bias").error
    assert one(first, "half", "bias").value == one(other, "half", "bias").value


def test_bad_energies_are_counted_and_placed() -> None:
    truth, methods = toy(100)
    zero, broken = truth.copy(), truth.copy()
    zero[3] = 0
    broken[[4, 5]] = np.nan
    with pytest.raises(DataError, match=r"energy_true must be finite and > 0 GeV, .* got 0.0 at event 3 \(1 of 100\)"):
        evaluate(zero, methods, "full", BINS)
    with pytest.raises(DataError, match=r"the raw prediction of 'a' must be finite; got nan at event 4 \(2 of 100\)"):
        evaluate(truth, {"a": MethodArrays(broken, truth)}, "a", BINS)
    with pytest.raises(DataError, match=r"the corrected prediction of 'a' .* shape \(100,\); got \(3,\)"):
        evaluate(truth, {"a": MethodArrays(truth, truth[:3])}, "a", BINS)
    with pytest.raises(DataError, match="no predictions of the reference 'ful'; nearest known: 'full'"):
        evaluate(truth, methods, "ful", BINS)


def test_rows_survive_json(rows: list[Row]) -> None:
    text = json.dumps([row.to_dict() for row in rows], allow_nan=False)
    again = [Row.from_dict(values) for values in json.loads(text)]
    assert [repr(r) for r in again] == [repr(r) for r in rows]


def test_bad_rows() -> None:
    with pytest.raises(DataError, match="unknown metric 'biass'; nearest known: 'bias'"):
        Row("line", "biass", None, None, None, 1.0)
    with pytest.raises(DataError, match=r"a row of results needs the keys .*; got \['method'\]"):
        Row.from_dict({"method": "line"})


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_described(name: str) -> None:
    metric = METRICS[name]
    assert metric.name == name
    assert metric.title
    assert metric.meaning.endswith(".")
    assert "\n" not in metric.meaning
    assert (metric.better == "nominal") == (metric.nominal is not None)
    assert (metric.unit, metric.shown_unit, metric.scale) in {
        ("1", "", 1),
        ("1", "%", 100),
        ("sqrt(GeV)", "√GeV", 1),
        ("GeV", "GeV", 1),
        ("GeV", "MeV", 1000),
        ("nat", "nat", 1),
        ("s", "s", 1),
        ("1/s", "events/s", 1),
    }


def test_titles_are_unique() -> None:
    assert len({metric.title for metric in METRICS.values()}) == len(METRICS)
