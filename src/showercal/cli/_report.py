"""``showercal report``: figures and page of a finished run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(run: Annotated[Path, typer.Argument(help="Folder of a finished run.")]) -> None:
    """Write results, figures and page of a finished run again."""
    from showercal.studies import open_run, render_report

    typer.echo(f"Report: {render_report(open_run(run), say=typer.echo)}")
