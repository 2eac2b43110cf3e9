"""The one list of all metrics: their names in results and for readers, their units, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Better = Literal["lower", "higher", "zero", "one"]


@dataclass(frozen=True)
class Metric:
    """One metric.

    Args:
        name: Fixed word in results.
        title: Its name for readers.
        meaning: How it is measured and what it says, in a sentence or two.
        unit: Of value and error in results; "1" for a plain number.
        better: Whether lower, higher, or close to zero or one is better; None when it is no judgement.
        shown_unit: Unit that readers see; "" for a plain number.
        scale: Factor from ``unit`` to ``shown_unit``.
    """

    name: str
    title: str
    meaning: str
    unit: str
    better: Better | None
    shown_unit: str = ""
    scale: float = 1.0


_PERCENT: Final = ("%", 100.0)
_CURVE: Final = "σ/E = a/√E ⊕ b/E ⊕ c, fitted to the widths in bins"
_WIDTHS: Final = (
    ("std", "standard deviation", "standard deviation over mean of predicted over true energy; feels every outlier"),
    (
        "sigma68",
        "68 % width",
        "half the central interval that holds 68.27 % of the events, over the median; outliers count little",
    ),
    ("iqr", "interquartile range", "interquartile range over twice the median; outliers do not count"),
    ("gauss", "Gaussian core", "width over mean of a normal curve fitted within 2 standard deviations"),
    ("effective", "effective width", "half the shortest interval that holds 68.27 % of the events, over the median"),
)

_ALL = (
    Metric(
        "sigma_over_sqrt_e",
        "σ/√E",
        "Standard deviation of predicted minus true energy, after the bias correction, over the square root of the "
        "mean true energy; averaged over the bins. This is the number methods are compared by.",
        "sqrt(GeV)",
        "lower",
        "√GeV",
    ),
    Metric(
        "sigma_over_sqrt_e_local",
        "σ/√E strict",
        "σ/√E after a correction that follows the prediction bin by bin, so that its local slope is 1: the main "
        "correction may leave the answers pulled inwards at the ends of the spectrum, where a method then looks "
        "narrower than it is.",
        "sqrt(GeV)",
        "lower",
        "√GeV",
    ),
    Metric(
        "sigma_over_sqrt_e_raw",
        "σ/√E raw",
        "σ/√E before any bias correction: a method that pulls all answers towards the middle of the spectrum "
        "looks better here than it is.",
        "sqrt(GeV)",
        "lower",
        "√GeV",
    ),
    Metric(
        "sigma_ratio",
        "Ratio",
        "σ/√E over that of the reference on the same events; 0.93 means 7 % narrower. The error is paired: "
        "fluctuations that both methods share cancel.",
        "1",
        "lower",
    ),
    Metric(
        "sigma_ratio_local",
        "Ratio strict",
        "The ratio of σ/√E strict to that of the reference. The error is paired.",
        "1",
        "lower",
    ),
    Metric(
        "sigma_ratio_raw",
        "Ratio raw",
        "The ratio of σ/√E raw to that of the reference. The error is paired.",
        "1",
        "lower",
    ),
    Metric(
        "bias",
        "Bias",
        "Mean of predicted minus true energy over the mean true energy, after the correction; 0 is ideal.",
        "1",
        "zero",
        *_PERCENT,
    ),
    Metric("bias_local", "Bias strict", "The bias after the strict correction.", "1", "zero", *_PERCENT),
    Metric("bias_raw", "Bias raw", "The bias as the method gives it, uncorrected.", "1", "zero", *_PERCENT),
    Metric(
        "response_mean",
        "Mean response",
        "Mean of predicted over true energy; 1 is ideal. Ill-defined where energies reach 0; see the bias.",
        "1",
        "one",
    ),
    Metric(
        "linearity",
        "Linearity",
        "Median of predicted over true energy; the same at all energies when the scale is linear.",
        "1",
        "one",
    ),
    *(
        Metric(
            f"resolution_{key}",
            f"Resolution ({title})",
            f"Relative spread of predicted over true energy: {text}.",
            "1",
            "lower",
            *_PERCENT,
        )
        for key, title, text in _WIDTHS
    ),
    Metric(
        "relative_iqr",
        "rIQR",
        "1 minus the interquartile range of predicted over true energy over that of the reference: the share of the "
        "width that was removed. The error is paired.",
        "1",
        "higher",
        *_PERCENT,
    ),
    Metric(
        "stochastic_term",
        "Stochastic term a",
        f"a of {_CURVE}: shower and sampling fluctuations.",
        "sqrt(GeV)",
        "lower",
        "√GeV",
    ),
    Metric(
        "noise_term",
        "Noise term b",
        f"b of {_CURVE}: a width that does not depend on the energy.",
        "GeV",
        "lower",
        "MeV",
        1000.0,
    ),
    Metric(
        "constant_term",
        "Constant term c",
        f"c of {_CURVE}: leakage and non-uniformity, which dominate at high energy.",
        "1",
        "lower",
        *_PERCENT,
    ),
    Metric("energy_mean", "Mean true energy", "Mean true energy of the events.", "GeV", None, "GeV"),
    Metric("n_events", "Events", "Events that were judged.", "1", None),
    Metric("n_events_outside", "Events outside", "Events outside all bins, not judged.", "1", None),
    Metric(
        "train_events_per_s", "Training speed", "Events that training passes per second.", "1/s", "higher", "events/s"
    ),
    Metric("fit_seconds", "Fit time", "Wall-clock time of the whole fit.", "s", "lower", "s"),
    Metric("n_parameters", "Parameters", "Numbers that the fit adjusts.", "1", None),
)

#: All metrics by name.
METRICS: Final[Mapping[str, Metric]] = MappingProxyType({metric.name: metric for metric in _ALL})
