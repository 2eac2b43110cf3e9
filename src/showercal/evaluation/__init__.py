"""Judging energies: arrays in, tidy rows with bootstrap errors out. Knows no model and no event format."""

from showercal.evaluation._binning import Binning
from showercal.evaluation._bootstrap import Bootstrap
from showercal.evaluation._compare import Comparison, compare, mean_widths
from showercal.evaluation._compared import Compared
from showercal.evaluation._dependence import Dependence, dependence
from showercal.evaluation._estimates import ESTIMATES, Estimate, stratified_mean
from showercal.evaluation._evaluate import evaluate
from showercal.evaluation._measure import MethodArrays
from showercal.evaluation._metrics import METRICS, RATIOS, Metric
from showercal.evaluation._reliability import Reliability, reliability
from showercal.evaluation._resolution_fit import TERMS, ResolutionFit, fit_resolution, resolution_curve
from showercal.evaluation._rows import Row, finite_or_none
from showercal.evaluation._shower_maximum import shower_maximum
from showercal.evaluation._statistics import effective_width, gaussian_core, iqr, median, quantile, sigma68
from showercal.evaluation._transfer import TransferPoint, TransferRow, transfer_rows
from showercal.evaluation._two_sample import TwoSampleTest, auc_with_variance, two_sample_auc
from showercal.evaluation._widths import COVERAGES, WidthArrays, crps, is_covered

__all__ = [
    "COVERAGES",
    "ESTIMATES",
    "METRICS",
    "RATIOS",
    "TERMS",
    "Binning",
    "Bootstrap",
    "Compared",
    "Comparison",
    "Dependence",
    "Estimate",
    "MethodArrays",
    "Metric",
    "Reliability",
    "ResolutionFit",
    "Row",
    "TransferPoint",
    "TransferRow",
    "TwoSampleTest",
    "WidthArrays",
    "auc_with_variance",
    "compare",
    "crps",
    "dependence",
    "effective_width",
    "evaluate",
    "finite_or_none",
    "fit_resolution",
    "gaussian_core",
    "iqr",
    "is_covered",
    "mean_widths",
    "median",
    "quantile",
    "reliability",
    "resolution_curve",
    "shower_maximum",
    "sigma68",
    "stratified_mean",
    "transfer_rows",
    "two_sample_auc",
]
