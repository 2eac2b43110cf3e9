"""Exporting a method of a finished run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from showercal.errors import ExportError, nearest
from showercal.export import Exported, export_method
from showercal.studies._fits import fits_of
from showercal.studies._run import Run, parts_of


def export_run(
    run: Run,
    name: str,
    path: str | Path,
    *,
    n_events: int = 2000,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Write a method of a finished run, with its bias correction and the recalibration of its width, as one ONNX file.

    The file is written only when ONNX Runtime gives Python's numbers for the first test events of the run.

    Args:
        run: The run.
        name: The method, or one of its fits with or without pretraining, e.g. ``convnet@pretrained-1000``.
        path: The file.
        n_events: How many test events, at most.
        overwrite: Whether a file that is there may be replaced.
        say: Told what happens.

    Raises:
        DataError: If the run is not finished, or its events are gone or changed.
        ExportError: If there is no such method, it sees not all cells, the file is there already or has no folder, or
            the method cannot be exported with the same numbers.
    """
    path, fits = Path(path), fits_of(run.recipe)
    if name not in fits:
        raise ExportError(f"{run.folder} has no method {name!r}; {nearest(name, fits)}")
    if path.is_file() and not overwrite:
        raise ExportError(f"{path} is there already; choose another --out, or replace it with --overwrite")
    if run.recipe.data.cells_above is not None:
        raise ExportError(
            "the methods of this study do not see cells at or below data.cells_above, which a file could not leave out "
            "of the events that it is given, so that its energies would be wrong: apply them in Python (Run.predict), "
            "or run the study with all cells"
        )
    energy_range = run.energy_range(name)
    events = parts_of(run).test[:n_events]
    calibration = run.calibration(name)
    say(f"{fits[name].label}: exporting, then comparing on {len(events):,} test events")
    return export_method(
        run.method(name),
        path,
        events,
        bias=calibration.bias,
        recalibration=calibration.width,
        name=name,
        label=fits[name].label,
        study=run.recipe.name,
        energy_range=energy_range,
    )
