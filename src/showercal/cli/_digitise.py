"""``showercal digitise``: deposited energies to what a read-out would give."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from showercal.cli._interrupted import interrupted

_PER_LAYER = "One number, or one per layer with commas between."


def digitise(
    path: Annotated[
        list[str],
        typer.Argument(help="Folders of events, or with --mapping files of any experiment.", metavar="PATH..."),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write; an interrupted run in it goes on.")],
    mapping: Annotated[
        str | None, typer.Option("--mapping", "-m", help="Packaged mapping or .yaml file that declares the branches.")
    ] = None,
    options: Annotated[
        Path | None, typer.Option(help="JSON file of the options below, by name with _ for -; flags take precedence.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same events.")] = 1,
    gain_spread: Annotated[str | None, typer.Option(help=f"Relative spread of the cells' gains. {_PER_LAYER}")] = None,
    gain_seed: Annotated[int | None, typer.Option(help="The same seed gives the same gains. [default: 1]")] = None,
    photo_electrons_per_mev: Annotated[
        str | None, typer.Option(help=f"Photo-electrons per MeV deposited in active material. {_PER_LAYER}")
    ] = None,
    pixels: Annotated[str | None, typer.Option(help=f"Pixels of the silicon photomultipliers. {_PER_LAYER}")] = None,
    sampling_fraction: Annotated[
        str | None, typer.Option(help=f"Energies are divided by it; what follows is on that scale. {_PER_LAYER}")
    ] = None,
    noise_mev: Annotated[str | None, typer.Option(help=f"Electronic noise in MeV. {_PER_LAYER}")] = None,
    threshold_mev: Annotated[str | None, typer.Option(help=f"Drop cells up to this. {_PER_LAYER}")] = None,
    threshold_sigma: Annotated[
        str | None, typer.Option(help=f"Drop cells up to this many times their noise. {_PER_LAYER}")
    ] = None,
    two_sided: Annotated[
        bool | None, typer.Option("--two-sided", help="Keep cells far below zero like those far above.")
    ] = None,
    max_energy_mev: Annotated[str | None, typer.Option(help=f"Cut energies to this. {_PER_LAYER}")] = None,
    adc_step_mev: Annotated[str | None, typer.Option(help=f"One count of the digitiser in MeV. {_PER_LAYER}")] = None,
    adc_bits: Annotated[int | None, typer.Option(help="Counts go to 2^bits - 1. [default: 12]")] = None,
    adc_pedestal: Annotated[int | None, typer.Option(help="Counts at energy 0. [default: 0]")] = None,
    chunk_size: Annotated[int | None, typer.Option(help="Events per file; 1000 by default.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a digitisation in the folder.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Digitise simulated events: gains, photo-statistics, noise, thresholds, saturation, ADC counts.

    The same for events of any simulator. Ctrl-C keeps what is finished; the same command goes on from there.
    """
    from showercal import simulation
    from showercal.readers import open_any

    per_layer = {
        "gain_spread": gain_spread,
        "photo_electrons_per_mev": photo_electrons_per_mev,
        "pixels": pixels,
        "sampling_fraction": sampling_fraction,
        "noise_mev": noise_mev,
        "threshold_mev": threshold_mev,
        "threshold_sigma": threshold_sigma,
        "max_energy_mev": max_energy_mev,
        "adc_step_mev": adc_step_mev,
    }
    plain = {"gain_seed": gain_seed, "two_sided": two_sided, "adc_bits": adc_bits, "adc_pedestal": adc_pedestal}
    flags = {name: _numbers(text, name) for name, text in per_layer.items() if text is not None}
    flags |= {name: value for name, value in plain.items() if value is not None}
    chosen = simulation.DigitisationOptions.from_dict({**_stored(options), **flags})
    source = open_any(path, mapping)
    try:
        sample = simulation.digitise(
            source,
            chosen,
            seed=seed,
            folder=out,
            chunk_size=chunk_size,
            overwrite=overwrite,
            progress=not quiet,
        )
    except KeyboardInterrupt:
        raise interrupted(out) from None
    typer.echo(f"{sample.n_events} digitised events -> {out}")


def _stored(path: Path | None) -> dict[str, Any]:
    import json

    from showercal.errors import RecipeError

    if path is None:
        return {}
    try:
        data = json.loads(path.read_text())
    except ValueError as fault:
        raise RecipeError(f"{path} is not JSON ({fault})") from fault
    if not isinstance(data, dict):
        raise RecipeError(f'{path} must hold options by name, as {{"noise_mev": 0.3}}; got a {type(data).__name__}')
    return data


def _numbers(text: str, name: str) -> float | list[float]:
    from showercal.errors import RecipeError

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise RecipeError(
            f"--{name.replace('_', '-')} needs one number, or one per layer with commas between; got {text!r}"
        ) from None
    return numbers if len(numbers) > 1 else numbers[0]
