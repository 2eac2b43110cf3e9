"""What the report shows of a calorimeter beside a tracker."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from showercal.evaluation import Binning, MethodArrays, evaluate
from showercal.report import ReportContent, results_markdown, tracker_figure, write_report
from showercal.report._headline import headline_cards, headline_sentence

from .conftest import LABELS

Make = Callable[..., ReportContent]
WIDTHS: Mapping[str, float] = {"line": 0.4, "trees": 0.25, "convnet": 0.2}


def beside_a_tracker(event_by_event: bool = True) -> list[dict[str, Any]]:
    """Rows of three calorimeters of constant relative width and a tracker of 10 % per GeV."""
    rng = np.random.default_rng(3)
    truth = rng.uniform(1, 9, 4_000)
    shared = rng.standard_normal(4_000)
    methods = {}
    for name, width in WIDTHS.items():
        pred = truth * (1 + width * shared)
        share = width**2 / (width**2 + (0.1 * truth) ** 2)
        combined = pred + share * (truth * (1 + 0.1 * truth * rng.standard_normal(4_000)) - pred)
        # the trees come without: they are left out of the second panel
        has_combined = event_by_event and name != "trees"
        methods[name] = MethodArrays(pred, pred, combined=combined if has_combined else None)
    rows = evaluate(truth, methods, "line", Binning.uniform(1, 9, 8), tracker=0.1 * truth, n_bootstrap=20)
    return [row.to_dict() for row in rows]


@pytest.fixture
def content(make_content: Make) -> ReportContent:
    return make_content(rows=beside_a_tracker())


def value(content: ReportContent, method: str, metric: str, number: int | None = None) -> float:
    (found,) = [r["value"] for r in content.rows if (r["method"], r["metric"], r["bin"]) == (method, metric, number)]
    return float(found)


def test_figure_shows_calorimeter_tracker_and_both(content: ReportContent) -> None:
    figure = tracker_figure(content)
    assert figure is not None
    assert [axes.get_title("left") for axes in figure.axes] == ["combined by the formula", "combined event by event"]
    for axes, metric, n_both in zip(figure.axes, ("combined_over_e", "combined_event_over_e"), (3, 2), strict=True):
        tracker = np.asarray(axes.get_lines()[0].get_ydata())
        np.testing.assert_allclose(tracker, [100 * value(content, "line", "tracker_over_e", k) for k in range(8)])
        curves = [np.asarray(c.lines[0].get_ydata()) for c in axes.containers]
        assert len(curves) == 3 + n_both
        np.testing.assert_allclose(curves[0], [100 * value(content, "line", "rmse_over_e", k) for k in range(8)])
        np.testing.assert_allclose(curves[-1], [100 * value(content, "convnet", metric, k) for k in range(8)])
        filled = [c.lines[0].get_markerfacecolor() != "white" for c in axes.containers]
        assert filled == [False] * 3 + [True] * n_both
        assert axes.get_xlabel() == r"True energy $E$ [GeV]"
    assert figure.axes[0].get_ylabel() == r"$\mathrm{RMSE}/E$  [%]"
    (legend,) = figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert named == [LABELS[n] for n in WIDTHS] + ["Tracker", "Calorimeter", "Calorimeter and tracker"]


def test_only_the_formula_has_a_panel_where_nothing_was_combined(make_content: Make) -> None:
    figure = tracker_figure(make_content(rows=beside_a_tracker(event_by_event=False)))
    assert figure is not None
    assert [axes.get_title("left") for axes in figure.axes] == ["combined by the formula"]


def test_table_marks_the_best(content: ReportContent) -> None:
    first = results_markdown(content).split("\n\n")[1].splitlines()
    lines = [[cell.strip() for cell in line[1:-1].split(" | ")] for line in first]
    found = {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines[2:]}
    best = found["ConvNet"]
    for heading in ("Mean improvement (MI) [%]", "Max RMSE/E [%]", "MI by event [%]", "MI ratio"):
        assert best[heading].startswith("**"), heading
        assert "±" in best[heading]
    assert "**" not in best["MI raw [%]"]
    assert found["Straight line"]["MI ratio"] == "1"
    assert found["Boosted trees"]["MI by event [%]"] == "–"
    improvement = 100 * value(content, "convnet", "mean_improvement")
    assert float(best["Mean improvement (MI) [%]"].strip("*").split()[0]) == pytest.approx(improvement, abs=0.05)


def test_headline_tells_what_the_calorimeter_adds(content: ReportContent) -> None:
    cards = {card.label: card for card in headline_cards(content)}
    assert cards["Mean improvement"].note == "ConvNet with the tracker, over the tracker alone"
    improvement = 100 * value(content, "convnet", "mean_improvement")
    assert float(cards["Mean improvement"].value.split("\u00a0")[0]) == pytest.approx(improvement, abs=0.05)
    sentence = headline_sentence(content).replace("\u00a0", " ")
    assert "Beside the tracker ConvNet improves most: by " in sentence
    assert sentence.endswith(" %.")


def test_page_has_a_section_with_tables_in_bins(content: ReportContent, tmp_path: Path) -> None:
    page = write_report(content, tmp_path).read_text(encoding="utf-8")
    assert '<section id="tracker">' in page
    assert '<figure id="figure-tracker">' in page
    for heading in ("RMSE/E of the calorimeter", "σ/E of the tracker", "RMSE/E of both, event by event"):
        assert f"<summary>{heading} in bins [%]</summary>" in page
    assert "<dt>Mean improvement, event by event</dt>" in page


def test_without_a_tracker_nothing_is_said(make_content: Make) -> None:
    content = make_content()
    assert tracker_figure(content) is None
    assert "Mean improvement" not in {card.label for card in headline_cards(content)}
    assert "tracker" not in headline_sentence(content)
    assert "tracker" not in results_markdown(content).lower()
