"""A synthetic study that looks like the real one: five methods, 20 bins on 0-10 GeV, four events to display."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import awkward as ak
import numpy as np
import pytest
from numpy.typing import NDArray

from normal_widths import normal_widths
from showercal.detectors import detector
from showercal.evaluation import Binning, MethodArrays, WidthArrays, evaluate
from showercal.evaluation._measure_width import RAW_WIDTH_METRICS, WIDTH_METRICS
from showercal.events import Events
from showercal.report import MethodSummary, ReportContent

FloatArray = NDArray[np.float64]
EDGES = np.linspace(0, 10, 21)
SIGMA = {"line": 0.2761, "layer-line": 0.2712, "trees": 0.2563, "fcn": 0.2604, "convnet": 0.25234}
LABELS = {
    "line": "Straight line",
    "layer-line": "Per-layer line",
    "trees": "Boosted trees",
    "fcn": "FCN",
    "convnet": "ConvNet",
}


def row(
    method: str, metric: str, value: float | None, error: float | None, number: int | None = None
) -> dict[str, Any]:
    low, high = (None, None) if number is None else (float(EDGES[number]), float(EDGES[number + 1]))
    return {
        "method": method,
        "metric": metric,
        "bin": number,
        "bin_low": low,
        "bin_high": high,
        "value": value,
        "error": error,
    }


def method_rows(method: str, rng: np.random.Generator) -> list[dict[str, Any]]:
    sigma, pull_in = SIGMA[method], {"line": 0.0, "layer-line": 0.03}.get(method, 0.06)
    rows = [
        row(method, "sigma_over_sqrt_e", sigma, 0.00119),
        row(method, "sigma_over_sqrt_e_local", sigma * (1 + pull_in / 4), 0.0013),
        row(method, "sigma_over_sqrt_e_raw", sigma * (1 - pull_in / 2), 0.0011),
        row(method, "stochastic_term", 0.98 * sigma, 0.003),
        row(method, "noise_term", 0.031, 0.006),
        row(method, "constant_term", 0.0123, 0.0021),
        row(method, "n_events", 10_000.0, None),
        row(method, "relative_iqr", 1 - sigma / SIGMA["line"], 0.004),
    ]
    if method != "line":
        rows.append(row(method, "sigma_ratio", sigma / SIGMA["line"], 0.0042))
        rows.append(row(method, "sigma_ratio_local", sigma * (1 + pull_in / 4) / SIGMA["line"], 0.0044))
        rows.append(row(method, "train_events_per_s", 3.21e6 * sigma**4, None))
    for number in range(20):
        energy = EDGES[number] + 0.25
        local = sigma * (1 + 0.12 * np.exp(-energy) + 0.006 * rng.normal())
        bias = 0.004 * rng.normal() + (0.35 if number == 0 else 0.05 * np.exp(-energy))
        raw = bias + pull_in * (3 / (energy + 1) - 0.5)
        rows += [
            row(method, "sigma_over_sqrt_e", local, 0.009 * local * 1.7, number),
            row(method, "sigma_over_sqrt_e_local", local * (1 + pull_in / 4), 0.016 * local, number),
            row(method, "bias", bias, 0.0045 * local / 0.25 / np.sqrt(energy), number),
            row(method, "bias_raw", raw, 0.0045 * local / 0.25 / np.sqrt(energy), number),
            row(method, "resolution_std", local / np.sqrt(energy), 0.012 * local, number),
            row(method, "resolution_iqr", 0.97 * local / np.sqrt(energy), 0.015 * local, number),
        ]
    return rows


def synthetic_widths(energy_true: FloatArray, energy_pred: Mapping[str, FloatArray]) -> dict[str, WidthArrays]:
    """Normal predictions of two networks: the FCN's widths are 30 % too small, the ConvNet's are right."""
    scale = np.sqrt(energy_true)
    factors = {"fcn": 0.7 * SIGMA["fcn"], "convnet": SIGMA["convnet"]}
    return {name: normal_widths(energy_true, energy_pred[name], factor * scale) for name, factor in factors.items()}


def width_rows(
    energy_true: FloatArray, energy_pred: Mapping[str, FloatArray], widths: Mapping[str, WidthArrays]
) -> list[dict[str, Any]]:
    """What the evaluation says of the widths alone; those of the ConvNet were recalibrated, by 1.25."""
    before = {"convnet": normal_widths(energy_true, energy_pred["convnet"], 0.8 * widths["convnet"].std)}
    arrays = {n: MethodArrays(energy_pred[n], energy_pred[n], w, before.get(n)) for n, w in widths.items()}
    rows = evaluate(energy_true, arrays, "fcn", Binning(tuple(EDGES.tolist())), n_bootstrap=10)
    wanted = {*WIDTH_METRICS, *RAW_WIDTH_METRICS, "pit_p"}
    wanted |= {f"dependence_{key}{suffix}" for key in ("dcor", "mi") for suffix in ("", "_raw")}
    return [r.to_dict() for r in rows if r.metric in wanted or (r.metric == "n_events" and r.bin is not None)]


@functools.cache
def synthetic_results() -> tuple[FloatArray, dict[str, tuple[FloatArray, FloatArray]], dict[str, WidthArrays], Any]:
    """True and predicted energies, widths and rows."""
    rng = np.random.default_rng(3)
    energy_true = rng.uniform(0, 10, 10_000)
    normal = rng.normal(size=10_000)
    energy_pred = {}
    for method, sigma in SIGMA.items():
        own = 0.9 * normal + 0.44 * rng.normal(size=10_000)
        corrected = energy_true + sigma * np.sqrt(energy_true) * own
        energy_pred[method] = (0.95 * corrected + 0.25, corrected)
    corrected_by = {name: pair[1] for name, pair in energy_pred.items()}
    widths = synthetic_widths(energy_true, corrected_by)
    rows = [one for method in SIGMA for one in method_rows(method, rng)]
    return energy_true, energy_pred, widths, rows + width_rows(energy_true, corrected_by, widths)


def history(n_epochs: int, final: float, rng: np.random.Generator) -> list[dict[str, float]]:
    return [
        {
            "epoch": epoch,
            "train_loss": final * (1 + 3 * np.exp(-epoch / 2) - 0.003 * epoch),
            "validation_loss": final * (1.02 + 3 * np.exp(-epoch / 2) + 0.02 * rng.normal()),
            "dependence": 0.04 * final * np.exp(-epoch / 3) + 0.001 * rng.normal(),
            "learning_rate": 1e-3 * np.sin(np.pi * (epoch + 0.5) / n_epochs) ** 2,
            "seconds": 3.2,
        }
        for epoch in range(n_epochs)
    ]


def synthetic_displays() -> Events:
    """Showers along the axis with an exponential transverse profile; the first cell holds 1 keV."""
    rng = np.random.default_rng(5)
    calorimeter = detector("toy-sandwich")
    cells, truth = [], []
    for energy in (9.0, 1.0, 3.0, 5.0):
        n_cells = int(6 + 3 * energy)
        layer = np.clip(rng.gamma(2.5, 0.9, n_cells).astype(int), 0, 16)
        ix, iy = (np.clip(np.rint(3.5 + rng.normal(0, 0.7, n_cells)).astype(int), 0, 7) for _ in range(2))
        number = np.unique(calorimeter.cell_number(layer, ix, iy))
        deposit = rng.exponential(0.012 * energy / len(number), len(number))
        cells.append(
            [
                {"id": int(c), "energy": float(e), "tracks": 1 + int(800 * e)}
                for c, e in zip(number, deposit, strict=True)
            ]
        )
        truth.append(energy)
    array = ak.Array({"energy_true": truth, "impact_x": [10.0] * 4, "impact_y": [-5.0] * 4, "cells": cells})
    units = {"energy_true": "GeV", "impact_x": "mm", "impact_y": "mm"}
    units |= {"cells.id": "1", "cells.energy": "GeV", "cells.tracks": "1"}
    return Events(array, units, calorimeter.to_dict())


def synthetic_content(**changes: Any) -> ReportContent:
    rng = np.random.default_rng(3)
    energy_true, energy_pred, widths, rows = synthetic_results()
    methods = {
        "line": MethodSummary(LABELS["line"], 2),
        "layer-line": MethodSummary(LABELS["layer-line"], 18),
        "trees": MethodSummary(LABELS["trees"]),
        "fcn": MethodSummary(
            LABELS["fcn"], 659_465, True, history=history(24, 0.34, rng), best_epoch=19, stopped_epoch=23
        ),
        "convnet": MethodSummary(LABELS["convnet"], 78_414, True, history=history(30, 0.33, rng), best_epoch=27),
    }
    given: dict[str, Any] = {
        "title": "Electrons in the toy sandwich",
        "description": "Electrons of 0-10 GeV in 17 layers of scintillator between brass and steel, simulated by "
        "Geant4. Five methods learn the energy from the charged tracks and the energy in each cell.",
        "rows": rows,
        "methods": methods,
        "reference": "line",
        "energy_true": energy_true,
        "energy_pred": energy_pred,
        "widths": widths,
        "displays": synthetic_displays(),
        "published": {"line": 0.362, "fcn": 0.327, "convnet": 0.319},
        "published_note": "253,000 events of another simulation with another definition of tracks (Schnake 2019).",
        "facts": [("Training events", "80,000")],
        "configuration": {"study": "electrons", "events": {"file": "electrons.parquet", "split": [0.8, 0.1, 0.1]}},
        "versions": {"showercal": "0.1.0", "torch": "2.13.0"},
        "provenance": {"generator": "Geant4 11.4.1", "seed": 1},
        "command": "showercal run electrons --out runs/electrons",
        "timings": {"read": 1.24, "train": 181.0, "evaluate": 8.1},
    }
    return ReportContent(**(given | changes))


@pytest.fixture(scope="session")
def content() -> ReportContent:
    return synthetic_content()


@pytest.fixture(scope="session")
def make_content() -> Callable[..., ReportContent]:
    return synthetic_content
