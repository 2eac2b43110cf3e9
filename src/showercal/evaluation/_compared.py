"""One quantity of two samples of showers, and their ratio."""

from __future__ import annotations

from dataclasses import dataclass

from showercal.evaluation._estimates import Estimate
from showercal.evaluation._rows import Row


@dataclass(frozen=True)
class Compared:
    """One quantity of simulated events and of the reference.

    Args:
        metric: One of `METRICS` that is a ratio.
        sample, reference: The quantity in both.
        bin: Number of the bin of energy, or of the layer; None for the whole.
        bin_low, bin_high: Its edges, [GeV]; None where it is a layer.
    """

    metric: str
    sample: Estimate
    reference: Estimate
    bin: int | None = None
    bin_low: float | None = None
    bin_high: float | None = None

    @property
    def ratio(self) -> Estimate:
        """Simulated over reference."""
        return self.sample.over(self.reference)

    def row(self, method: str) -> Row:
        """The ratio as a result."""
        ratio = self.ratio
        return Row(method, self.metric, self.bin, self.bin_low, self.bin_high, ratio.value, ratio.error)
