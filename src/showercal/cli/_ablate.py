"""``showercal ablate``: what each part of a method is worth."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from showercal.cli._data_options import EventsOption, LimitOption, MappingOption, SetOption, data_overrides


def ablate(
    study: Annotated[str, typer.Argument(help="Name of a study with ablations, or a .yaml recipe.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; an interrupted one goes on. [default: runs/STUDY-ablations]")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this variant; may be given more than once.")
    ] = None,
    events: EventsOption = None,
    mapping: MappingOption = None,
    limit: LimitOption = None,
    set_: SetOption = None,
) -> None:
    """Train a method and its variants, and tell how much each change makes it better or worse.

    The variants are those of the section ablations of the recipe. Every stage is done once for the same inputs; after a
    kill the same command goes on.
    """
    from showercal.studies import ablate_study, load_recipe

    recipe = load_recipe(study, [*(set_ or []), *data_overrides(events, mapping, limit)])
    folder = out or Path("runs") / f"{recipe.name}-ablations"
    command = shlex.join(["showercal", *sys.argv[1:]])
    found = ablate_study(recipe, folder, only=only or [], command=command, say=typer.echo)
    typer.echo(found.table)
    typer.echo(f"Report: {found.run.folder / 'report.html'}")
