"""Figures and one self-contained HTML page per run, from plain rows of results."""

from showercal.report._content import MethodSummary, ReportContent
from showercal.report._curves import bias_figure, relative_resolution_figure, resolution_figure
from showercal.report._display import display_figure
from showercal.report._distributions import predicted_figure, response_figure
from showercal.report._markdown import results_markdown, write_results_markdown
from showercal.report._page import write_report
from showercal.report._rounding import rounded
from showercal.report._side_view import side_view_figure
from showercal.report._tracker import tracker_figure
from showercal.report._training import dependence_figure, training_figure
from showercal.report._transfer import transfer_figure
from showercal.report._uncertainty import (
    coverage_bins_figure,
    coverage_figure,
    pit_figure,
    pull_figure,
    reliability_figure,
)

__all__ = [
    "MethodSummary",
    "ReportContent",
    "bias_figure",
    "coverage_bins_figure",
    "coverage_figure",
    "dependence_figure",
    "display_figure",
    "pit_figure",
    "predicted_figure",
    "pull_figure",
    "relative_resolution_figure",
    "reliability_figure",
    "resolution_figure",
    "response_figure",
    "results_markdown",
    "rounded",
    "side_view_figure",
    "tracker_figure",
    "training_figure",
    "transfer_figure",
    "write_report",
    "write_results_markdown",
]
