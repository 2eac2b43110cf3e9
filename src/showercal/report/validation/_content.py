"""What the page of a validation is made of. The caller fills it; nothing here computes a metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from showercal.detectors import BoxCalorimeter
from showercal.evaluation import METRICS, Binning, Compared, TwoSampleTest
from showercal.features import Observables


@dataclass(frozen=True)
class Verdict:
    """One number that has a bound.

    Args:
        metric: One of `METRICS`.
        bin: Number of its bin; None for the whole.
        where: Its bin, for readers.
        value, error: The number.
        ideal: 1 for a ratio, 0.5 for the AUC.
        bound: Largest distance from the ideal that is asked for.
        allowed: The larger of the bound and twice the statistical error of the reference.
    """

    metric: str
    bin: int | None
    where: str
    value: float
    error: float
    ideal: float
    bound: float
    allowed: float

    @property
    def is_met(self) -> bool:
        """Whether the number lies within what is allowed; an AUC below 0.5 always does, a missing number never."""
        if self.metric == "two_sample_auc":
            return self.value - self.ideal <= self.allowed
        return abs(self.value - self.ideal) <= self.allowed

    @property
    def title(self) -> str:
        """The metric for readers."""
        return METRICS[self.metric].title


@dataclass(frozen=True, kw_only=True, eq=False)
class ValidationContent:
    """Everything the page shows.

    Args:
        particle: Its name.
        calorimeter: Where.
        sample_name, reference_name: Names of the two samples, for legends.
        sample, reference: Observables of the events within the bins.
        is_paired: Whether both start from the same particles.
        binning: Bins of the true energy.
        lit_threshold: Energy above which a cell counts as lit, [MeV].
        compared: All quantities in both samples.
        test: The classifier test.
        verdicts: The numbers with a bound; empty where there are none.
        versions: Package to version.
        provenance: Where the two samples came from, by their names.
        command: The command that made the page.
        timings: Stage to seconds.
    """

    particle: str
    calorimeter: BoxCalorimeter
    sample_name: str
    reference_name: str
    sample: Observables
    reference: Observables
    is_paired: bool
    binning: Binning
    lit_threshold: float
    compared: Sequence[Compared]
    test: TwoSampleTest
    verdicts: Sequence[Verdict] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    command: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)

    @property
    def samples(self) -> dict[str, Observables]:
        """Both by name, the reference first."""
        return {self.reference_name: self.reference, self.sample_name: self.sample}

    def of(self, metric: str, *, in_bins: bool) -> list[Compared]:
        """Comparisons of one metric: in its bins, or of the whole."""
        return [one for one in self.compared if one.metric == metric and (one.bin is not None) == in_bins]
