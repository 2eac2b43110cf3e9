"""``showercal export``: a method of a finished run as one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from showercal.export import Exported, Port


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    method: Annotated[str, typer.Option(help="Name of the method in the recipe.")],
    out: Annotated[Path, typer.Option(help="File to write, e.g. model.onnx.")],
    compare: Annotated[int, typer.Option(min=2, help="How many test events of the run to compare on, at most.")] = 2000,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Write a method of a finished run with its calibration as one ONNX file, for showercal apply or any other program.

    The file is written only when ONNX Runtime gives the numbers of Python.
    """
    from showercal.studies import export_run, open_run

    for line in _lines(export_run(open_run(run), method, out, n_events=compare, overwrite=overwrite, say=typer.echo)):
        typer.echo(line)


def _lines(done: Exported) -> list[str]:
    info, parity = done.info, done.parity
    low, high = info.energy_range
    lines = [f"{info.label} of study {info.study} -> {done.path}, {done.path.stat().st_size / 1024:,.0f} kB"]
    for title, ports in (("inputs", info.inputs), ("outputs", info.outputs)):
        lines += [f"{title if port is ports[0] else '':8} {_text(port)}" for port in ports]
    lines.append(f"learned from energies of {low:.4g} to {high:.4g} GeV")
    lines += [
        f"{name} differs from Python's by at most {parity.relative[name]:.1e} of it (below {parity.small:.3g} GeV: of "
        f"{parity.small:.3g} GeV), {parity.absolute[name]:.1e} GeV, in {parity.n_events:,} events"
        for name in parity.relative
    ]
    return lines


def _text(port: Port) -> str:
    unit = "" if port.unit == "1" else f" [{port.unit}]"
    return f"{port.name:14} {port.type:8} ({', '.join(map(str, port.shape))}){unit}"
