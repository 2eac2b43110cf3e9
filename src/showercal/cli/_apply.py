"""``showercal apply``: calibrated energies for the events of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from showercal.cli._interrupted import interrupted
from showercal.defaults import DEFAULT_BATCH, DEFAULT_CHUNK


def apply(
    model: Annotated[Path, typer.Argument(help="A model file (see: showercal export).")],
    path: Annotated[
        list[str],
        typer.Argument(help="Folders of events, or with --mapping files of any experiment.", metavar="FILE..."),
    ],
    out: Annotated[
        Path,
        typer.Option(help="What to write: FILE.root, FILE.parquet, or a folder of parts."),
    ],
    mapping: Annotated[
        str | None, typer.Option("--mapping", "-m", help="Packaged mapping or .yaml file that declares the branches.")
    ] = None,
    chunk: Annotated[int, typer.Option(min=1, help="Events in memory at a time.")] = DEFAULT_CHUNK,
    batch: Annotated[int, typer.Option(min=1, help="Events per call of ONNX Runtime.")] = DEFAULT_BATCH,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of ONNX Runtime. [default: one per core]")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Write events with their calibrated energy, its width, and whether it lies outside the training range.

    Truth is not needed. The output has its name only when it is whole.
    """
    from showercal.export import apply_model, open_model, partial_path
    from showercal.readers import open_any

    opened = open_model(model, threads=threads, batch_size=batch)
    source = open_any(path, mapping)
    try:
        done = apply_model(opened, source, out, chunk=chunk, overwrite=overwrite, progress=not quiet, say=_say)
    except KeyboardInterrupt:
        kept = partial_path(out)
        raise interrupted(kept if kept.exists() else None) from None
    selected = "" if source.n_events is not None else f" of {source.provenance['n_events']:,}, as the mapping selects,"
    low, high = opened.info.energy_range
    typer.echo(f"{done.n_events:,} events{selected} -> {done.path}")
    typer.echo(f"{done.n_outside:,} with an energy outside the training range, {low:.4g} to {high:.4g} GeV")
    if done.n_not_finite:
        typer.echo(f"{done.n_not_finite:,} of these with an energy that is not a number: look at their cells")


def _say(text: str) -> None:
    typer.echo(text, err=True)
