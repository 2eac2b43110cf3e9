"""What training on other events first is worth: resolution against the number of the study's own events."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from showercal.errors import DataError, nearest
from showercal.evaluation._binning import Binning
from showercal.evaluation._compare import mean_widths
from showercal.evaluation._rows import check_metric, finite_or_none, with_nan

FloatArray = NDArray[np.float64]

# Of the metrics that say what was gained: before a bias correction shrinkage passes for a gain.
_CORRECTED: Final = ("", "_local")


@dataclass(frozen=True, eq=False)
class TransferPoint:
    """One fit of a method, as it predicts the test events of the study.

    Args:
        method: Name of the method in the study.
        n_train: Events of the study it learned from.
        pretrained: Whether it learned from other events before (or, where ``n_train`` is 0, only from them).
        raw: Energies as it gives them, shape (B,), [GeV].
        corrected: After the bias correction of the study, shape (B,), [GeV].
        strict: After the strict correction, shape (B,), [GeV]; None where there is none.
    """

    method: str
    n_train: int
    pretrained: bool
    raw: FloatArray
    corrected: FloatArray
    strict: FloatArray | None = None


@dataclass(frozen=True)
class TransferRow:
    """One result of one fit.

    Args:
        method, n_train, pretrained: Which fit, as in `TransferPoint`.
        metric: One of `METRICS`.
        value: In the unit of the metric, over all bins.
        error: Statistical error; NaN where there is none.

    Raises:
        DataError: If there is no such metric.
    """

    method: str
    n_train: int
    pretrained: bool
    metric: str
    value: float
    error: float = math.nan

    def __post_init__(self) -> None:
        check_metric(self.metric)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: NaN and infinity, which JSON does not know, become None."""
        return finite_or_none(asdict(self))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TransferRow:
        """Rebuild a row; a missing number is NaN."""
        return cls(**with_nan(values))


def transfer_rows(
    energy_true: FloatArray,
    points: Sequence[TransferPoint],
    reference: str,
    binning: Binning,
    *,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> list[TransferRow]:
    """Judge fits of several methods on the same events.

    ``sigma_ratio`` refers to the reference and ``sigma_ratio_alone`` to the method itself, both trained alone on the
    most events of the study, so that each of them is one number that all fits share. ``gain_kept`` is
    (1 - sigma_ratio) over what it is for the method alone on the most events. All are made replica by replica on the
    same resampled events: their errors are those of paired comparisons. `evaluate` with the same bins and seed gives
    the same widths. ``bias_raw`` is what the scale is off by before any correction.

    Args:
        energy_true: True energies, above 0, shape (B,), [GeV].
        points: The fits.
        reference: Name of the reference.
        binning: Bins of the true energy.
        n_bootstrap: Number of resampled data sets.
        seed: Seed of the resampling.

    Returns:
        Rows, fit by fit.

    Raises:
        DataError: If energies are not valid (see `mean_widths`), or a method or the reference was never trained alone.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> truth, noise = rng.uniform(1, 9, 4000), rng.standard_normal(4000)
        >>> sigmas = {("line", 4000, False): 0.4, ("net", 4000, False): 0.3, ("net", 0, True): 0.32}
        >>> points = [TransferPoint(*key, raw=(e := truth + s * noise), corrected=e) for key, s in sigmas.items()]
        >>> rows = transfer_rows(truth, points, "line", Binning.uniform(1, 9, 8), n_bootstrap=10)
        >>> [round(r.value, 6) for r in rows if r.metric == "gain_kept" and r.pretrained]
        [0.8]
    """
    alone = {point.method: _alone(points, point.method) for point in points}
    if reference not in alone:
        raise DataError(f"no fit of the reference {reference!r}; {nearest(reference, alone)}")
    options = {"n_bootstrap": n_bootstrap, "seed": seed}
    found: list[dict[str, FloatArray]] = [{} for _ in points]
    for suffix in ("", "_local", "_raw"):
        known = [k for k, point in enumerate(points) if _energies(point, suffix) is not None]
        energies = {str(k): _energies(points[k], suffix) for k in known}
        if alone[reference] not in known:
            continue
        widths = dict(zip(known, mean_widths(energy_true, energies, binning, **options), strict=True))  # type: ignore[arg-type]
        for k in known:
            found[k][f"sigma_over_sqrt_e{suffix}"] = widths[k]
            if suffix in _CORRECTED:
                found[k] |= _gains(widths, k, alone[points[k].method], alone[reference], suffix)
    judged = np.concatenate(binning.groups(energy_true))
    rows = []
    for point, metrics in zip(points, found, strict=True):
        fit = point.method, point.n_train, point.pretrained
        rows += [TransferRow(*fit, name, float(v[0]), float(v[1:].std(ddof=1))) for name, v in metrics.items()]
        rows.append(TransferRow(*fit, "bias_raw", *_bias(energy_true[judged], point.raw[judged])))
    return rows


def _bias(energy_true: FloatArray, energy: FloatArray) -> tuple[float, float]:
    """Mean of predicted minus true energy over the mean true energy, and its error."""
    difference, mean = energy - energy_true, energy_true.mean()
    return float(difference.mean() / mean), float(difference.std(ddof=1) / math.sqrt(len(difference)) / mean)


def _energies(point: TransferPoint, suffix: str) -> FloatArray | None:
    return {"": point.corrected, "_local": point.strict, "_raw": point.raw}[suffix]


def _alone(points: Sequence[TransferPoint], method: str) -> int:
    """Which fit of a method learned from the most events of the study, and from no others."""
    fits = [k for k, point in enumerate(points) if point.method == method and not point.pretrained]
    if not fits:
        raise DataError(f"{method!r} was never trained on the events of the study alone, which its gain is measured by")
    return max(fits, key=lambda k: points[k].n_train)


def _gains(
    widths: Mapping[int, FloatArray], k: int, alone: int, reference: int, suffix: str
) -> Mapping[str, FloatArray]:
    """Of one fit, replica by replica."""
    ratios = {f"sigma_ratio{suffix}": widths[k] / widths[reference]}
    if alone in widths:
        ratios[f"sigma_ratio_alone{suffix}"] = widths[k] / widths[alone]
        if alone != reference:  # which has no gain over itself
            ratios[f"gain_kept{suffix}"] = (1 - widths[k] / widths[reference]) / (1 - widths[alone] / widths[reference])
    return ratios
