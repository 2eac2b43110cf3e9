"""What each metric means, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True)
class MetricText:
    """How a metric is named, in which unit it is shown, and what it says.

    Args:
        name: For readers.
        unit: Unit shown, "" for a plain number.
        scale: Factor from the row's value to the shown unit.
        meaning: One sentence.
    """

    name: str
    unit: str
    scale: float
    meaning: str


_PERCENT: Final = ("%", 100.0)
_WIDTHS: Final = {
    "std": ("standard deviation", "the standard deviation, which feels every outlier"),
    "sigma68": ("68 % width", "half of the central interval that holds 68.3 % of the events; outliers count little"),
    "iqr": ("interquartile range", "the interquartile range over twice the median; outliers do not count"),
    "gauss": ("Gaussian core", "the width of a normal curve fitted to the core of the response"),
    "effective": ("effective width", "half of the shortest interval that holds 68.3 % of the events"),
}

METRICS: Final[Mapping[str, MetricText]] = MappingProxyType(
    {
        "sigma_over_sqrt_e": MetricText(
            "σ/√E",
            "√GeV",
            1.0,
            "Width of predicted minus true energy, after the bias correction, over √E; averaged over the bins. "
            "Smaller is better, and this is the number methods are compared by.",
        ),
        "sigma_over_sqrt_e_raw": MetricText(
            "σ/√E, raw",
            "√GeV",
            1.0,
            "The same before the bias correction: a method that pulls all answers towards the middle of the spectrum "
            "looks better here than it is.",
        ),
        "sigma_ratio": MetricText(
            "Ratio to the reference",
            "",
            1.0,
            "σ/√E over that of the reference on the same events; 0.93 means 7 % narrower. The error is paired: event "
            "fluctuations that both methods share cancel.",
        ),
        "sigma_ratio_raw": MetricText(
            "Ratio to the reference, raw", "", 1.0, "The same ratio before the bias correction."
        ),
        "bias": MetricText(
            "Bias",
            *_PERCENT,
            "Mean of predicted over true energy, minus one, after the correction; 0 is ideal.",
        ),
        "bias_raw": MetricText(
            "Bias, raw", *_PERCENT, "Mean of predicted over true energy, minus one, as the method gives it."
        ),
        "response_mean": MetricText("Mean response", "", 1.0, "Mean of predicted over true energy; 1 is ideal."),
        "linearity": MetricText(
            "Linearity",
            "",
            1.0,
            "Median of predicted over true energy; constant over energy when the scale is linear.",
        ),
        **{
            f"resolution_{key}": MetricText(
                f"Resolution ({name})",
                *_PERCENT,
                f"Relative spread of the response, its width measured by {text}.",
            )
            for key, (name, text) in _WIDTHS.items()
        },
        "relative_iqr": MetricText(
            "rIQR",
            *_PERCENT,
            "1 minus the interquartile range over that of the reference: the share of the width that was removed.",
        ),
        "stochastic_term": MetricText(
            "Stochastic term a",
            "√GeV",
            1.0,
            "Of σ/E = a/√E ⊕ b/E ⊕ c: shower and sampling fluctuations.",
        ),
        "noise_term": MetricText(
            "Noise term b", "MeV", 1000.0, "Of σ/E = a/√E ⊕ b/E ⊕ c: a width that does not depend on the energy."
        ),
        "constant_term": MetricText(
            "Constant term c",
            *_PERCENT,
            "Of σ/E = a/√E ⊕ b/E ⊕ c: leakage and non-uniformity, which dominate at high energy.",
        ),
        "train_events_per_s": MetricText("Training speed", "events/s", 1.0, "Events that training passes per second."),
        "fit_seconds": MetricText("Training time", "s", 1.0, "Wall-clock time of the whole fit."),
        "n_parameters": MetricText("Parameters", "", 1.0, "Numbers that the fit adjusts."),
        "n_events": MetricText("Events", "", 1.0, "Test events that entered the metrics."),
    }
)
