"""``showercal simulate``: particles into a detector, events into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from showercal import simulation

_PHYSICS = "Showers (geant4)"


def simulate(
    detector: Annotated[str, typer.Argument(help="Name of a detector, or a .json file of a geometry.")],
    particle: Annotated[str, typer.Option(help="e-, e+, gamma, mu-, mu+, pi-, pi+, proton, ...")],
    energy: Annotated[str, typer.Option(help="Kinetic energy in GeV: 5, or flat 0:10, or flat in log E 50:8000:log.")],
    events: Annotated[int, typer.Option(help="How many events.")],
    out: Annotated[Path, typer.Option(help="Folder to write; an interrupted run in it goes on.")],
    backend: Annotated[str, typer.Option(help="The simulator: geant4.")] = "geant4",
    seed: Annotated[int, typer.Option(help="The same seed gives the same events.")] = 1,
    workers: Annotated[int, typer.Option(help="Processes at once.")] = 1,
    chunk_size: Annotated[int | None, typer.Option(help="Events per file; at most 1000 by default.")] = None,
    position: Annotated[
        str | None,
        typer.Option(help="Half width in mm of the uniform impact point: W or X,Y. [default: depends on the detector]"),
    ] = None,
    field: Annotated[
        str | None, typer.Option(help="Uniform magnetic field BX,BY,BZ in T. [default: the detector's]")
    ] = None,
    physics_list: Annotated[
        str | None,
        typer.Option(
            help="FTFP_BERT, QGSP_BERT, ..., or EM. [default: EM for e, gamma, mu; FTFP_BERT for hadrons]",
            rich_help_panel=_PHYSICS,
        ),
    ] = None,
    cut: Annotated[float, typer.Option(help="Production cut in mm.", rich_help_panel=_PHYSICS)] = 0.7,
    birks: Annotated[
        float, typer.Option(help="Birks' constant in mm/MeV; 0 for none.", rich_help_panel=_PHYSICS)
    ] = 0.0,
    time_cut: Annotated[
        float | None, typer.Option(help="Leave out deposits later than this, in ns.", rich_help_panel=_PHYSICS)
    ] = None,
    count_tracks: Annotated[
        bool | None,
        typer.Option(
            help="Count charged tracks per cell. [default: where there are absorbers]", rich_help_panel=_PHYSICS
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a simulation in the folder.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Simulate particles in a detector and write the events to a folder.

    Ctrl-C keeps what is finished; the same command goes on from there.
    """
    from dataclasses import replace

    from showercal import simulation
    from showercal.detectors import detector as find_detector

    calorimeter = find_detector(detector)
    if field is not None:
        bx, by, bz = _numbers(field, "--field", (3,))
        calorimeter = replace(calorimeter, magnetic_field=(bx, by, bz))
    widths = simulation.default_half_widths(calorimeter)
    if position is not None:
        given = _numbers(position, "--position", (1, 2))
        widths = (given[0], given[-1])
    options = simulation.Geant4Options(
        physics_list=physics_list, cut=cut, birks=birks, time_cut=time_cut, count_tracks=count_tracks
    )
    try:
        sample = simulation.simulate(
            calorimeter,
            simulation.ParticleGun(particle, simulation.parse_spectrum(energy), *widths),
            events,
            seed=seed,
            backend=_backend(backend, options),
            folder=out,
            workers=workers,
            chunk_size=chunk_size,
            overwrite=overwrite,
            progress=not quiet,
        )
    except KeyboardInterrupt:
        typer.echo(f"Interrupted. Finished parts are kept in {out}; the same command goes on from there.", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"{sample.n_events} events of {particle} in {calorimeter.name} -> {out}")


def _backend(name: str, options: simulation.Geant4Options) -> simulation.Backend:
    from showercal.errors import RecipeError, nearest
    from showercal.simulation import Geant4Backend

    known = {"geant4": Geant4Backend}
    if name not in known:
        raise RecipeError(f"unknown backend {name!r}; {nearest(name, known)}")
    return known[name](options)


def _numbers(text: str, option: str, allowed: tuple[int, ...]) -> tuple[float, ...]:
    from showercal.errors import RecipeError

    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in allowed:
        count = " or ".join(str(n) for n in allowed)
        raise RecipeError(f"{option} needs {count} numbers with commas between; got {text!r}")
    return numbers
