"""The numbers with a bound as lines of tables."""

from __future__ import annotations

import math
from dataclasses import dataclass

from showercal.report._rounding import rounded
from showercal.report.validation._content import ValidationContent, Verdict


@dataclass(frozen=True)
class BoundLine:
    """One number, as text."""

    title: str
    where: str
    value: str
    error: str
    ideal: str
    allowed: str
    bound: str
    is_met: bool


@dataclass(frozen=True)
class BoundSummary:
    """How many numbers of a metric keep their bound, and the one nearest to it or farthest beyond."""

    worst: BoundLine
    n_met: int
    n_all: int


def bound_lines(content: ValidationContent) -> list[BoundLine]:
    """All of them."""
    return [_line(verdict) for verdict in content.verdicts]


def bound_summaries(content: ValidationContent) -> list[BoundSummary]:
    """One a metric."""
    found = []
    for metric in dict.fromkeys(verdict.metric for verdict in content.verdicts):
        group = [verdict for verdict in content.verdicts if verdict.metric == metric]
        met = sum(verdict.is_met for verdict in group)
        found.append(BoundSummary(_line(max(group, key=_strain)), met, len(group)))
    return found


def _strain(verdict: Verdict) -> float:
    """Distance from the ideal in units of what is allowed; a missing number is the worst."""
    strain = abs(verdict.value - verdict.ideal) / verdict.allowed
    return math.inf if math.isnan(strain) else strain


def _line(verdict: Verdict) -> BoundLine:
    value, error = rounded(verdict.value, verdict.error)
    return BoundLine(
        title=verdict.title,
        where=verdict.where,
        value=value,
        error=error,
        ideal=f"{verdict.ideal:g}",
        allowed=f"{verdict.allowed:.2g}",
        bound=f"{verdict.bound:g}",
        is_met=verdict.is_met,
    )
