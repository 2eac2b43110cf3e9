"""One self-contained HTML page and the figures beside it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import yaml
from plotly.offline import get_plotlyjs

from showercal.evaluation import METRICS, Metric
from showercal.report._content import ReportContent
from showercal.report._curves import bias_figure, bias_limits, relative_resolution_figure, resolution_figure
from showercal.report._display import display_figure
from showercal.report._distributions import n_not_finite, predicted_figure, response_figure
from showercal.report._headline import headline_cards, headline_sentence
from showercal.report._lookup import curve, overall
from showercal.report._markdown import write_results_markdown
from showercal.report._pictures import Drawing, Picture, page_templates, save_pictures
from showercal.report._rounding import DASH, rounded
from showercal.report._side_view import side_view_figure
from showercal.report._style import method_styles
from showercal.report._table import (
    BIN_HEADINGS,
    ERRORS,
    GROUPS,
    TRACKER_BIN_HEADINGS,
    WIDTH_BIN_HEADINGS,
    WIDTH_GROUPS,
    BinTable,
    Column,
    bin_table,
    comparison_columns,
    uncertainty_columns,
    without_width,
)
from showercal.report._tracker import tracker_figure
from showercal.report._training import dependence_figure, training_caption, training_figure
from showercal.report._transfer import transfer_figure, transfer_sentences, transfer_table
from showercal.report._uncertainty import (
    coverage_bins_figure,
    coverage_figure,
    pit_figure,
    pull_figure,
    pulls_outside,
    reliability_figure,
)


def write_report(content: ReportContent, folder: str | Path) -> Path:
    """Write ``report.html``, ``results.md`` and ``figures/*.png, *.svg`` into a folder.

    The page holds its figures, its style and the 3-D library, loads nothing from anywhere, and forbids the browser to.

    Args:
        content: What to show; sections without content are left out.
        folder: Made when missing; files of an earlier report there are replaced.

    Returns:
        The path of the page.

    Raises:
        DataError: If the display events carry no geometry.
    """
    folder = Path(folder)
    pictures = save_pictures(_drawings(content), folder / "figures")
    page = folder / "report.html"
    page.write_text(_render(content, pictures), encoding="utf-8")
    write_results_markdown(content, folder / "results.md")
    return page


def _drawings(content: ReportContent) -> list[Drawing]:
    reference = content.label(content.reference)
    return [
        (
            "resolution",
            "Resolution versus true energy for all methods, with the ratio to the reference",
            f"σ/√E after the bias correction; below, its ratio to {reference}. Bands are one standard error.",
            lambda: resolution_figure(content),
        ),
        (
            "resolution_strict",
            "Resolution after the strict correction versus true energy, with the ratio to the reference",
            f"σ/√E after the strict correction; below, its ratio to {reference}. Where a method stands higher "
            "than in the first figure, part of its gain there was shrinkage, or its strict correction is not "
            "well known: the bands do not hold the error of the correction.",
            lambda: resolution_figure(content, "_local"),
        ),
        (
            "relative_resolution",
            "Relative resolution versus true energy with fits",
            "The same width over the energy itself, on a logarithmic scale. A calorimeter follows a/√E ⊕ b/E ⊕ c, "
            "summed in quadrature: a stochastic, b noise, c constant.",
            lambda: relative_resolution_figure(content),
        ),
        (
            "bias",
            "Bias versus true energy for all methods",
            f"{METRICS['bias'].meaning} Bands are one standard error. " + _outside(content),
            lambda: bias_figure(content),
        ),
        (
            "tracker",
            "Resolution of calorimeter, tracker and both together versus true energy",
            "RMSE/E of the calorimeter after the bias correction (open), σ/E of the tracker (line), and both combined "
            "(filled): by the formula 1/√(1/calorimeter² + 1/tracker²), and with the measured energies event by event. "
            "Bars are one standard error.",
            lambda: tracker_figure(content),
        ),
        (
            "response",
            "Distribution of the response in ranges of energy",
            "Predicted over true energy after the correction. Narrower is better; a tail to one side is energy lost "
            f"or mistaken. {_missing(content)}",
            lambda: response_figure(content),
        ),
        (
            "predicted",
            "Predicted versus true energy, one histogram per method",
            "Predicted energy after the correction versus true energy; the dashed line is a perfect answer.",
            lambda: predicted_figure(content),
        ),
        (
            "coverage",
            "Coverage of central intervals against their nominal content",
            "Share of the events whose true energy lies in the central interval, against the content that the method "
            "gives to it; below, the difference. Above the diagonal widths are too large, below it too small. The grey "
            "band is the statistical error of right intervals.",
            lambda: coverage_figure(content),
        ),
        (
            "coverage_bins",
            "Coverage of the central 68 % and 95 % intervals versus true energy",
            "The coverage of two intervals in bins of the true energy: a method can be right on average and wrong in "
            "every bin. The grey bands are the statistical error of right intervals.",
            lambda: coverage_bins_figure(content),
        ),
        (
            "pit",
            "Distribution of the probability integral transform",
            "The predicted probability of an energy below the true one. Right distributions make it flat within the "
            "grey band of statistics; a valley in the middle means widths too small, a hill too large, a slope a bias.",
            lambda: pit_figure(content),
        ),
        (
            "reliability",
            "Observed against predicted width",
            "Events in ten bins of their predicted width: the root mean square of predicted minus true energy against "
            "the predicted standard deviation; below, their ratio. On the diagonal, each event knows its own error.",
            lambda: reliability_figure(content),
        ),
        (
            "pulls",
            "Distribution of the pulls with the unit normal",
            "Predicted minus true energy over the predicted standard deviation, on a linear and a logarithmic scale, "
            f"with the unit normal in grey. {_far_pulls(content)}",
            lambda: pull_figure(content),
        ),
        *(
            (
                f"transfer{'_strict' if suffix else ''}",
                f"Resolution {after} versus the number of training events of the study, pretrained and alone",
                f"σ/√E {after}: filled, pretrained on {content.pretrained_on}; open, trained on events of the study "
                f"alone; grey, {reference}. Bars are the errors of the ratio to {reference}, paired.",
                functools.partial(transfer_figure, content, suffix),
            )
            for suffix, after in (("", "after the bias correction"), ("_local", "after the strict correction"))
        ),
        (
            "training",
            "Training and validation loss versus epoch",
            "Loss on the training events and on the validation events, which the fit does not see. A validation loss "
            f"that rises while the training loss falls is overtraining. {training_caption(content)}",
            lambda: training_figure(content),
        ),
        (
            "dependence",
            "Dependence of the error on the true energy versus epoch",
            "Squared distance correlation of (predicted − true) over the root of the true energy with the true energy, "
            "before any correction, on up to 2,048 validation events after every epoch: 0 when the error tells nothing "
            "about the energy, with a statistical error of about 0.001.",
            lambda: dependence_figure(content),
        ),
        (
            "side_view",
            "Energy of the display events, seen from the side",
            "The same events from the side: energy per layer and column of cells, summed over y. The particle "
            "comes from the left.",
            lambda: None if content.displays is None else side_view_figure(content.displays),
        ),
    ]


def _outside(content: ReportContent) -> str:
    """Says which points the frame of the bias figure cuts off, so that none is hidden."""
    texts = []
    for metric, when in (("bias", "after"), ("bias_raw", "before")):
        curves = {n: c for n in content.methods if (c := curve(content, n, metric)) is not None}
        if not curves:
            continue
        low, high = bias_limits(curves, content.bias_floor)
        values, edges = [], []
        for found in curves.values():
            outside = (100 * found.value > high) | (100 * found.value < low)
            values += (100 * found.value[outside]).tolist()
            edges += [*found.low[outside], *found.high[outside]]
        if values:
            least, most = (f"{value:.0f}".replace("-", "−") for value in (min(values), max(values)))
            span = least if least == most else f"{least} to {most}"
            texts.append(f"{span}\u00a0% at {min(edges):g}–{max(edges):g}\u00a0GeV {when} the correction")
    return f"Arrows at the edge stand for points outside the frame: {'; '.join(texts)}." if texts else ""


def _far_pulls(content: ReportContent) -> str:
    texts = [f"{content.label(name)} {count:,}" for name, count in pulls_outside(content).items()]
    return f"Events outside the frame: {', '.join(texts)}." if texts else ""


def _missing(content: ReportContent) -> str:
    counts = n_not_finite(content)
    texts = [f"{content.label(name)} {count:,}" for name, count in counts.items()]
    return f"Predictions that are not finite are left out: {', '.join(texts)}." if texts else ""


def _render(content: ReportContent, pictures: Mapping[str, Picture]) -> str:
    display = None if content.displays is None else display_figure(content.displays)
    options = {
        "displaylogo": False,
        "responsive": True,
        "modeBarButtons": [["orbitRotation", "pan3d", "resetCameraDefault3d", "toImage"]],
    }
    return (
        page_templates()
        .get_template("report.html.j2")
        .render(
            content=content,
            colours={name: style.colour for name, style in method_styles(content).items()},
            sentence=headline_sentence(content),
            cards=headline_cards(content),
            groups=_grouped(GROUPS, comparison_columns(content)),
            width_groups=_grouped(WIDTH_GROUPS, uncertainty_columns(content)),
            without_width=without_width(content),
            pictures=pictures,
            bins=_bin_tables(content, BIN_HEADINGS),
            tracker_bins=_bin_tables(content, TRACKER_BIN_HEADINGS),
            width_bins=_bin_tables(content, WIDTH_BIN_HEADINGS),
            transfer=transfer_table(content),
            transfer_sentences=transfer_sentences(content),
            metrics=_metric_lines(content),
            meanings=_metric_texts(content),
            errors=ERRORS,
            strict=METRICS["sigma_over_sqrt_e_local"].meaning,
            display=None
            if display is None
            else display.to_html(full_html=False, include_plotlyjs=False, div_id="event-display-3d", config=options),
            plotly_js=get_plotlyjs() if display is not None else "",
            configuration=as_yaml(content.configuration),
            provenance=as_yaml(content.provenance),
            timings={stage: f"{seconds:,.1f} s" for stage, seconds in content.timings.items()},
        )
    )


def _grouped(groups: Sequence[str], columns: Sequence[Column]) -> list[tuple[str, list[Column]]]:
    return [(group, found) for group in groups if (found := [c for c in columns if c.group == group])]


def _bin_tables(content: ReportContent, metrics: Iterable[str]) -> list[BinTable]:
    tables = (bin_table(content, metric) for metric in metrics)
    return [table for table in tables if table is not None]


def _metric_texts(content: ReportContent) -> list[Metric]:
    """What every metric among the rows means, in the order of `METRICS`; unknown metrics by their name."""
    present = {row["metric"] for row in (*content.rows, *content.transfer)}
    unknown = [Metric(name, name, "A metric of this study.", "1", None) for name in sorted(present - set(METRICS))]
    return [text for name, text in METRICS.items() if name in present] + unknown


def _metric_lines(content: ReportContent) -> list[tuple[Metric, list[str]]]:
    """The value of every method over all events, for each metric that has one."""
    lines = []
    for metric in dict.fromkeys([*METRICS, *(row["metric"] for row in content.rows)]):
        found = [overall(content, name, metric) for name in content.methods]
        if all(one is None for one in found):
            continue
        text = METRICS.get(metric, Metric(metric, metric, "", "1", None))
        cells = []
        for one in found:
            value, error = (DASH, "") if one is None else rounded(one.value * text.scale, one.error * text.scale)
            if one is not None and metric.startswith("n_"):
                value = f"{round(one.value):,}"
            cells.append(f"{value} ± {error}" if error else value)
        lines.append((text, cells))
    return lines


def as_yaml(data: Mapping[str, Any]) -> str:
    """Nested data as YAML, in its own order; "" when there is none."""
    if not data:
        return ""
    return yaml.safe_dump(_plain(data), sort_keys=False, allow_unicode=True, default_flow_style=False, width=100)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(one) for one in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
