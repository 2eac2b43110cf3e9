"""The application: commands and how errors are told."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated

import typer

from showercal.cli._ablate import ablate
from showercal.cli._apply import apply
from showercal.cli._digitise import digitise
from showercal.cli._evaluate import evaluate
from showercal.cli._export import export
from showercal.cli._inspect import inspect
from showercal.cli._report import report
from showercal.cli._run import run
from showercal.cli._simulate import simulate
from showercal.cli._studies import studies
from showercal.cli._validate_simulation import validate_simulation
from showercal.errors import ShowercalError

app = typer.Typer(
    name="showercal",
    help="Calorimeter signals to calibrated energies with trustworthy uncertainties.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _command in (
    run,
    ablate,
    studies,
    simulate,
    digitise,
    inspect,
    evaluate,
    report,
    export,
    apply,
    validate_simulation,
):
    app.command()(_command)


def _version(wanted: bool) -> None:
    if wanted:
        from showercal import __version__

        typer.echo(f"showercal {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    if debug:
        os.environ["SHOWERCAL_DEBUG"] = "1"


def _one_paragraph(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning as a user reads it, without where in the code it was raised."""
    del category, filename, lineno, line
    return f"Warning: {message}\n"


def main() -> None:
    """Run the command line; errors that a user can mend are one readable paragraph."""
    # Threads that wait spinning collapse when another program wants a core: measured ten times slower on two cores.
    # Read when torch is loaded, which happens inside the commands.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    warnings.formatwarning = _one_paragraph
    try:
        app()
    except (ShowercalError, OSError) as fault:
        if os.environ.get("SHOWERCAL_DEBUG"):
            raise
        typer.secho(f"Error: {fault}", fg=typer.colors.RED, err=True)
        typer.echo("(showercal --debug COMMAND shows where it happened)", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("Interrupted. What is finished is kept; the same command goes on from there.", err=True)
        sys.exit(130)
