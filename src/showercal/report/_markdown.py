"""The results row as Markdown tables."""

from __future__ import annotations

from pathlib import Path

from showercal.evaluation import METRICS
from showercal.report._content import ReportContent
from showercal.report._lookup import best_method
from showercal.report._table import (
    ERRORS,
    TRACKER_BIN_HEADINGS,
    WIDTH_GROUPS,
    BinTable,
    Cell,
    Column,
    bin_table,
    comparison_columns,
    uncertainty_columns,
    without_width,
)
from showercal.report._transfer import transfer_sentences, transfer_table


def results_markdown(content: ReportContent) -> str:
    """All methods in one table, then sigma/sqrt(E), bias and coverage in bins of energy; the best numbers are bold."""
    parts = [f"# {_plain(content.title)}", "", *_compared(content, comparison_columns(content)), ""]
    reference = _plain(content.label(content.reference))
    parts.append(f"Resolutions are compared after the bias correction; ratios refer to {reference}. {ERRORS}")
    if best_method(content, "_local") is not None:
        parts += ["", METRICS["sigma_over_sqrt_e_local"].meaning]
    if content.published and content.published_note:
        parts += ["", f"Published values: {_plain(content.published_note)}"]
    parts += _bin_tables(content, "sigma_over_sqrt_e", "sigma_over_sqrt_e_local", "bias")
    parts += _bin_tables(content, *TRACKER_BIN_HEADINGS)
    parts += _transfer(content)
    columns = uncertainty_columns(content)
    if columns:
        parts += ["", "## Uncertainty"]
        for group in WIDTH_GROUPS:
            if found := [column for column in columns if column.group == group]:
                parts += ["", f"### {group}", "", *_compared(content, found)]
        if sentence := without_width(content):
            parts += ["", _plain(sentence)]
        parts += _bin_tables(content, "coverage_68", "coverage_95")
    return "\n".join(parts) + "\n"


def write_results_markdown(content: ReportContent, path: str | Path) -> Path:
    """Write `results_markdown` to a file and return its path."""
    path = Path(path)
    path.write_text(results_markdown(content), encoding="utf-8")
    return path


def _compared(content: ReportContent, columns: list[Column]) -> list[str]:
    """Methods of the columns, a line each."""
    heads = ["Method", *(_plain(f"{c.heading} [{c.unit}]" if c.unit else c.heading) for c in columns)]
    names = columns[0].cells if columns else content.methods
    return _table(heads, [[_plain(content.label(name)), *(_cell(c.cells[name]) for c in columns)] for name in names])


def _bin_tables(content: ReportContent, *metrics: str) -> list[str]:
    parts = []
    for table in (bin_table(content, metric) for metric in metrics):
        if table is not None:
            parts += ["", f"## {table.heading} [{table.unit}]", "", *_bins(content, table)]
    return parts


def _transfer(content: ReportContent) -> list[str]:
    table = transfer_table(content)
    if table is None:
        return []
    heads = ["Method", "Events", *(_plain(f"{head} [{unit}]" if unit else head) for head, unit, _ in table.headings)]
    lines = [[_plain(content.label(method)), n, *(cell.text for cell in cells)] for method, n, cells in table.lines]
    sentences = [_plain(text) for text in transfer_sentences(content)]
    return ["", f"## Pretrained on {_plain(content.pretrained_on)}", "", *_table(heads, lines), "", *sentences]


def _bins(content: ReportContent, table: BinTable) -> list[str]:
    heads = ["E [GeV]", *(_plain(content.label(name)) for name in table.methods)]
    return _table(heads, [[energy, *(_cell(c) for c in cells)] for energy, cells in table.lines])


def _table(heads: list[str], lines: list[list[str]]) -> list[str]:
    rule = ["---", *("---:" for _ in heads[1:])]
    return [f"| {' | '.join(line)} |" for line in (heads, rule, *lines)]


def _cell(cell: Cell) -> str:
    return f"**{cell.text}**" if cell.is_best else cell.text


def _plain(text: str) -> str:
    """A user's text on one line that breaks no table."""
    return " ".join(text.replace("|", "\\|").split())
