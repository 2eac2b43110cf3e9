"""What the report shows of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from showercal.evaluation import Row, TransferRow
from showercal.events import Events, leaf_paths
from showercal.report import MethodSummary, ReportContent
from showercal.studies._judge import Judged
from showercal.training import NetworkMethodConfig, NetworkRegressor

if TYPE_CHECKING:
    from showercal.studies._run import Run


def report_content(
    run: Run,
    judged: Judged,
    rows: Sequence[Row],
    info: dict[str, Any],
    note: str = "",
    transfer: Sequence[TransferRow] = (),
) -> ReportContent:
    """Collect everything the report shows; ``note`` is added to the description."""
    recipe = run.recipe
    return ReportContent(
        title=recipe.title,
        description=f"{recipe.description} {note}".strip(),
        rows=[row.to_dict() for row in rows],
        methods={name: _summary(run, name, judged) for name in recipe.methods},
        reference=recipe.reference,
        published={name: entry.published for name, entry in recipe.methods.items() if entry.published is not None},
        published_note=recipe.published_note,
        energy_true=judged.events.energy_true,
        energy_pred={name: (judged.raw[name].median, judged.corrected[name].median) for name in recipe.methods},
        widths=judged.widths,
        displays=_displays(judged.events, recipe.evaluation.display_energies),
        configuration=recipe.model_dump(mode="json"),
        versions=info["versions"],
        provenance=info["provenance"],
        command=info["command"],
        timings=info["timings"],
        transfer=[row.to_dict() for row in transfer],
        pretrained_on="" if recipe.pretrain is None else recipe.pretrain.events.description,
    )


def _summary(run: Run, name: str, judged: Judged) -> MethodSummary:
    method = run.method(name)
    history = getattr(method, "history_", [])
    planned = _planned_epochs(run, name)
    return MethodSummary(
        label=run.recipe.methods[name].label,
        n_parameters=method.n_parameters,
        has_width=judged.raw[name].has_width,
        history=history,
        best_epoch=int(method.kept_epoch["epoch"]) if isinstance(method, NetworkRegressor) else None,
        stopped_epoch=int(history[-1]["epoch"]) if planned is not None and 0 < len(history) < planned else None,
    )


def _planned_epochs(run: Run, name: str) -> int | None:
    """How many epochs the recipe gives a method; None for methods without epochs."""
    method = run.recipe.methods[name].method
    return method.training.epochs if isinstance(method, NetworkMethodConfig) else None


def _displays(events: Events, energies: Sequence[float]) -> Events | None:
    """The events nearest to some energies."""
    if not energies or events.geometry is None or not {"cells.id", "cells.energy"} <= set(leaf_paths(events.array)):
        return None
    truth = events.energy_true
    return events[np.array([int(np.argmin(np.abs(truth - energy))) for energy in energies])]
