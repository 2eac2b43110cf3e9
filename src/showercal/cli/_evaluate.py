"""``showercal evaluate``: a finished run, judged on other events."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from showercal.cli._data_options import MappingOption
from showercal.cli._run import first_table


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    events: Annotated[str, typer.Option(help="Events with truth: a file or folder.")],
    mapping: MappingOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results. [default: RUN/evaluations/NAME-HASH]")
    ] = None,
) -> None:
    """Evaluate all methods of a finished run on other events with truth, into the same results and report."""
    from showercal.studies import DataConfig, evaluate_run, open_run

    command = shlex.join(["showercal", *sys.argv[1:]])
    data = DataConfig(events=events, mapping=mapping)
    folder = evaluate_run(open_run(run), data, out, command=command, say=typer.echo)
    typer.echo(first_table(folder))
    typer.echo(f"Report: {folder / 'report.html'}")
