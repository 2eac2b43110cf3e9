import dataclasses
from collections.abc import Callable
from pathlib import Path

from showercal.evaluation._measure_width import RAW_WIDTH_METRICS, WIDTH_METRICS
from showercal.report import MethodSummary, ReportContent, results_markdown, write_results_markdown


def table_lines(text: str, number: int) -> list[list[str]]:
    """The cells of one table of the text."""
    blocks = [block for block in text.split("\n\n") if block.startswith("|")]
    lines = [line.replace("\\|", "¦") for line in blocks[number].splitlines()]
    assert all(line.startswith("| ") and line.endswith(" |") for line in lines)
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]


def test_first_table_has_every_method_and_its_rounded_numbers(content: ReportContent) -> None:
    heads, rule, *lines = table_lines(results_markdown(content), 0)
    assert all(len(line) == len(heads) == len(rule) for line in lines)
    found = {line[0]: dict(zip(heads, line, strict=True)) for line in lines}
    assert list(found) == [method.label for method in content.methods.values()]
    assert found["ConvNet"]["σ/√E [√GeV]"] == "**0.2523 ± 0.0012**"
    assert found["Straight line"]["σ/√E [√GeV]"] == "0.2761 ± 0.0012"
    assert found["ConvNet"]["Ratio"] == "**0.914 ± 0.004**"
    assert found["Straight line"]["Ratio"] == "1"
    assert found["ConvNet"]["σ/√E strict [√GeV]"] == "**0.2561 ± 0.0013**"
    assert found["ConvNet"]["Ratio strict"] == "**0.928 ± 0.004**"
    assert found["Straight line"]["Ratio strict"] == "1"
    assert found["FCN"]["Published [√GeV]"] == "0.327"
    assert found["Boosted trees"]["Published [√GeV]"] == "–"
    assert found["FCN"]["c [%]"] == "1.23 ± 0.21"
    assert found["FCN"]["b [MeV]"] == "31 ± 6"
    assert found["FCN"]["Parameters"] == "659,465"
    assert "**" not in found["ConvNet"]["σ/√E raw [√GeV]"]  # the smallest raw width is not the best


def test_bins_have_a_line_each(content: ReportContent) -> None:
    text = results_markdown(content)
    for number in (1, 2, 3):
        heads, _, *lines = table_lines(text, number)
        assert heads == ["E [GeV]", *(method.label for method in content.methods.values())]
        assert [line[0] for line in lines][:2] == ["0 – 0.5", "0.5 – 1"]
        assert len(lines) == 20


def test_uncertainty_is_a_part_of_its_own(content: ReportContent) -> None:
    text = results_markdown(content)
    first, section = text.split("\n## Uncertainty\n")
    assert "Coverage" not in first
    scores, pulls, coverage, before = (table_lines(section, number) for number in range(4))
    for table in (scores, pulls, coverage, before):
        assert [line[0] for line in table[2:]] == ["FCN", "ConvNet"]
    assert coverage[0] == ["Method", *(f"Coverage {level} % [%]" for level in (50, 68, 90, 95))]
    assert all(cell.startswith("**") for cell in coverage[3][1:]), "nearest to the nominal content"
    assert not any(cell.startswith("**") for cell in coverage[2][1:])
    assert dict(zip(scores[0], scores[2], strict=True))["PIT p-value"] == "< 0.0001"
    assert dict(zip(pulls[0], pulls[3], strict=True))["Pull width"].startswith("**")
    assert before[2][1:] == ["–"] * 4, "the FCN was not recalibrated"
    assert "predict an energy and no width" in section
    assert "## Coverage of the central 95 % interval [%]" in section


def test_without_widths_nothing_is_said_of_them(content: ReportContent) -> None:
    rows = [row for row in content.rows if row["metric"] not in {*WIDTH_METRICS, *RAW_WIDTH_METRICS, "pit_p"}]
    text = results_markdown(dataclasses.replace(content, rows=rows, widths={}))
    assert "Uncertainty" not in text
    assert "no width" not in text


def without_strict(content: ReportContent) -> ReportContent:
    return dataclasses.replace(content, rows=[row for row in content.rows if not row["metric"].endswith("_local")])


def test_strict_numbers_are_explained_where_there_are_any(content: ReportContent) -> None:
    text = results_markdown(content)
    assert "\n\nσ/√E after a correction that follows the prediction bin by bin" in text
    assert "## σ/√E after the strict correction [√GeV]" in text
    assert "strict" not in results_markdown(without_strict(content))


def test_a_label_cannot_break_the_table(make_content: Callable[..., ReportContent]) -> None:
    given = make_content()
    methods = dict(given.methods) | {"fcn": MethodSummary("a|b\nc")}
    heads, _, *lines = table_lines(results_markdown(make_content(methods=methods)), 0)
    assert [line[0] for line in lines][3] == "a¦b c"
    assert all(len(line) == len(heads) for line in lines)


def test_written_text_is_the_same(content: ReportContent, tmp_path: Path) -> None:
    path = write_results_markdown(content, tmp_path / "results.md")
    assert path.read_text(encoding="utf-8") == results_markdown(content)
