"""The names of all metrics: what they mean, their unit, and which direction is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Better = Literal["lower", "higher", "zero", "one"]


@dataclass(frozen=True)
class Metric:
    """One metric.

    Args:
        name: Fixed word in results.
        description: One line, for tables and hover texts.
        unit: Of value and error; "1" for a plain number.
        better: Whether lower, higher, or close to zero or one is better; None when it is no judgement.
    """

    name: str
    description: str
    unit: str
    better: Better | None


_ALL = (
    Metric(
        "sigma_over_sqrt_e",
        "std(pred - true) / sqrt(mean true), corrected; overall: mean of bins",
        "sqrt(GeV)",
        "lower",
    ),
    Metric(
        "sigma_over_sqrt_e_raw", "The same before the bias correction (shrinkage flatters it)", "sqrt(GeV)", "lower"
    ),
    Metric(
        "sigma_over_sqrt_e_local",
        "The same after a correction that follows the mean prediction bin by bin, so that its local slope is 1",
        "sqrt(GeV)",
        "lower",
    ),
    Metric("bias_local", "bias after that correction", "1", "zero"),
    Metric("sigma_ratio_local", "sigma_over_sqrt_e_local over that of the reference (paired error)", "1", "lower"),
    Metric("bias", "mean(pred - true) / mean(true), after the correction", "1", "zero"),
    Metric("bias_raw", "The same before the correction", "1", "zero"),
    Metric("response_mean", "Mean of pred/true; ill-defined where energies reach 0, see bias", "1", "one"),
    Metric("linearity", "Median of pred/true", "1", "one"),
    Metric("resolution_std", "std of pred/true over its mean; ill-defined where energies reach 0", "1", "lower"),
    Metric("resolution_sigma68", "Half the central 68.27 % interval of pred/true over its median", "1", "lower"),
    Metric("resolution_iqr", "Interquartile range of pred/true over twice its median", "1", "lower"),
    Metric("resolution_gauss", "Width over mean of a normal fitted to pred/true within 2 sigma", "1", "lower"),
    Metric("resolution_effective", "Half the shortest 68.27 % interval of pred/true over its median", "1", "lower"),
    Metric("relative_iqr", "1 - IQR / IQR of the reference, of pred/true - 1 (paired error)", "1", "higher"),
    Metric("sigma_ratio", "sigma_over_sqrt_e over that of the reference (paired error)", "1", "lower"),
    Metric("sigma_ratio_raw", "sigma_over_sqrt_e_raw over that of the reference (paired error)", "1", "lower"),
    Metric(
        "stochastic_term", "a of sigma/E = a/sqrt(E) (+) b (+) c/E, fitted to std(pred - true)/E", "sqrt(GeV)", "lower"
    ),
    Metric("constant_term", "b of the same fit", "1", "lower"),
    Metric("noise_term", "c of the same fit", "GeV", "lower"),
    Metric("energy_mean", "Mean true energy of the bin", "GeV", None),
    Metric("n_events", "Events in the bin; overall: in all bins together", "1", None),
    Metric("n_events_outside", "Events outside all bins, not judged", "1", None),
    Metric("train_events_per_s", "Training events per second", "1/s", "higher"),
    Metric("fit_seconds", "Time of the whole fit", "s", "lower"),
    Metric("n_parameters", "Trained parameters of the model", "1", None),
)

#: All metrics by name.
METRICS: Final[Mapping[str, Metric]] = {metric.name: metric for metric in _ALL}
