"""``showercal validate-simulation``: simulated showers judged by a reference."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from showercal.report.validation import ValidationContent

_REFERENCE = "Reference, when none is given"
_N_SHAPES = 12


def validate_simulation(
    detector: Annotated[str, typer.Argument(help="Name of a detector, or a .json file of a geometry.")],
    particle: Annotated[str, typer.Argument(help="e-, e+, gamma, mu-, mu+, pi-, pi+, proton, ...")],
    reference: Annotated[
        Path | None, typer.Option(help="Events of Geant4: a folder or a file. [default: simulated in the run's folder]")
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(help="How to read a foreign reference. [default: the packaged mapping that fits]")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use only the first events of the reference.")] = None,
    sample: Annotated[
        Path | None, typer.Option(help="Judge these events. [default: the reference's particles, simulated]")
    ] = None,
    backend: Annotated[str, typer.Option(help="The simulator to judge: fast (built in) or geant4.")] = "fast",
    showers: Annotated[
        str | None,
        typer.Option(help="Electromagnetic showers of the fast simulator, as in simulate: particles or gflash."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run. [default: runs/validate-DETECTOR-PARTICLE]")
    ] = None,
    events: Annotated[int, typer.Option(help="How many events.", rich_help_panel=_REFERENCE)] = 2000,
    energy: Annotated[
        str | None,
        typer.Option(
            help="Kinetic energy in GeV, as in simulate. [default: flat over the energies that are judged]",
            rich_help_panel=_REFERENCE,
        ),
    ] = None,
    birks: Annotated[
        float | None, typer.Option(help="Birks' constant in mm/MeV. [default: the reference's, or the table's]")
    ] = None,
    time_cut: Annotated[
        float | None,
        typer.Option(help="Leave out deposits later than this, in ns. [default: the reference's, or the table's]"),
    ] = None,
    repeat: Annotated[
        int, typer.Option(min=1, help="Simulate the particles so many times: smaller errors of the sample.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Of the simulation and of the classifier.")] = 1,
    workers: Annotated[int, typer.Option(help="Processes at once.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Simulate anew what the folder holds.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Judge simulated showers by Geant4's for the same particles: numbers with bounds, a classifier, a page.

    Ctrl-C keeps what is finished; the same command goes on from there.
    """
    from showercal.detectors import detector as find_detector
    from showercal.errors import RecipeError, nearest
    from showercal.simulation import PARTICLES, build_backend
    from showercal.studies.validation import GivenReference, ReferenceRun, Signal, validate_simulation

    calorimeter = find_detector(detector)
    if particle not in PARTICLES:
        raise RecipeError(f"unknown particle {particle!r}; {nearest(particle, PARTICLES)}")
    signal = None
    if birks is not None or time_cut is not None:
        signal = Signal(birks=birks or 0.0, time_cut=time_cut)
    given = None if reference is None else GivenReference(reference, mapping, limit)
    done = validate_simulation(
        calorimeter,
        particle,
        sample or (lambda seen: build_backend(backend, showers=showers, **seen.model_dump())),
        given or ReferenceRun(lambda seen: build_backend("geant4", **seen.model_dump()), events, energy),
        out or Path("runs") / f"validate-{calorimeter.name}-{particle}",
        signal=signal,
        repeat=repeat,
        seed=seed,
        workers=workers,
        overwrite=overwrite,
        progress=not quiet,
        command=shlex.join(["showercal", *sys.argv[1:]]),
        say=typer.echo,
    )
    _print(done.content)
    typer.echo(f"Report: {done.folder / 'report.html'}")


def _print(content: ValidationContent) -> None:
    """The bounds, one line a metric; then the numbers beyond them, and by what the trees tell the samples apart."""
    from rich.console import Console
    from rich.table import Table

    from showercal.report.validation import bound_lines, bound_summaries

    console = Console()
    if content.verdicts:
        table = Table("metric", "farthest", "at", "allowed there", "kept")
        for one in bound_summaries(content):
            kept = f"[{'green' if one.n_met == one.n_all else 'red'}]{one.n_met} of {one.n_all}"
            worst = one.worst
            allowed = f"{worst.ideal} ± {worst.allowed}"
            table.add_row(worst.title, f"{worst.value} ± {worst.error}", worst.where, allowed, kept)
        console.print(table)
        beyond = [one for one in bound_lines(content) if not one.is_met]
        if beyond:
            table = Table("beyond its bound", "where", "value", "allowed")
            for line in beyond:
                table.add_row(line.title, line.where, f"{line.value} ± {line.error}", f"{line.ideal} ± {line.allowed}")
            console.print(table)
    table = Table("shape", "importance", "AUC alone")
    for name, share in list(content.test.importance.items())[:_N_SHAPES]:
        table.add_row(name, f"{share:.1%}", f"{content.test.single_auc[name]:.3f}")
    test = content.test
    console.print(f"two_sample_auc {test.auc:.4f} ± {test.error:.4f}", highlight=False)
    console.print(table)
