"""The one list of all metrics: their names in results and for readers, their units, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from showercal.evaluation._widths import COVERAGES

Better = Literal["lower", "higher", "zero", "one", "nominal"]


@dataclass(frozen=True)
class Metric:
    """One metric.

    Args:
        name: Fixed word in results.
        title: Its name for readers.
        meaning: How it is measured and what it says, in a sentence or two.
        unit: Of value and error in results; "1" for a plain number.
        better: Whether lower, higher, or close to zero, to one or to ``nominal`` is better; None when it is no
            judgement.
        shown_unit: Unit that readers see; "" for a plain number.
        scale: Factor from ``unit`` to ``shown_unit``.
        nominal: Ideal value in ``unit`` where it is neither 0 nor 1.
    """

    name: str
    title: str
    meaning: str
    unit: str
    better: Better | None
    shown_unit: str = ""
    scale: float = 1.0
    nominal: float | None = None


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
_COVERED: Final = tuple(
    (name, level, content)
    for (name, level), content in zip(COVERAGES.items(), ("50", "68.27", "90", "95"), strict=True)
)

_TRANSFER: Final[tuple[tuple[str, str, str, Better, tuple[str, float]], ...]] = (
    (
        "sigma_ratio_alone",
        "Ratio to itself alone",
        "σ/√E over that of the same method trained on all events of the study alone; below 1, training on other events "
        "first has paid.",
        "lower",
        ("", 1.0),
    ),
    (
        "gain_kept",
        "Gain kept",
        "How much narrower than the reference, over how much narrower the same method is when it is trained on all "
        "events of the study alone; 100 % when nothing is lost.",
        "higher",
        _PERCENT,
    ),
)

_BESIDE_A_TRACKER: Final[tuple[tuple[str, str, str, Better | None], ...]] = (
    (
        "rmse_over_e",
        "RMSE/E",
        "Half the central interval that holds 68.27 % of predicted minus true energy, after the bias correction, and "
        "the median of that difference, in quadrature, over the median true energy; overall the mean of the bins.",
        "lower",
    ),
    ("rmse_over_e_raw", "RMSE/E raw", "RMSE/E before any bias correction.", "lower"),
    (
        "tracker_over_e",
        "Tracker σ/E",
        "Resolution of the tracker at the median true energy; overall the mean of the bins.",
        None,
    ),
    (
        "combined_over_e",
        "Combined σ/E",
        "1/√(1/calorimeter² + 1/tracker²), the resolution of the weighted mean of both, from RMSE/E and the σ/E of the "
        "tracker; overall the mean of the bins.",
        "lower",
    ),
    (
        "combined_event_over_e",
        "Combined RMSE/E, event by event",
        "RMSE/E of energies that were combined with those measured by the tracker, event by event: no formula, and "
        "each event with its own width where the method predicts one.",
        "lower",
    ),
    (
        "mean_improvement",
        "Mean improvement",
        "σ/E of the tracker minus that of the combination, by which the calorimeter improves on the tracker alone; "
        "overall the mean of the bins.",
        "higher",
    ),
    (
        "mean_improvement_event",
        "Mean improvement, event by event",
        "The mean improvement with the energies combined event by event.",
        "higher",
    ),
    (
        "mean_improvement_raw",
        "Mean improvement raw",
        "The mean improvement with the RMSE/E before any bias correction.",
        "higher",
    ),
    ("rmse_over_e_local", "RMSE/E strict", "RMSE/E after the strict correction (see σ/√E strict).", "lower"),
    (
        "mean_improvement_local",
        "Mean improvement strict",
        "The mean improvement with the RMSE/E after the strict correction: a straight line leaves answers pulled "
        "inwards, which makes the mean improvement larger than what the calorimeter tells.",
        "higher",
    ),
    ("max_rmse", "Max RMSE/E", "Largest combined σ/E of all bins.", "lower"),
    (
        "max_rmse_event",
        "Max RMSE/E, event by event",
        "Largest RMSE/E of all bins with the energies combined event by event.",
        "lower",
    ),
)
#: Metrics whose ratio to that of the reference is given, with the error of a paired comparison, and what it is called.
RATIOS: Final[Mapping[str, str]] = MappingProxyType(
    {f"sigma_over_sqrt_e{suffix}": f"sigma_ratio{suffix}" for suffix in ("", "_local", "_raw")}
    | {
        metric: f"{metric}_ratio"
        for metric in (
            *(f"resolution_{name}" for name, _, _ in _WIDTHS),
            "crps",
            *(f"mean_improvement{suffix}" for suffix in ("", "_event", "_raw", "_local")),
            *("max_rmse", "max_rmse_event"),
        )
    }
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
    *(
        Metric(
            f"{name}{suffix}",
            f"{title}{strict}",
            f"{text} {'Widths are those after the strict correction. ' if suffix else ''}The error is paired.",
            "1",
            better,
            *shown,
        )
        for suffix, strict in (("", ""), ("_local", " strict"))
        for name, title, text, better, shown in _TRANSFER
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
    *(Metric(name, title, text, "1", better, *_PERCENT) for name, title, text, better in _BESIDE_A_TRACKER),
    Metric(
        "nll",
        "NLL",
        "Mean negative logarithm of the predicted density, per GeV, at the true energy: centre and width judged "
        "together. No value where a prediction excludes the truth.",
        "nat",
        "lower",
        "nat",
    ),
    Metric(
        "nll_raw",
        "NLL before recalibration",
        "The NLL with the width as the method gives it, after the bias correction.",
        "nat",
        "lower",
        "nat",
    ),
    Metric(
        "crps",
        "CRPS",
        "Mean continuous ranked probability score: how far the predicted cumulative distribution lies from a step at "
        "the true energy. It judges centre and width together, and outliers count less than in the NLL.",
        "GeV",
        "lower",
        "MeV",
        1000.0,
    ),
    Metric(
        "sharpness",
        "Predicted σ/√E",
        "Mean predicted width (half the central 68.27 % interval) over the square root of the mean true energy; "
        "averaged over the bins. It equals σ/√E where the predicted widths are right; narrow is good only then.",
        "sqrt(GeV)",
        None,
        "√GeV",
    ),
    Metric(
        "model_spread",
        "Model σ/√E",
        "Mean standard deviation between the models of an ensemble over the square root of the mean true energy; "
        "averaged over the bins. The part of σ/√E that comes of what the training events leave open, as far as "
        "the members tell: what all of them get wrong alike is not in it.",
        "sqrt(GeV)",
        None,
        "√GeV",
    ),
    Metric(
        "pull_mean",
        "Pull mean",
        "Mean of the pull: predicted (median) minus true energy over the predicted standard deviation.",
        "1",
        "zero",
    ),
    Metric(
        "pull_width",
        "Pull width",
        "Standard deviation of the pull. 1 is ideal; 2 means errors twice as large as predicted. Feels every outlier.",
        "1",
        "one",
    ),
    Metric(
        "pull_width_raw",
        "Pull width before recalibration",
        "The pull width with the width as the method gives it, after the bias correction.",
        "1",
        "one",
    ),
    Metric(
        "pull_sigma68",
        "Pull 68 % width",
        "Half the central interval that holds 68.27 % of the pulls; 1 is ideal for normal predictions. Outliers count "
        "little.",
        "1",
        "one",
    ),
    *(
        Metric(
            name,
            f"Coverage {name[9:]} %",
            f"Share of the events whose true energy lies in the central interval that is predicted to hold {content} % "
            "of them.",
            "1",
            "nominal",
            *_PERCENT,
            level,
        )
        for name, level, content in _COVERED
    ),
    *(
        Metric(
            f"{name}_raw",
            f"Coverage {name[9:]} % before recalibration",
            "The coverage with the width as the method gives it, after the bias correction.",
            "1",
            "nominal",
            *_PERCENT,
            level,
        )
        for name, level, _ in _COVERED
        if name in {"coverage_68", "coverage_95"}
    ),
    Metric(
        "pit_ks",
        "PIT distance",
        "Largest distance of the distribution of the PIT (the predicted cumulative distribution at the true energy) "
        "from the uniform one that right predictions have (Kolmogorov and Smirnov).",
        "1",
        "lower",
    ),
    Metric(
        "pit_p",
        "PIT p-value",
        "Chance that right predictions of as many events have a PIT distance at least as large.",
        "1",
        None,
    ),
    Metric(
        "ence",
        "ENCE",
        "Expected normalised calibration error: mean of |observed over predicted width − 1| in bins of the predicted "
        "width. Never quite 0: in K bins of n events about 0.56/√n.",
        "1",
        "lower",
        *_PERCENT,
    ),
    *(
        Metric(
            f"dependence_{key}{suffix}",
            f"{title}{of}",
            f"{text} between (predicted − true)/√(true energy) and the true energy, {when} the bias correction; "
            "about 0, of either sign, when the error tells nothing about the energy.",
            unit,
            "zero",
            shown,
        )
        for suffix, of, when in (("", "", "after"), ("_raw", ", raw", "before"))
        for key, title, text, unit, shown in (
            ("dcor", "Distance correlation", "Squared distance correlation, in its unbiased form,", "1", ""),
            ("mi", "Mutual information", "Mutual information", "nat", "nat"),
        )
    ),
    *(
        Metric(
            f"visible_energy_{key}_ratio",
            f"Visible energy: {title}",
            f"{text} of the visible over the true energy of simulated events, over that of the reference.",
            "1",
            "one",
        )
        for key, title, text in (
            ("mean", "mean", "Mean"),
            ("width", "relative width", "Standard deviation over mean"),
            ("median", "median", "Median"),
            ("truncated_mean", "truncated mean", "Mean of the central 80 %"),
        )
    ),
    Metric(
        "layer_energy_ratio",
        "Energy per layer",
        "Mean visible energy in one layer of simulated events, over that of the reference; the bin is the number of "
        "the layer.",
        "1",
        "one",
    ),
    Metric(
        "lit_cells_ratio",
        "Lit cells",
        "Mean number of cells above a threshold in simulated events, over that of the reference.",
        "1",
        "one",
    ),
    Metric(
        "leakage_ratio",
        "Energy in the last layers",
        "Mean share of the visible energy in the last tenth of the layers, which tells of leakage behind them, over "
        "that of the reference.",
        "1",
        "one",
    ),
    Metric(
        "side_leakage_ratio",
        "Energy in the outermost cells",
        "Mean share of the visible energy in the outermost ring of cells, which tells of leakage at the sides, over "
        "that of the reference.",
        "1",
        "one",
    ),
    Metric(
        "shower_maximum_ratio",
        "Shower maximum",
        "Depth of the maximum of the mean longitudinal profile, by a parabola through the logarithm of the three "
        "highest layers, over that of the reference.",
        "1",
        "one",
    ),
    Metric(
        "two_sample_auc",
        "Two-sample AUC",
        "Area under the ROC curve of boosted trees that tell simulated events from those of the reference by their "
        "shower shapes, on events that they did not learn from: 0.5 when they cannot.",
        "1",
        "nominal",
        nominal=0.5,
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

_OF_RATIOS = (
    Metric(
        RATIOS[metric.name],
        f"{metric.title}, ratio",
        f"{metric.title} over that of the reference on the same events. The error is paired.",
        "1",
        metric.better,
    )
    for metric in _ALL
    if RATIOS.get(metric.name) == f"{metric.name}_ratio"  # those of another name say more above
)

#: All metrics by name.
METRICS: Final[Mapping[str, Metric]] = MappingProxyType({metric.name: metric for metric in (*_ALL, *_OF_RATIOS)})
