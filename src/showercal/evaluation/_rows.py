"""Results as tidy rows: one number with its error, and what it is of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from showercal.errors import DataError, nearest
from showercal.evaluation._metrics import METRICS


@dataclass(frozen=True)
class Row:
    """One result.

    Args:
        method: Name of the method in the study.
        metric: One of `METRICS`.
        bin: Number of the bin from 0; None for the whole.
        bin_low: Lower edge of the bin, or of all bins; None where energies play no part.
        bin_high: Upper edge.
        value: In the unit of the metric; NaN where it has none (too few events).
        error: Statistical error; NaN where there is none.

    Raises:
        DataError: If there is no such metric.

    Example:
        >>> Row("line", "sigma_ratio", None, 0.0, 10.0, 1.0, float("nan")).to_dict()["error"] is None
        True
    """

    method: str
    metric: str
    bin: int | None
    bin_low: float | None
    bin_high: float | None
    value: float
    error: float = math.nan

    def __post_init__(self) -> None:
        check_metric(self.metric)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: NaN and infinity, which JSON does not know, become None."""
        return finite_or_none(asdict(self))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Row:
        """Rebuild a row; a missing number is NaN.

        Raises:
            DataError: If the keys are not those of a row.
        """
        expected = {"method", "metric", "bin", "bin_low", "bin_high", "value", "error"}
        if set(values) != expected:
            raise DataError(f"a row of results needs the keys {sorted(expected)}; got {sorted(values)}")
        return cls(**with_nan(values))


def check_metric(name: str) -> None:
    """Refuse names that are none of `METRICS`.

    Raises:
        DataError: If there is no such metric.
    """
    if name not in METRICS:
        raise DataError(f"unknown metric {name!r}; {nearest(name, METRICS)}")


def finite_or_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON-ready: NaN and infinity, which JSON does not know, become None.

    Example:
        >>> finite_or_none({"value": float("nan"), "error": 1.0, "bin": None})
        {'value': None, 'error': 1.0, 'bin': None}
    """
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def with_nan(values: Mapping[str, Any]) -> dict[str, Any]:
    """A row as `finite_or_none` left it, its missing numbers NaN again."""
    numbers = {k: math.nan if values[k] is None else float(values[k]) for k in ("value", "error")}
    return {**values, **numbers}
