import dataclasses
import math
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from showercal.report import MethodSummary, ReportContent, resolution_figure, write_report
from showercal.report._pictures import save_figure

Make = Callable[..., ReportContent]
FIGURES = {
    "resolution",
    "resolution_strict",
    "relative_resolution",
    "bias",
    "response",
    "predicted",
    "coverage",
    "coverage_bins",
    "pit",
    "reliability",
    "pulls",
    "training",
    "dependence",
    "side_view",
}


class Page(HTMLParser):
    """The tags and the text of a page; scripts and styles apart."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.raw = path.read_text(encoding="utf-8")
        self._inside: str | None = None
        self.feed(self.raw)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in {"script", "style"}:
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside is None and data.strip():
            self.text.append(" ".join(data.split()))

    @property
    def ids(self) -> set[str]:
        return {attributes["id"] or "" for _, attributes in self.tags if "id" in attributes}

    @property
    def scripts(self) -> int:
        return sum(tag == "script" for tag, _ in self.tags)


@pytest.fixture(scope="module")
def folder(content: ReportContent, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report")
    assert write_report(content, path) == path / "report.html"
    return path


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page(folder / "report.html")


def test_page_holds_every_method_and_number(content: ReportContent, page: Page) -> None:
    text = " ".join(page.text)
    for method in content.methods.values():
        assert method.label in text
    for number in ("0.2523 ± 0.0012", "0.914 ± 0.004", "659,465", "8.6\u00a0±\u00a00.4", "80,000", "0 – 10 GeV"):
        assert number.replace("\u00a0", " ") in text.replace("\u00a0", " ")
    assert "showercal run electrons --out runs/electrons" in text
    assert "split:" in text


def test_page_loads_nothing(page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        for name in ("src", "href", "srcset", "data", "poster", "action"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (tag, name, value)
    policies = [a for t, a in page.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    assert policies[0]["content"] is not None
    assert policies[0]["content"].startswith("default-src 'none'")
    style = page.raw[page.raw.index("<style>") : page.raw.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_plotly_is_embedded_once(page: Page) -> None:
    assert page.raw.count("plotly.js v") == 1
    assert "event-display-3d" in page.ids


def test_every_link_of_the_page_has_its_section(page: Page) -> None:
    links = {str(attributes["href"])[1:] for tag, attributes in page.tags if tag == "a"}
    assert links <= page.ids
    assert {"summary", "comparison", "energy", "distributions", "uncertainty", "training", "events", "run"} <= links


def test_figures_are_files_and_inline(folder: Path, page: Page) -> None:
    assert {path.stem for path in (folder / "figures").glob("*.png")} == FIGURES
    assert {path.stem for path in (folder / "figures").glob("*.svg")} == FIGURES
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == len(FIGURES)
    assert all(image["alt"] for image in images)
    assert (folder / "results.md").is_file()
    assert (folder / "report.html").stat().st_size < 8e6


def test_best_is_bold(page: Page) -> None:
    cells = re.findall(r'<td class="best">([^<]*)', page.raw)
    assert "0.2523 " in cells
    assert "0.2448 " not in cells  # the smallest raw width


def test_user_texts_are_escaped(make_content: Make, tmp_path: Path) -> None:
    evil = "<script>alert('x')</script>"
    small = make_content(
        title=evil,
        description=evil,
        methods={"line": MethodSummary(evil, 2)},
        rows=[],
        energy_pred={},
        widths={},
        displays=None,
        published={"line": 0.3},
        published_note=evil,
        facts=[(evil, evil)],
        configuration={evil: evil},
        versions={evil: evil},
        provenance={"by": evil},
        command=evil,
        timings={evil: 1.0},
    )
    page = Page(write_report(small, tmp_path))
    assert page.scripts == 0
    assert "&lt;script&gt;" in page.raw
    assert evil not in page.raw


def test_small_study_has_no_empty_sections(make_content: Make, tmp_path: Path) -> None:
    """One method, undefined numbers, no training in epochs, no display."""
    full = make_content()
    rows = [dict(row) for row in full.rows if row["method"] == "line"]
    for row in rows:
        if row["metric"] == "bias" or (row["metric"] == "sigma_over_sqrt_e" and row["bin"] in {0, 3}):
            row["value"] = None if row["bin"] == 0 else math.nan
        if row["metric"] == "sigma_over_sqrt_e" and row["bin"] == 4:
            row["error"] = None
    raw, corrected = full.energy_pred["line"]
    gaps = np.where(np.arange(len(raw)) % 100 == 0, np.nan, corrected)
    small = dataclasses.replace(
        full,
        methods={"line": full.methods["line"]},
        rows=rows,
        energy_pred={"line": (raw, gaps)},
        published={},
        widths={},
        displays=None,
        configuration={},
        versions={},
        provenance={},
        timings={},
    )
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "training.png").write_bytes(b"of an earlier report")
    page = Page(write_report(small, tmp_path))
    assert not (tmp_path / "figures" / "training.png").exists()
    assert page.scripts == 0
    assert {"uncertainty", "training", "events"}.isdisjoint(page.ids)
    assert {"summary", "comparison", "energy", "distributions", "run"} <= page.ids
    text = " ".join(page.text)
    assert "nan" not in text.lower()
    assert "not finite are left out: Straight line 100" in text
    assert "Ratio" in text


def test_strict_numbers_are_shown_where_there_are_any(content: ReportContent, page: Page, tmp_path: Path) -> None:
    text = " ".join(page.text)
    for shown in ("σ/√E strict", "Ratio strict", "With the strict correction", "Gain, strict"):
        assert shown in text
    assert "figure-resolution_strict" in page.ids
    rows = [row for row in content.rows if not row["metric"].endswith("_local")]
    bare = Page(write_report(dataclasses.replace(content, rows=rows, displays=None), tmp_path))
    assert "strict" not in " ".join(bare.text)
    assert not (tmp_path / "figures" / "resolution_strict.png").exists()


def test_methods_without_a_width_get_a_sentence(page: Page) -> None:
    text = " ".join(page.text)
    assert "Straight line, Per-layer line and Boosted trees predict an energy and no width." in text
    section = page.raw[page.raw.index('id="uncertainty"') : page.raw.index('id="training"')]
    assert section.count("ConvNet</th>") == 4 + 4  # four tables of methods, four tables in bins
    assert "Straight line</th>" not in section
    for heading in ("Scores", "Pulls", "Coverage of central intervals", "Before the recalibration of the width"):
        assert f"<h3>{heading}</h3>" in section


def test_a_report_without_results_still_tells_about_the_run(make_content: Make, tmp_path: Path) -> None:
    methods = {"line": MethodSummary("Line")}
    bare = make_content(
        methods=methods, rows=[], energy_true=np.zeros(0), energy_pred={}, widths={}, published={}, displays=None
    )
    page = Page(write_report(bare, tmp_path))
    assert {"energy", "distributions", "metrics"}.isdisjoint(page.ids)
    assert "run" in page.ids


def test_same_content_gives_the_same_figures(content: ReportContent, folder: Path, tmp_path: Path) -> None:
    figure = resolution_figure(content)
    assert figure is not None
    save_figure(figure, tmp_path, "resolution")
    for name in ("resolution.svg", "resolution.png"):
        assert (tmp_path / name).read_bytes() == (folder / "figures" / name).read_bytes()
