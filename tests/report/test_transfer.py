"""What a pretraining was worth, as the report shows it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import showercal.report._page as page_module
from showercal.errors import DataError
from showercal.report import ReportContent, results_markdown, transfer_figure, write_report
from showercal.report._transfer import transfer_sentences, transfer_table

Make = Callable[..., ReportContent]
#: sigma / sqrt(E) by method, events and whether pretrained; trees cannot be trained on.
SIGMA = {
    **{("line", n, n == 0): 0.2761 for n in (0, 1000, 80_000)},
    ("trees", 0, True): 0.2662,
    ("trees", 1000, False): 0.2702,
    ("trees", 80_000, False): 0.2563,
    ("convnet", 0, True): 0.2571,
    ("convnet", 1000, True): 0.2541,
    ("convnet", 1000, False): 0.2911,
    ("convnet", 80_000, True): 0.2501,
    ("convnet", 80_000, False): 0.2523,
}


def transfer() -> list[dict[str, Any]]:
    rows = []
    for (method, n_train, pretrained), sigma in SIGMA.items():
        alone = SIGMA[method, 80_000, False]
        for suffix in ("", "_local"):
            found = {
                "sigma_over_sqrt_e": (sigma, 0.0012),
                "sigma_ratio": (sigma / 0.2761, 2e-17 if method == "line" else 0.004),
                "sigma_ratio_alone": (sigma / alone, 0.003),
            }
            if method != "line":
                found["gain_kept"] = ((0.2761 - sigma) / (0.2761 - alone), 0.02)
            for metric, (value, error) in found.items():
                fit = {"method": method, "n_train": n_train, "pretrained": pretrained}
                rows.append({**fit, "metric": f"{metric}{suffix}", "value": value, "error": error})
    return rows


@pytest.fixture
def content(make_content: Make) -> ReportContent:
    return make_content(transfer=transfer(), pretrained_on="300,000 events by the simulator fast")


@pytest.mark.parametrize("suffix", ["", "_local"])
def test_a_panel_for_every_method_but_the_reference(content: ReportContent, suffix: str) -> None:
    figure = transfer_figure(content, suffix)
    assert figure is not None
    assert [axes.get_title("left") for axes in figure.axes] == ["Boosted trees", "ConvNet"]
    for axes in figure.axes:
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "1,000", "80,000"]
        places = axes.get_xticks()
        assert np.all(np.diff(places) > 0), "none stands before the fewest"
    drawn = {tuple(np.asarray(line.get_ydata(), dtype=float).round(4)) for line in figure.axes[1].lines}
    assert (0.2571, 0.2541, 0.2501) in drawn
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["pretrained", "alone", "Straight line"]


def test_the_table_has_a_line_for_every_method_and_number(content: ReportContent) -> None:
    table = transfer_table(content)
    assert table is not None
    assert [(method, n) for method, n, _ in table.lines] == [
        (method, n) for method in ("line", "trees", "convnet") for n in ("0", "1,000", "80,000")
    ]
    heads = [heading for heading, _, _ in table.headings]
    cells = dict(zip(heads, table.lines[7][2], strict=True))
    assert cells["σ/√E, pretrained"].text == "0.2541 ± 0.0012"
    assert cells["σ/√E, alone"].text == "0.2911 ± 0.0012"
    assert cells["Gain kept"].text == "92.4 ± 2.0"
    assert cells["Bias raw, pretrained"].text == "–", "what is not among the rows"
    line = dict(zip(heads, table.lines[1][2], strict=True))
    assert line["Ratio, alone"].text == "1.00", "a line refitted differs by rounding alone"
    tree = dict(zip(heads, table.lines[4][2], strict=True))
    assert (tree["σ/√E, pretrained"].text, tree["σ/√E, alone"].text) == ("–", "0.2702 ± 0.0012")


def test_sentences_say_what_is_kept_and_what_is_gained(content: ReportContent) -> None:
    trees, convnet = transfer_sentences(content)
    assert trees == (
        "Boosted trees: without any event of the study it keeps 50.0 ± 2.0\u00a0% (strict: 50.0 ± 2.0\u00a0%) of its "
        "gain over Straight line."
    )
    assert convnet.startswith("ConvNet: without any event of the study it keeps 79.8 ± 2.0\u00a0%")
    assert "with 1,000 its σ/√E is 1.0071 ± 0.0030 of what all events alone give" in convnet


def test_page_and_markdown_show_it(content: ReportContent, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    only = [one for one in page_module._drawings(content) if "transfer" in one[0]]
    monkeypatch.setattr("showercal.report._page._drawings", lambda _: only)
    page = write_report(content, tmp_path).read_text()
    assert 'id="transfer"' in page
    assert 'href="#transfer"' in page
    assert "What the pretraining is worth" in page
    assert "300,000 events by the simulator fast" in page
    for name in ("transfer", "transfer_strict"):
        assert f'id="figure-{name}"' in page
        assert (tmp_path / "figures" / f"{name}.png").stat().st_size > 0
    markdown = results_markdown(content)
    assert "## Pretrained on 300,000 events by the simulator fast" in markdown
    assert "| ConvNet | 1,000 | 0.2541 ± 0.0012 | 0.2911 ± 0.0012 |" in markdown


def test_without_a_pretraining_nothing_is_shown(make_content: Make) -> None:
    content = make_content()
    assert transfer_figure(content) is None
    assert transfer_table(content) is None
    assert transfer_sentences(content) == []
    assert "Pretrained" not in results_markdown(content)


def test_rows_of_an_unknown_method_are_refused(make_content: Make) -> None:
    row = transfer()[0] | {"method": "lime"}
    with pytest.raises(DataError, match=r"row 0 of the transfer names method 'lime', .* nearest known: 'line'"):
        make_content(transfer=[row])
