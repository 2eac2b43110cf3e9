"""Ablating a method: its variants trained, calibrated and judged as a study of their own, and what each changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from showercal.errors import RecipeError, nearest
from showercal.evaluation import METRICS, RATIOS, finite_or_none
from showercal.report import rounded
from showercal.studies._ablations import AblationsConfig, with_variants
from showercal.studies._cache import write_json
from showercal.studies._fits import Say
from showercal.studies._recipe import Recipe, parse_recipe
from showercal.studies._run import Run, run_study

_NUMBERS_FILE: Final = "ablations.json"
_TABLE_FILE: Final = "ablations.md"


@dataclass(frozen=True)
class Ablation:
    """What one variant changes.

    Args:
        variant: Its name; that of the base for the base itself.
        label: Its name for readers.
        value, error: The metric, in its unit.
        change, change_error: Relative to the base; the error is that of a paired comparison: what both share cancels.
    """

    variant: str
    label: str
    value: float
    error: float
    change: float
    change_error: float


@dataclass(frozen=True)
class Ablations:
    """The ablations of a method, on disk.

    Attributes:
        run: The run of the base and its variants; its folder also holds ``ablations.json`` and ``ablations.md``.
        rows: The base, then its variants.
    """

    run: Run
    rows: list[Ablation]

    @property
    def table(self) -> str:
        """The rows as text in Markdown."""
        return (self.run.folder / _TABLE_FILE).read_text(encoding="utf-8")


def ablate_study(
    recipe: Recipe,
    folder: str | Path,
    *,
    only: Sequence[str] = (),
    command: str = "",
    say: Say = lambda _: None,
) -> Ablations:
    """Run the base of the ablations of a study and its variants, or go on with an interrupted run of them.

    They are trained on the same events, calibrated on the same and judged on the same resamples of the same. What
    was fitted before is not fitted again, whichever variants were asked for.

    Args:
        recipe: A study with ``ablations``.
        folder: Where everything goes.
        only: Names of the variants that are wanted; none for all.
        command: The command line, for the report.
        say: Told what happens, one line a stage.

    Raises:
        RecipeError: If the study has no ablations, or no such variant.
        ShowercalError: Whatever a stage finds wrong.
    """
    config = recipe.ablations
    if config is None:
        raise RecipeError(f"the study {recipe.name} has no ablations: write a section ablations into its recipe")
    for name in only:
        if name not in config.variants:
            raise RecipeError(
                f"no variant {name!r} among the ablations of {recipe.name}; {nearest(name, config.variants)}"
            )
    run = run_study(_study(recipe, config, only), folder, command=command, say=say)
    rows = [
        _row(run, name, config.metric)
        for name in (config.base, *(n for n in config.variants if n in run.recipe.methods))
    ]
    content = {"base": config.base, "metric": config.metric, "rows": [finite_or_none(asdict(row)) for row in rows]}
    write_json(run.folder / _NUMBERS_FILE, content)
    (run.folder / _TABLE_FILE).write_text(_markdown(run.recipe.title, config.metric, rows), encoding="utf-8")
    return Ablations(run, rows)


def _study(recipe: Recipe, config: AblationsConfig, only: Sequence[str]) -> Recipe:
    """The study that compares variants with their base."""
    methods = with_variants(recipe.methods, config, only or config.variants)
    changes = {
        "name": f"{recipe.name}-ablations",
        "title": f"{recipe.title}: ablations of {recipe.methods[config.base].label}",
        # all of them were asked for, so that none is left out as taking long
        "methods": {name: entry.model_dump() | {"full": False} for name, entry in methods.items()},
        "reference": config.base,
        "pretrain": None,
        "ablations": None,
    }
    return parse_recipe(recipe.model_dump() | changes, where=f"{recipe.name}, ablations")


def _row(run: Run, name: str, metric: str) -> Ablation:
    ratio, ratio_error = run.value(name, RATIOS[metric])
    label = run.recipe.methods[name].label
    return Ablation(name, label, *run.value(name, metric), change=ratio - 1, change_error=ratio_error)


def _markdown(title: str, name: str, rows: Sequence[Ablation]) -> str:
    metric = METRICS[name]
    unit = f" [{metric.shown_unit}]" if metric.shown_unit else ""
    lines = [f"# {title}", "", f"| Variant | {metric.title}{unit} | Change [%] |", "| --- | ---: | ---: |"]
    for row in rows:
        value = _text(row.value * metric.scale, row.error * metric.scale)
        change = "" if row is rows[0] else _signed(100 * row.change, 100 * row.change_error)
        lines.append(f"| {' '.join(row.label.replace('|', ' ').split())} | {value} | {change} |")
    lines += [
        "",
        f"{metric.title}: {metric.better} is better. {metric.meaning}",
        "",
        "Changes are relative to the first line; their errors are those of a paired comparison on the same resampled "
        "test events. They do not hold how much another seed of the training would change.",
    ]
    return "\n".join(lines) + "\n"


def _text(value: float, error: float) -> str:
    return " ± ".join(filter(None, rounded(value, error)))


def _signed(value: float, error: float) -> str:
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return sign + _text(abs(value), error)
