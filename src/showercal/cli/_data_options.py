"""Options that several commands on studies have."""

from __future__ import annotations

import json
from typing import Annotated

import typer

EventsOption = Annotated[str | None, typer.Option(help="Events to use instead of the recipe's: a file or folder.")]
MappingOption = Annotated[
    str | None, typer.Option(help="How to read foreign files: a packaged mapping or a .yaml file.")
]
LimitOption = Annotated[int | None, typer.Option(help="Use only the first events.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change any option of the recipe.")
]


def data_overrides(events: str | None, mapping: str | None, limit: int | None) -> list[str]:
    """What ``--events``, ``--mapping`` and ``--limit`` change in the recipe."""
    chosen = {"events": events, "mapping": mapping, "limit": limit}
    # quoted: a path is no YAML
    return [f"data.{key}={json.dumps(value)}" for key, value in chosen.items() if value is not None]
