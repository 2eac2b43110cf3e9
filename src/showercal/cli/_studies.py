"""``showercal studies``: what can be run."""

from __future__ import annotations

import typer


def studies() -> None:
    """List the studies that ship with showercal."""
    from showercal.studies import packaged_studies

    for name, title in packaged_studies().items():
        typer.echo(f"{name:12s} {title}")
