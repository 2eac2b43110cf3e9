"""One self-contained page, its figures and its tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from showercal.evaluation import METRICS
from showercal.report._headline import Card
from showercal.report._page import as_yaml
from showercal.report._pictures import Drawing, Picture, page_templates, save_pictures
from showercal.report._rounding import rounded
from showercal.report.validation._bounds import bound_lines, bound_summaries
from showercal.report.validation._content import ValidationContent
from showercal.report.validation._histograms import counts_figure, response_figure, worst_figure
from showercal.report.validation._matrices import correlation_figure, importance_figure
from showercal.report.validation._profiles import cell_figure, layer_figure, ring_figure
from showercal.report.validation._versus_energy import versus_energy_figure

_RATIOS = "Below, the ratio of the two; arrows at the edge stand for points outside the frame."


def write_validation(content: ValidationContent, folder: str | Path) -> Path:
    """Write ``report.html``, ``results.md`` and ``figures/*.png, *.svg`` into a folder.

    Args:
        content: What to show.
        folder: Made when missing; files of an earlier page there are replaced.

    Returns:
        The path of the page, which loads nothing from anywhere.
    """
    folder = Path(folder)
    pictures = save_pictures(_drawings(content), folder / "figures")
    page = folder / "report.html"
    page.write_text(_render(content, pictures), encoding="utf-8")
    (folder / "results.md").write_text(validation_markdown(content), encoding="utf-8")
    return page


def validation_markdown(content: ValidationContent) -> str:
    """Title, the AUC, and the bounds as tables: one line a metric, then all numbers."""
    parts = [f"# {_title(content)}", "", _sentence(content), "", _auc_text(content)]
    if content.verdicts:
        heads = ["Metric", "Farthest from ideal", "at", "Allowed there", "Kept"]
        lines = [
            [
                one.worst.title,
                f"{one.worst.value} ± {one.worst.error}",
                one.worst.where,
                f"± {one.worst.allowed}",
                f"{one.n_met} of {one.n_all}",
            ]
            for one in bound_summaries(content)
        ]
        parts += ["", *_table(heads, lines), "", "## All numbers with a bound", ""]
        heads = ["Metric", "Where", "Value", "Ideal", "Allowed", "Kept"]
        parts += _table(
            heads,
            [
                [one.title, one.where, f"{one.value} ± {one.error}", one.ideal, f"± {one.allowed}", _yes(one.is_met)]
                for one in bound_lines(content)
            ],
        )
    return "\n".join(parts) + "\n"


def _drawings(content: ValidationContent) -> Iterator[Drawing]:
    band = " The band is the bound." if content.verdicts else ""
    yield (
        "visible",
        "Mean and relative width of the visible energy versus true energy in both samples, with ratios",
        "Mean and standard deviation over mean of the visible over the true energy, in bins of the true energy. "
        f"{_RATIOS}{band}",
        lambda: versus_energy_figure(
            content,
            [
                ("visible_energy_mean_ratio", "Mean visible over true energy [%]", 100),
                ("visible_energy_width_ratio", "Its standard deviation over mean [%]", 100),
            ],
        ),
    )
    yield (
        "robust",
        "Median and truncated mean of the visible energy versus true energy in both samples, with ratios",
        f"The same by numbers that long tails do not move: the median, and the mean of the central 80 %. {_RATIOS}",
        lambda: versus_energy_figure(
            content,
            [
                ("visible_energy_median_ratio", "Median visible over true energy [%]", 100),
                ("visible_energy_truncated_mean_ratio", "Its mean in the central 80 % [%]", 100),
            ],
        ),
    )
    yield (
        "response",
        "Distribution of the visible over the true energy in ranges of the true energy",
        f"The shape of the visible over the true energy. 1 % of the events lie outside the frame. {_RATIOS}",
        lambda: response_figure(content),
    )
    yield (
        "cells_leakage",
        "Lit cells, and shares of the last layers and of the outermost cells, versus true energy in both samples",
        f"Mean number of cells above {content.lit_threshold:g} MeV; mean share of the visible energy in the last tenth "
        "of the layers, and in the outermost ring of cells: what leaves the detector must pass them. A share that is 0 "
        f"in both samples is left out. {_RATIOS}",
        lambda: versus_energy_figure(
            content,
            [
                ("lit_cells_ratio", "Mean number of lit cells", 1),
                ("leakage_ratio", "Share of the last layers [%]", 100),
                ("side_leakage_ratio", "Share of the outermost cells [%]", 100),
            ],
        ),
    )
    yield (
        "layers",
        "Mean energy per layer in ranges of the true energy",
        f"The longitudinal profile. {_RATIOS}{band}",
        lambda: layer_figure(content),
    )
    yield (
        "rings",
        "Mean energy density versus distance from the impact point in ranges of the true energy",
        "The radial profile: energy of the cells whose centres lie in a ring, over its area. The last ring also holds "
        f"what lies beyond. {_RATIOS}",
        lambda: ring_figure(content),
    )
    yield (
        "cells",
        "Spectrum of the cell energies in ranges of the true energy",
        f"How many cells hold how much energy. {_RATIOS}",
        lambda: cell_figure(content),
    )
    yield (
        "counts",
        "Distributions of the number of lit cells and of the layer where the shower starts",
        "Over all events within the bins. A shower starts in the first layer that holds more than four minimum "
        f"ionising particles leave there. {_RATIOS}",
        lambda: counts_figure(content),
    )
    yield (
        "correlation",
        "Correlation of the energies of the layers in both samples, and their difference",
        "Correlation of the energies of two layers, each over the true energy so that the spectrum does not count. "
        "Grey: a layer that is lit in less than 1 % of the events.",
        lambda: correlation_figure(content),
    )
    yield (
        "importance",
        "Importance of the shower shapes for the classifier",
        "What the trees gained by each shape, and how well that shape alone tells the samples apart: 0.5 when not at "
        "all, above it when it is larger in the sample. A shape near 0.5 with a large share differs in width, or "
        "together with others.",
        lambda: importance_figure(content),
    )
    yield (
        "worst",
        "Histograms of the shower shapes that count most for the classifier",
        "The shapes by which the trees gained most. 1 % of the events lie outside the frames.",
        lambda: worst_figure(content),
    )


def _render(content: ValidationContent, pictures: dict[str, Picture]) -> str:
    present = {one.metric for one in content.compared} | {"two_sample_auc"}
    return (
        page_templates()
        .get_template("validation.html.j2")
        .render(
            content=content,
            title=_title(content),
            description=_description(content),
            sentence=_sentence(content),
            cards=_cards(content),
            summary=bound_summaries(content),
            lines=bound_lines(content),
            pictures=pictures,
            auc_text=_auc_text(content),
            meanings=[metric for name, metric in METRICS.items() if name in present],
            provenance={name: as_yaml(data) for name, data in content.provenance.items()},
            timings={stage: f"{seconds:,.1f} s" for stage, seconds in content.timings.items()},
        )
    )


def _title(content: ValidationContent) -> str:
    return f"{content.particle} in {content.calorimeter.name}: {content.sample_name} against {content.reference_name}"


def _description(content: ValidationContent) -> str:
    primaries = "the same particles" if content.is_paired else "particles of their own"
    low, high = content.binning.edges[0], content.binning.edges[-1]
    return (
        f"{len(content.sample):,} events of {content.sample_name} and {len(content.reference):,} of "
        f"{content.reference_name} between {low:g} and {high:g} GeV; both samples start from {primaries}."
    )


def _sentence(content: ValidationContent) -> str:
    if not content.verdicts:
        return "No bounds are declared for this particle in this detector: everything is shown, nothing is judged."
    met = sum(verdict.is_met for verdict in content.verdicts)
    if met == len(content.verdicts):
        return f"All {met} numbers with a bound keep it."
    missed = [one.worst.title for one in bound_summaries(content) if one.n_met < one.n_all]
    return f"{met} of {len(content.verdicts)} numbers keep their bound; beyond it: {'; '.join(missed)}."


def _cards(content: ValidationContent) -> list[Card]:
    value, error = rounded(content.test.auc, content.test.error)
    cards = [Card("Two-sample AUC", f"{value} ± {error}", "0.5 when trees cannot tell the samples apart")]
    if content.verdicts:
        met = sum(verdict.is_met for verdict in content.verdicts)
        cards.append(Card("Bounds kept", f"{met} of {len(content.verdicts)}"))
    for metric, label in (("visible_energy_mean_ratio", "Mean"), ("visible_energy_width_ratio", "Width")):
        rows = [one for one in content.of(metric, in_bins=True) if one.ratio.value == one.ratio.value]
        if rows:
            worst = max(rows, key=lambda one: abs(one.ratio.value - 1))
            value, error = rounded(100 * (worst.ratio.value - 1), 100 * worst.ratio.error)
            note = f"{worst.bin_low:g}–{worst.bin_high:g}\u00a0GeV, visible energy"
            text = f"{value} ± {error}\u00a0%".replace("-", "\u2212")
            cards.append(Card(f"{label}, farthest bin", text, note))
    return cards


def _auc_text(content: ValidationContent) -> str:
    value, error = rounded(content.test.auc, content.test.error)
    n_reference, n_sample = content.test.n_events
    return (
        f"Boosted trees on {len(content.test.importance)} shower shapes tell {n_sample:,} events of "
        f"{content.sample_name} from {n_reference:,} of {content.reference_name} with a held-out AUC of "
        f"{value} ± {error}."
    )


def _table(heads: list[str], lines: list[list[str]]) -> list[str]:
    rule = ["---", *("---:" for _ in heads[1:])]
    return [f"| {' | '.join(line)} |" for line in (heads, rule, *lines)]


def _yes(is_met: bool) -> str:
    return "yes" if is_met else "no"
