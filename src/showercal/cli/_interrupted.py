"""What a command says when Ctrl-C ends it."""

from __future__ import annotations

from pathlib import Path

import typer


def interrupted(kept: Path | None) -> typer.Exit:
    """Tell what is left of the work; to be raised.

    Args:
        kept: Where the finished parts are; None where there are none.
    """
    what = "Nothing was written."
    if kept is not None:
        what = f"Finished parts are kept in {kept}; the same command goes on from there."
    typer.echo(f"Interrupted. {what}", err=True)
    return typer.Exit(130)
