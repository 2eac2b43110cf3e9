"""``showercal simulate``: particles into a detector, events into a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from showercal.cli._interrupted import interrupted

if TYPE_CHECKING:
    from showercal import simulation
    from showercal.detectors import BoxCalorimeter

_PHYSICS = "Showers"


def simulate(
    detector: Annotated[str, typer.Argument(help="Name of a detector, or a .json file of a geometry.")],
    out: Annotated[Path, typer.Option(help="Folder to write; an interrupted run in it goes on.")],
    particle: Annotated[str | None, typer.Option(help="e-, e+, gamma, mu-, mu+, pi-, pi+, proton, ...")] = None,
    energy: Annotated[
        str | None,
        typer.Option(
            help="Kinetic energy in GeV: 5; one of 1,5,10; flat 0:10; flat in log E 50:8000:log; a power law "
            "30:150:power:-4; a histogram's file."
        ),
    ] = None,
    events: Annotated[int | None, typer.Option(help="How many events. [default: all of a list]")] = None,
    particles: Annotated[
        Path | None,
        typer.Option(help="Instead of a gun: a list of particles per event (.parquet, .h5), or events to do again."),
    ] = None,
    backend: Annotated[str, typer.Option(help="The simulator: fast (built in) or geant4.")] = "fast",
    seed: Annotated[int, typer.Option(help="The same seed gives the same events.")] = 1,
    workers: Annotated[int, typer.Option(help="Processes or threads at once.")] = 1,
    chunk_size: Annotated[int | None, typer.Option(help="Events per file; at most 1000 by default.")] = None,
    position: Annotated[
        str | None,
        typer.Option(help="Half width in mm of the uniform impact point: W or X,Y. [default: depends on the detector]"),
    ] = None,
    beam_spot: Annotated[
        str | None, typer.Option(help="Normal spread of the impact point in mm, added to --position: S or X,Y.")
    ] = None,
    centre: Annotated[str | None, typer.Option(help="Centre of the impact points in mm: X,Y.")] = None,
    angle: Annotated[
        str | None,
        typer.Option(
            help="In degrees: a leaning beam THETA or THETA,PHI, a cone LOW:HIGH, or gauss:SIGMA. [default: along +z]"
        ),
    ] = None,
    field: Annotated[
        str | None, typer.Option(help="Uniform magnetic field BX,BY,BZ in T. [default: the detector's]")
    ] = None,
    physics_list: Annotated[
        str | None,
        typer.Option(
            help="Of geant4: FTFP_BERT, QGSP_BERT, ..., or EM. [default: EM for e, gamma, mu; FTFP_BERT for hadrons]",
            rich_help_panel=_PHYSICS,
        ),
    ] = None,
    showers: Annotated[
        str | None,
        typer.Option(
            help="Of fast: electrons and photons as particles, or by the parametrisation gflash, which is faster. "
            "[default: particles]",
            rich_help_panel=_PHYSICS,
        ),
    ] = None,
    muon_nuclear: Annotated[
        bool | None,
        typer.Option(help="Of fast: muons interact with nuclei, too. [default: no]", rich_help_panel=_PHYSICS),
    ] = None,
    frozen_showers: Annotated[
        bool | None,
        typer.Option(
            help="Of fast: replay the small showers of muons in blocks of one material. [default: yes]",
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
    from showercal.errors import RecipeError

    calorimeter = find_detector(detector)
    if field is not None:
        bx, by, bz = _numbers(field, "--field", (3,))
        calorimeter = replace(calorimeter, magnetic_field=(bx, by, bz))
    gun_options = {
        "--energy": energy,
        "--position": position,
        "--beam-spot": beam_spot,
        "--centre": centre,
        "--angle": angle,
    }
    if particles is None:
        source: simulation.ParticleSource = _gun(calorimeter, particle, gun_options)
    else:
        source = _list(particles, particle, gun_options)
    n_events = source.n_events if events is None else events
    if n_events is None:
        raise RecipeError("say how many events: --events N")
    chosen = simulation.build_backend(
        backend,
        physics_list=physics_list,
        showers=showers,
        muon_nuclear=muon_nuclear,
        frozen_showers=frozen_showers,
        cut=cut,
        birks=birks,
        time_cut=time_cut,
        count_tracks=count_tracks,
    )
    try:
        sample = simulation.simulate(
            calorimeter,
            source,
            n_events,
            seed=seed,
            backend=chosen,
            folder=out,
            workers=workers,
            chunk_size=chunk_size,
            overwrite=overwrite,
            progress=not quiet,
        )
    except KeyboardInterrupt:
        raise interrupted(out) from None
    typer.echo(f"{sample.n_events} events of {source.title} in {calorimeter.name} -> {out}")


def _gun(
    calorimeter: BoxCalorimeter, particle: str | None, options: Mapping[str, str | None]
) -> simulation.ParticleGun:
    from showercal import simulation
    from showercal.errors import RecipeError

    energy, angle = options["--energy"], options["--angle"]
    if particle is None or energy is None:
        raise RecipeError("say what to shoot: --particle and --energy, or --particles with a list")
    widths = simulation.default_half_widths(calorimeter)
    if (position := options["--position"]) is not None:
        widths = _pair(position, "--position")
    sigmas = _pair(options["--beam-spot"] or "0", "--beam-spot")
    centre_x, centre_y = _numbers(options["--centre"] or "0,0", "--centre", (2,))
    spectrum, direction = simulation.parse_spectrum(energy), simulation.parse_angle(angle or "0")
    return simulation.ParticleGun(particle, spectrum, *widths, *sigmas, centre_x, centre_y, direction)


def _list(path: Path, particle: str | None, gun_options: Mapping[str, str | None]) -> simulation.EventList:
    from showercal.errors import RecipeError
    from showercal.simulation import EventList

    for option, value in gun_options.items():
        if value is not None:
            raise RecipeError(f"{option} is for a gun; the list {path} says where its particles go: leave one out")
    return EventList.read(path, particle=particle)


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


def _pair(text: str, option: str) -> tuple[float, float]:
    numbers = _numbers(text, option, (1, 2))
    return numbers[0], numbers[-1]
