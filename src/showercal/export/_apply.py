"""`apply_model`: calibrated energies for all events of a file, however many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import showercal
from showercal.defaults import DEFAULT_CHUNK
from showercal.errors import DataError
from showercal.export._model import ENERGY, OUTSIDE, ExportedModel
from showercal.export._output import Say, is_folder, open_output, partial_path
from showercal.progress import event_bar
from showercal.storage import EventSource


@dataclass(frozen=True)
class Applied:
    """What was written.

    Args:
        path: The output.
        n_events: Its events.
        n_outside: How many of them have an energy outside the training range.
        n_not_finite: How many of these have an energy that is not a number.
    """

    path: Path
    n_events: int
    n_outside: int
    n_not_finite: int


def apply_model(
    model: ExportedModel,
    source: EventSource,
    out: str | Path,
    *,
    chunk: int = DEFAULT_CHUNK,
    overwrite: bool = False,
    progress: bool = False,
    say: Say = lambda _: None,
) -> Applied:
    """Write all events of a source with their calibrated energies, in order, a chunk in memory at a time.

    The output holds every field of the source in its units (GeV, mm, ns, rad), ``energy_calibrated``, ``energy_width``
    of models with a width, and ``outside_training_range``. It has its name only when it is whole. A folder of parts
    goes on after an interruption; a single file starts again.

    Args:
        model: The model; see `open_model`.
        source: The events, with or without truth; see `showercal.open_any`.
        out: A name in ``.root`` (tree ``events``), in ``.parquet``, or without a suffix: a folder of parts.
        chunk: Events in memory at a time, and of a part.
        overwrite: Replace what is there.
        progress: Show a progress bar on the terminal.
        say: Told what is done about an interrupted run.

    Raises:
        DataError: If the source is not what the model takes, or the output cannot be written there.
        GeometryError: If cell numbers lie outside the calorimeter.
    """
    out = Path(out)
    model.check(source)
    model.check_names(source)
    _refuse_input(out, source)
    n_events = n_outside = n_not_finite = 0
    bar = event_bar("apply", source.n_events, shown=progress)
    with open_output(out, _plan(model, source, chunk), overwrite=overwrite, say=say) as output, bar as on_events:
        for number, block in enumerate(source.chunks(chunk)):
            done = output.stored(number, len(block))
            if done is None:
                done = model.apply(block)
                output.write(done, number)
            n_events += len(done)
            n_outside += int(np.sum(done.scalar(OUTSIDE)))
            n_not_finite += int(np.sum(~np.isfinite(done.scalar(ENERGY))))
            on_events(len(done))
    return Applied(out, n_events, n_outside, n_not_finite)


def _plan(model: ExportedModel, source: EventSource, chunk: int) -> Mapping[str, Any]:
    """Everything that decides the parts of a folder."""
    files = {}
    for path in source.paths:
        status = path.stat()
        files[str(path.resolve())] = {"bytes": status.st_size, "modified_ns": status.st_mtime_ns}
    return {
        "showercal": showercal.__version__,
        "model": model.digest,
        "files": files,
        "events": dict(source.provenance),
        "chunk": chunk,
    }


def _refuse_input(out: Path, source: EventSource) -> None:
    places = {out.resolve(), partial_path(out).resolve()}
    for path in source.paths:
        if places & {path.resolve(), *([path.resolve().parent] if is_folder(out) else [])}:
            raise DataError(f"{out} is where the events are read from: choose another output")
