"""Gains against the number of events: known widths give known ratios, with the errors of paired comparisons."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from showercal.errors import DataError
from showercal.evaluation import Binning, MethodArrays, TransferPoint, TransferRow, evaluate, transfer_rows

FloatArray = NDArray[np.float64]
BINS = Binning.uniform(0, 10, 5)
#: sigma / sqrt(E) of each fit that is judged.
SIGMA = {
    ("line", 0, True): 0.4,
    ("line", 1000, False): 0.4,
    ("line", 9000, False): 0.4,
    ("net", 0, True): 0.34,
    ("net", 1000, True): 0.32,
    ("net", 1000, False): 0.44,
    ("net", 9000, False): 0.3,
}


def toy(own: float, seed: int = 1) -> tuple[FloatArray, list[TransferPoint]]:
    """Fits that share a part of their noise; ``own`` is the share of the variance that each has for itself."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.1, 10, 4000)
    shared = rng.standard_normal(4000)
    points = []
    for key, sigma in SIGMA.items():
        noise = math.sqrt(1 - own) * shared + math.sqrt(own) * rng.standard_normal(4000)
        energy = truth + sigma * np.sqrt(truth) * noise
        points.append(TransferPoint(*key, raw=1.1 * energy, corrected=energy, strict=energy))
    return truth, points


def found(rows: list[TransferRow], method: str, n_train: int, pretrained: bool, metric: str) -> tuple[float, float]:
    same = [r for r in rows if (r.method, r.n_train, r.pretrained, r.metric) == (method, n_train, pretrained, metric)]
    assert len(same) == 1
    return same[0].value, same[0].error


def test_without_noise_of_their_own_ratios_are_exact() -> None:
    rows = transfer_rows(*toy(0.0), "line", BINS, n_bootstrap=20)
    for key, sigma in SIGMA.items():
        ratio, error = found(rows, *key, "sigma_ratio")
        assert ratio == pytest.approx(sigma / 0.4, rel=1e-9)
        assert error < 1e-9
        alone = 0.4 if key[0] == "line" else 0.3
        assert found(rows, *key, "sigma_ratio_alone_local")[0] == pytest.approx(sigma / alone, rel=1e-9)
        if key[0] == "net":
            assert found(rows, *key, "gain_kept")[0] == pytest.approx((0.4 - sigma) / 0.1, rel=1e-9)
        bias, error = found(rows, *key, "bias_raw")
        assert bias == pytest.approx(0.1, abs=4 * error)
    assert not [row for row in rows if row.method == "line" and row.metric.startswith("gain")], "0 of 0"
    assert "gain_kept_raw" not in {row.metric for row in rows}, "before the correction shrinkage passes for a gain"


def test_errors_are_the_scatter_of_toys_and_smaller_than_unpaired_ones() -> None:
    metrics = ("sigma_ratio", "sigma_ratio_alone", "gain_kept")
    toys = [transfer_rows(*toy(0.05, seed), "line", BINS, n_bootstrap=40, seed=seed) for seed in range(50)]
    for metric in metrics:
        values, errors = np.array([found(rows, "net", 1000, True, metric) for rows in toys]).T
        # 50 toys know a scatter to 10 %
        assert errors.mean() / values.std() == pytest.approx(1, abs=0.35), metric
    ratios = np.array([found(rows, "net", 1000, True, "sigma_ratio") for rows in toys])
    assert ratios[:, 1].mean() < 0.5 * 0.8 / math.sqrt(4000)


def test_widths_are_those_of_the_evaluation() -> None:
    truth, points = toy(0.1)
    rows = transfer_rows(truth, points, "line", BINS, n_bootstrap=30, seed=4)
    arrays = {
        "line": MethodArrays(points[2].raw, points[2].corrected),
        "net": MethodArrays(points[6].raw, points[6].corrected),
    }
    for row in evaluate(truth, arrays, "line", BINS, n_bootstrap=30, seed=4):
        if row.bin is None and row.metric in {"sigma_over_sqrt_e", "sigma_over_sqrt_e_raw", "sigma_ratio"}:
            assert found(rows, row.method, 9000, False, row.metric) == pytest.approx((row.value, row.error), rel=1e-9)


def test_a_method_without_strict_correction_has_no_strict_numbers() -> None:
    truth, points = toy(0.1)
    points[3] = TransferPoint("net", 0, True, points[3].raw, points[3].corrected)
    rows = transfer_rows(truth, points, "line", BINS, n_bootstrap=10)
    metrics = {row.metric for row in rows if (row.method, row.n_train) == ("net", 0)}
    assert metrics == {
        "sigma_over_sqrt_e",
        "sigma_over_sqrt_e_raw",
        "sigma_ratio",
        "sigma_ratio_alone",
        "gain_kept",
        "bias_raw",
    }
    assert found(rows, "net", 1000, True, "gain_kept_local")


def test_rows_survive_json() -> None:
    row = TransferRow("net", 0, True, "gain_kept", 0.8)
    assert row.to_dict()["error"] is None
    again = TransferRow.from_dict(json.loads(json.dumps(row.to_dict(), allow_nan=False)))
    assert math.isnan(again.error)
    assert again.to_dict() == row.to_dict()
    with pytest.raises(DataError, match="unknown metric 'gain'"):
        TransferRow("net", 0, True, "gain", 0.8)


def test_a_gain_needs_fits_on_the_study_alone() -> None:
    truth, points = toy(0.1)
    with pytest.raises(DataError, match="no fit of the reference 'lime'; nearest known: 'line'"):
        transfer_rows(truth, points, "lime", BINS)
    with pytest.raises(DataError, match="'net' was never trained on the events of the study alone"):
        transfer_rows(truth, points[:5], "line", BINS)
