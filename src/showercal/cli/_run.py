"""``showercal run``: a study from events to report."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from showercal.cli._data_options import EventsOption, LimitOption, MappingOption, SetOption, data_overrides

if TYPE_CHECKING:
    from showercal.studies import Recipe


def first_table(folder: Path) -> str:
    """The comparison of the methods from results.md, without the tables in bins."""
    return (folder / "results.md").read_text(encoding="utf-8").partition("\n## ")[0]


def pretraining_table(folder: Path) -> str:
    """What the pretraining was worth from results.md; empty without one."""
    _, heading, rest = (folder / "results.md").read_text(encoding="utf-8").partition("## Pretrained on")
    return heading + rest.partition("\n## ")[0]


def pretrain_overrides(source: str | None, n_events: int | None) -> list[str]:
    """What ``--pretrain`` and ``--pretrain-events`` change in the recipe.

    Raises:
        RecipeError: If only the number is given.
    """
    from showercal.errors import RecipeError
    from showercal.simulation import BACKENDS

    if source is None:
        if n_events is not None:
            raise RecipeError("--pretrain-events needs --pretrain, e.g. --pretrain fast")
        return []
    if source in BACKENDS:
        chosen = {"kind": "simulated", "backend": source, "n_events": n_events}
    elif Path(source).exists():
        chosen = {"kind": "stored", "path": source, "limit": n_events}
    else:
        raise RecipeError(f"--pretrain {source}: nothing is there, and no such simulator; known: {', '.join(BACKENDS)}")
    return [f"pretrain.events={json.dumps({key: value for key, value in chosen.items() if value is not None})}"]


def ensemble_overrides(n_models: int | None, methods: list[str]) -> list[str]:
    """What ``--ensemble`` and ``--ensemble-of`` change in the recipe."""
    chosen = {"n_models": n_models, "methods": methods or None}
    return [f"ensemble.{key}={json.dumps(value)}" for key, value in chosen.items() if value is not None]


def short_recipe(recipe: Recipe, ensemble_of: list[str]) -> Recipe:
    """The study of a run without ``--full``; says which methods are left out.

    Raises:
        RecipeError: If nothing is left of those that ``--ensemble-of`` or the pretraining names.
    """
    from showercal.errors import RecipeError

    short = recipe.without_long_methods()
    left_out = [name for name in recipe.methods if name not in short.methods]
    if ensemble_of and set(ensemble_of) <= set(left_out):
        raise RecipeError(f"--ensemble-of {', '.join(ensemble_of)}: only a full run fits that: add --full")
    if left_out:
        typer.echo(f"left out without --full: {', '.join(left_out)}")
    return short


def run(
    study: Annotated[str, typer.Argument(help="Name of a study (see: showercal studies), or a .yaml recipe.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; an interrupted one goes on. [default: runs/STUDY]")
    ] = None,
    events: EventsOption = None,
    mapping: MappingOption = None,
    limit: LimitOption = None,
    pretrain: Annotated[
        str | None,
        typer.Option(
            help="Train on other events first: a file or folder of them, or a simulator that makes them: fast."
        ),
    ] = None,
    pretrain_events: Annotated[
        int | None,
        typer.Option(help="How many events of --pretrain. [default: 300000 of a simulator, all of a folder]"),
    ] = None,
    ensemble: Annotated[
        int | None, typer.Option(min=2, help="Also fit an ensemble of so many models of each network.")
    ] = None,
    ensemble_of: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Of this method only; may be given more than once.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Fit the methods that take long, too.")] = False,
    set_: SetOption = None,
) -> None:
    """Run a study: train its methods, calibrate, evaluate and write a report.

    Every stage is done once for the same inputs; after a kill the same command goes on.
    """
    from showercal.studies import load_recipe, run_study

    overrides = [*pretrain_overrides(pretrain, pretrain_events), *ensemble_overrides(ensemble, ensemble_of or [])]
    overrides += [*(set_ or []), *data_overrides(events, mapping, limit)]
    recipe = load_recipe(study, overrides)
    if not full:
        recipe = short_recipe(recipe, ensemble_of or [])
    folder = out or Path("runs") / recipe.name
    command = shlex.join(["showercal", *sys.argv[1:]])
    finished = run_study(recipe, folder, command=command, say=typer.echo)
    typer.echo(first_table(finished.folder))
    if finished.transfer:
        typer.echo(pretraining_table(finished.folder))
    typer.echo(f"Report: {finished.folder / 'report.html'}")
