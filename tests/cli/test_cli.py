"""The command line: light to start, errors in one paragraph, studies listed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from showercal.cli import main
from showercal.errors import RecipeError
from showercal.studies import Recipe, packaged_studies

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
        "ablate",
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
        (
            ("run", "electrons", "--ensemble-of", "deep_set"),
            "ensemble.methods names 'deep_set', which is not among the methods; nearest known: 'deep_sets'",
        ),
        (("ablate", "electrons-prior"), "the study electrons-prior has no ablations"),
        (
            ("ablate", "electrons", "--only", "no_strat", "--out", "FOLDER/run"),
            "no variant 'no_strat' among the ablations of electrons; nearest known: 'no_start'",
        ),
        (
            ("ablate", "electrons", "--set", "ablations.variants.no_start.changes.network.stat=1"),
            "ablations.variants.no_start.changes: ",
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


def test_what_is_asked_for_on_the_command_line_is_run(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensembles of `run`, and the variants of `ablate`; what they do is tested where it is done."""
    asked: list[tuple[Recipe, tuple[str, ...]]] = []

    def stop(recipe: Recipe, folder: Path, *, only: Sequence[str] = (), command: str, say: object) -> None:
        asked.append((recipe, tuple(only)))
        raise RecipeError(f"not run into {folder}")

    monkeypatch.setattr("showercal.studies.run_study", stop)
    monkeypatch.setattr("showercal.studies.ablate_study", stop)
    assert "not run into runs/electrons\n" in cli("run", "electrons", "--ensemble", 3, "--ensemble-of", "fcn")[2]
    assert "not run into there\n" in cli("run", "electrons", "--ensemble", 3, "--out", "there")[2]
    chosen = [[name for name in recipe.methods if recipe.is_ensemble(name)] for recipe, _ in asked]
    assert chosen[0] == ["fcn_ensemble"]
    assert chosen[1] == [f"{name}_ensemble" for name in ("fcn", "convnet", "deep_sets_mse", "deep_sets")]
    several: Any = asked[0][0].methods["fcn_ensemble"].method
    assert several.n_models == 3
    options = ("--only", "several", "--only", "no_start", "--limit", 500)
    assert "not run into runs/electrons-ablations\n" in cli("ablate", "electrons", *options)[2]
    assert (asked[2][0].data.limit, asked[2][1]) == (500, ("several", "no_start"))


def test_debug_shows_where_it_happened(cli: Cli) -> None:
    with pytest.raises(RecipeError, match="unknown study 'elektrons'"):
        cli("--debug", "run", "elektrons")


def test_unknown_options_are_refused(cli: Cli) -> None:
    code, _, err = cli("run", "electrons", "--epochs", "3")
    assert code == 2
    assert "No such option: --epochs" in err
