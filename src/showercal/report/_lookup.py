"""Finding numbers in tidy rows: one value over all events, or a curve over the bins of energy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from showercal.report._content import ReportContent

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """A finite value and its standard error (NaN when unknown)."""

    value: float
    error: float = math.nan

    def scaled(self, factor: float) -> Measured:
        """In another unit, e.g. per cent."""
        return Measured(self.value * factor, self.error * abs(factor))


@dataclass(frozen=True, eq=False)
class Curve:
    """A metric in bins of true energy, in the order of energy; all of shape (n_bins,).

    Args:
        low, high: Bin edges, [GeV].
        value: NaN where the metric is undefined.
        error: Standard error; NaN where unknown.
    """

    low: FloatArray
    high: FloatArray
    value: FloatArray
    error: FloatArray

    @property
    def centre(self) -> FloatArray:
        """Middle of the bins, [GeV]."""
        return (self.low + self.high) / 2

    def at(self, number: int) -> Measured | None:
        """The value in one bin (negative numbers count from the end), or None where it is undefined."""
        value = float(self.value[number])
        return Measured(value, float(self.error[number])) if math.isfinite(value) else None


def measured(row: Mapping[str, Any]) -> Measured | None:
    """The number of a row, or None when it is not finite."""
    value = _number(row["value"])
    return Measured(value, _number(row["error"])) if math.isfinite(value) else None


def overall(content: ReportContent, method: str, metric: str) -> Measured | None:
    """The value over all events, or None when it is not among the rows or not finite."""
    for row in content.rows:
        if row["method"] == method and row["metric"] == metric and row["bin"] is None:
            return measured(row)
    return None


def curve(content: ReportContent, method: str, metric: str) -> Curve | None:
    """The metric in bins, or None when no bin has a finite value."""
    found = [r for r in content.rows if r["method"] == method and r["metric"] == metric and r["bin"] is not None]
    found.sort(key=lambda row: float(row["bin_low"]))
    keys = ("bin_low", "bin_high", "value", "error")
    columns = [np.array([_number(row[key]) for row in found], dtype=np.float64) for key in keys]
    return Curve(*columns) if np.isfinite(columns[2]).any() else None


def curves_by_method(content: ReportContent, metric: str) -> dict[str, Curve]:
    """The metric in bins of the methods that have it, in the order of the methods."""
    return {name: found for name in content.methods if (found := curve(content, name, metric)) is not None}


def ratio(content: ReportContent, method: str, suffix: str = "") -> Measured | None:
    """sigma/sqrt(E) of a method over that of the reference; the paired ratio among the rows where there is one.

    Without a paired ratio the errors of both are added in quadrature, which overstates the error of methods that saw
    the same events.

    Args:
        content: The report.
        method: Name of the method.
        suffix: Of the metrics: "" after the bias correction, "_local" after the strict one, "_raw" before any.
    """
    own = overall(content, method, f"sigma_over_sqrt_e{suffix}")
    other = overall(content, content.reference, f"sigma_over_sqrt_e{suffix}")
    if method == content.reference:
        return None if own is None else Measured(1.0, 0.0)
    paired = overall(content, method, f"sigma_ratio{suffix}")
    if paired is not None:
        return paired
    if own is None or other is None or other.value == 0 or own.value == 0:
        return None
    value = own.value / other.value
    return Measured(value, value * math.hypot(own.error / own.value, other.error / other.value))


def ratio_curve(content: ReportContent, method: str, suffix: str = "") -> Curve | None:
    """`ratio` in bins of energy; exactly 1 without error for the reference itself."""
    metric = f"sigma_over_sqrt_e{suffix}"
    own, other = curve(content, method, metric), curve(content, content.reference, metric)
    if own is None or other is None or not np.array_equal(own.low, other.low):
        return None
    if method == content.reference:
        one = np.where(np.isfinite(own.value), 1.0, np.nan)
        return Curve(own.low, own.high, one, np.zeros_like(one))
    paired = curve(content, method, f"sigma_ratio{suffix}")
    if paired is not None:
        return paired
    with np.errstate(divide="ignore", invalid="ignore"):
        value = own.value / other.value
        error = np.abs(value) * np.hypot(own.error / own.value, other.error / other.value)
    return Curve(own.low, own.high, value, error)


def largest_bias(content: ReportContent, method: str) -> Measured | None:
    """Largest |bias| of the bins that start at or above ``bias_floor``."""
    found = curve(content, method, "bias")
    if found is None:
        return None
    size = np.where(found.low >= content.bias_floor - 1e-9, np.abs(found.value), np.nan)
    if not np.isfinite(size).any():
        return None
    at = int(np.nanargmax(size))
    return Measured(float(size[at]), float(found.error[at]))


def best_method(content: ReportContent, suffix: str = "") -> str | None:
    """The method of the smallest sigma/sqrt(E), or None when no method has one; ``suffix`` as in `ratio`."""
    sigmas = {m: overall(content, m, f"sigma_over_sqrt_e{suffix}") for m in content.methods}
    known = {m: s.value for m, s in sigmas.items() if s is not None}
    return min(known, key=known.__getitem__) if known else None


def energy_range(content: ReportContent) -> tuple[float, float] | None:
    """Lowest and highest energy of the bins, or of the test events when nothing is binned, [GeV]."""
    edges = [_number(r[key]) for r in content.rows if r["bin"] is not None for key in ("bin_low", "bin_high")]
    finite = [e for e in edges if math.isfinite(e)]
    if finite:
        return min(finite), max(finite)
    if len(content.energy_true):
        return float(np.min(content.energy_true)), float(np.max(content.energy_true))
    return None


def spans_decades(content: ReportContent) -> bool:
    """Whether the energies spread so far that a linear axis would hide the lower ones."""
    span = energy_range(content)
    return span is not None and span[0] > 0 and span[1] > 50 * span[0]


def n_events(content: ReportContent) -> int:
    """Number of test events."""
    counts = [overall(content, m, "n_events") for m in content.methods]
    return max((round(c.value) for c in counts if c is not None), default=len(content.energy_true))


def _number(value: Any) -> float:
    """JSON has no NaN: an undefined value comes as None."""
    return math.nan if value is None else float(value)
