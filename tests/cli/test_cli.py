"""The command line: light to start, errors in one paragraph, studies listed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from showercal.cli import main
from showercal.errors import RecipeError
from showercal.studies import packaged_studies

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command in this process: exit code, output and error output."""
    monkeypatch.delenv("SHOWERCAL_DEBUG", raising=False)
    monkeypatch.setenv("SHOWERCAL_DEBUG", "")  # so that what --debug sets is undone after the test
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["showercal", *(str(one) for one in arguments)])
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.mark.parametrize("module", ["showercal", "showercal.cli"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "showercal" in loaded
    assert loaded.isdisjoint({"torch", "lightning", "matplotlib", "lightgbm", "plotly", "sklearn", "iminuit"})


def test_help_names_every_command(cli: Cli) -> None:
    code, out, _ = cli("--help")
    assert code == 0
    for command in (
        "run",
        "studies",
        "simulate",
        "digitise",
        "inspect",
        "evaluate",
        "report",
        "export",
        "apply",
        "validate-simulation",
    ):
        assert f" {command} " in out


def test_studies_are_listed(cli: Cli) -> None:
    code, out, _ = cli("studies")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(packaged_studies())
    assert "electrons    Electrons in the sandwich calorimeter" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "elektrons"), "unknown study 'elektrons'; nearest known: 'electrons'"),
        (
            ("run", "electrons", "--set", "evaluation.n_bin=5"),
            "unknown key 'evaluation.n_bin'; nearest known: 'n_bins'",
        ),
        (("run", "electrons", "--set", "methods.conv.label=x"), "no method 'conv'; nearest known: 'convnet'"),
        (("run", "electrons", "--events", "FOLDER/a: b", "--out", "FOLDER/run"), "no file at FOLDER/a: b"),
        (("run", "electrons", "--pretrain-events", "50"), "--pretrain-events needs --pretrain, e.g. --pretrain fast"),
        (
            ("run", "electrons", "--pretrain", "FOLDER/none"),
            "--pretrain FOLDER/none: nothing is there, and no such simulator; known: ",
        ),
        (("evaluate", "FOLDER", "--events", "x"), "no run in FOLDER: recipe.yaml is missing"),
        (("export", "FOLDER", "--method", "a", "--out", "FOLDER/a.onnx"), "no run in FOLDER: recipe.yaml is missing"),
        (("report", "FOLDER/none"), "no run in FOLDER/none: recipe.yaml is missing"),
    ],
)
def test_errors_are_one_paragraph(cli: Cli, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = cli(*(one.replace("FOLDER", str(tmp_path)) for one in arguments))
    assert code == 1
    assert out == ""
    text, hint = err.splitlines()
    assert text.startswith("Error: ")
    assert message.replace("FOLDER", str(tmp_path)) in text
    assert hint == "(showercal --debug COMMAND shows where it happened)"
    assert not list(tmp_path.iterdir())  # a command that is refused leaves nothing behind


def test_debug_shows_where_it_happened(cli: Cli) -> None:
    with pytest.raises(RecipeError, match="unknown study 'elektrons'"):
        cli("--debug", "run", "elektrons")


def test_unknown_options_are_refused(cli: Cli) -> None:
    code, _, err = cli("run", "electrons", "--epochs", "3")
    assert code == 2
    assert "No such option: --epochs" in err
