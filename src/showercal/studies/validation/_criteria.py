"""What is asked of simulated showers: a table by detector and particle, and whether it is met."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, field_validator

from showercal.detectors import BoxCalorimeter
from showercal.errors import DataError, nearest
from showercal.evaluation import METRICS, Binning, Compared, TwoSampleTest
from showercal.features import LIT_THRESHOLDS
from showercal.report.validation import Verdict

FloatArray = NDArray[np.float64]

_FILE: Final = Path(__file__).parent / "criteria.yaml"
_SHARE: Final = 0.02  # of the visible energy, below which a layer is not judged
_N_BINS: Final = 8  # for particles that the table does not know


class Signal(BaseModel):
    """How deposits become signals.

    Args:
        birks: Birks' constant, [mm/MeV]; 0 for none.
        time_cut: Deposits later than this are not seen, [ns]; None sees all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    birks: float = Field(default=0.0, ge=0)
    time_cut: PositiveFloat | None = None


class Criteria(BaseModel):
    """One entry of the table.

    Args:
        detector: Its name.
        particles: Their names.
        energies: Edges of the bins of the true energy, [GeV].
        lit_threshold: Energy above which a cell counts as lit, [MeV].
        signal: How deposits become signals where a reference does not say it.
        bounds: By metric, the largest distance of a ratio from 1 or of the AUC from 0.5.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    detector: str
    particles: tuple[str, ...]
    energies: tuple[float, ...]
    lit_threshold: PositiveFloat
    signal: Signal = Signal()
    bounds: dict[str, PositiveFloat] = Field(default_factory=dict)

    @field_validator("lit_threshold")
    @classmethod
    def _counted(cls, threshold: float) -> float:
        if threshold not in LIT_THRESHOLDS:
            raise ValueError(f"cells are counted above {LIT_THRESHOLDS} MeV; got {threshold}")
        return threshold

    @field_validator("bounds")
    @classmethod
    def _known(cls, bounds: dict[str, float]) -> dict[str, float]:
        for name in bounds:
            if name not in METRICS:
                raise ValueError(f"unknown metric {name!r}; {nearest(name, METRICS)}")
        return bounds

    @property
    def binning(self) -> Binning:
        """Bins of the true energy."""
        return Binning(self.energies)


def all_criteria() -> list[Criteria]:
    """The whole table."""
    return [Criteria(**entry) for entry in yaml.safe_load(_FILE.read_text(encoding="utf-8"))]


def find_criteria(calorimeter: BoxCalorimeter, particle: str) -> Criteria | None:
    """The entry for a detector and a particle, or None where the table has none."""
    for entry in all_criteria():
        if entry.detector == calorimeter.name and particle in entry.particles:
            return entry
    return None


def criteria_without_bounds(calorimeter: BoxCalorimeter, particle: str, energy_true: FloatArray) -> Criteria:
    """Logarithmic bins over the energies of a sample, and no bounds: everything is shown and nothing judged.

    Args:
        calorimeter: The detector.
        particle: The particle.
        energy_true: Of the reference, shape (B,), [GeV].

    Raises:
        DataError: If all energies are 0.
    """
    low, high = (float(energy) for energy in np.quantile(energy_true, [0.01, 1.0]))
    if not high > 0:
        raise DataError("the reference holds no event with a true energy above 0")
    edges = (0.99 * high, 1.01 * high) if low > 0.95 * high else np.geomspace(max(low, 1e-3 * high), high, _N_BINS + 1)
    return Criteria(
        detector=calorimeter.name,
        particles=(particle,),
        energies=tuple(float(edge) for edge in edges),
        lit_threshold=0.1 if any(layer.absorber for layer in calorimeter.layers) else 1.0,
    )


def verdicts(criteria: Criteria, compared: Sequence[Compared], test: TwoSampleTest) -> list[Verdict]:
    """Each number that has a bound, and whether it keeps it, in the order of the table."""
    found = []
    layer_sum = sum(one.reference.value for one in compared if one.metric == "layer_energy_ratio")
    for metric, bound in criteria.bounds.items():
        if metric == "two_sample_auc":
            found.append(_verdict(metric, None, "all events", test.auc, test.error, bound, test.error))
            continue
        # a number of the whole, where there is one, and not of its bins
        whole = metric in {"lit_cells_ratio", "shower_maximum_ratio"}
        for one in compared:
            if one.metric != metric or (whole and one.bin is not None):
                continue
            if metric == "layer_energy_ratio" and one.reference.value < _SHARE * layer_sum:
                continue
            ratio = one.ratio
            found.append(
                _verdict(metric, one.bin, _where(one), ratio.value, ratio.error, bound, one.reference.relative_error)
            )
    return found


def _verdict(
    metric: str, number: int | None, where: str, value: float, error: float, bound: float, reference_error: float
) -> Verdict:
    ideal = 1.0 if METRICS[metric].nominal is None else float(METRICS[metric].nominal or 0)
    statistical = 2 * reference_error if math.isfinite(reference_error) else 0.0
    return Verdict(metric, number, where, value, error, ideal, bound, max(bound, statistical))


def _where(one: Compared) -> str:
    if one.bin is None:
        return "all events"
    return f"layer {one.bin}" if one.bin_low is None else f"{one.bin_low:g}–{one.bin_high:g} GeV"
