"""How stable are the pivots? Runs the study electrons-pivot with several seeds; writes a table and two figures.

    python docs/pivot_seeds.py --events ../shared/data/g4_toy_electrons.parquet --mapping g4_toy_electrons

The seed decides initial weights, order of events and augmentation; each pivot starts from the network by squared error
of the same seed. Events and their split stay the same. A run that was interrupted goes on; finished methods are not
repeated. With ``--methods`` only some methods are run, and a later call adds others to the same folders.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from showercal.studies import Recipe, Run, load_recipe, run_study
from showercal.training import NetworkMethodConfig

FloatArray = NDArray[np.float64]
STUDY = "electrons-pivot"
COLOURS = ("#3B3F46", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


@dataclass(frozen=True, eq=False)
class Outcome:
    """One method over all seeds; every array has shape (seeds,)."""

    strict: FloatArray
    linear: FloatArray
    dcor: FloatArray
    mi: FloatArray
    histories: list[tuple[FloatArray, FloatArray]]


def recipe_of(seed: int, data: Sequence[str], methods: Sequence[str] | None) -> Recipe:
    """The study with one training seed, and with some of its methods and those they start from."""
    networks = [n for n, e in load_recipe(STUDY).methods.items() if isinstance(e.method, NetworkMethodConfig)]
    recipe = load_recipe(STUDY, [*data, *(f"methods.{name}.method.training.seed={seed}" for name in networks)])
    if methods is None:
        return recipe
    wanted = {recipe.reference, *methods}
    for name in reversed(recipe.methods):
        if name in wanted and (start := start_of(recipe, name)) is not None:
            wanted.add(start)
    return recipe.model_copy(update={"methods": {n: e for n, e in recipe.methods.items() if n in wanted}})


def start_of(recipe: Recipe, name: str) -> str | None:
    """The method whose weights another starts from."""
    start: str | None = getattr(recipe.methods[name].method, "start_from", None)
    return start


def outcome(runs: Sequence[Run], name: str) -> Outcome:
    """What the runs, one per seed, say about a method."""

    def values(metric: str) -> FloatArray:
        return np.array([run.value(name, metric)[0] for run in runs])

    histories = []
    for run in runs:
        rows = getattr(run.method(name), "history_", [])
        histories.append((np.array([row["epoch"] + 1 for row in rows]), np.array([row["dependence"] for row in rows])))
    return Outcome(
        values("sigma_over_sqrt_e_local"),
        values("sigma_over_sqrt_e"),
        values("dependence_dcor_raw"),
        values("dependence_mi_raw"),
        histories,
    )


def base_of(recipe: Recipe, found: dict[str, Outcome], name: str) -> Outcome | None:
    """The network by squared error that a method starts from."""
    start = start_of(recipe, name)
    return None if start is None else found[start]


def table(recipe: Recipe, found: dict[str, Outcome]) -> str:
    """Markdown: mean over seeds, spread between seeds, and what became of the network by squared error."""
    lines = [
        "| method | strict σ/√E | spread | linear σ/√E | spread | ratio to squared error, strict "
        "| dCor² | smaller by | MI [nat] | smaller by |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, own in found.items():
        base = base_of(recipe, found, name)
        cells = [recipe.methods[name].label]
        for width in (own.strict, own.linear):
            cells += [f"{width.mean():.4f}", f"{100 * width.std(ddof=1) / width.mean():.2f} %"]
        if base is None:
            ratios = ["–", f"{_mean_and_range(own.dcor)}", "–", f"{_mean_and_range(own.mi)}", "–"]
        else:
            ratio = own.strict / base.strict
            ratios = [
                f"{ratio.mean():.4f} ({ratio.min():.4f}–{ratio.max():.4f})",
                _mean_and_range(own.dcor),
                f"{base.dcor.mean() / own.dcor.mean():.0f} (least {(base.dcor / own.dcor).min():.0f})",
                _mean_and_range(own.mi),
                f"{base.mi.mean() / own.mi.mean():.0f} (least {(base.mi / own.mi).min():.0f})",
            ]
        lines.append(f"| {' | '.join([*cells, *ratios])} |")
    return "\n".join(lines) + "\n"


def _mean_and_range(values: FloatArray) -> str:
    return f"{values.mean():.4f} ({values.min():.4f}–{values.max():.4f})"


def resolution_figure(recipe: Recipe, found: dict[str, Outcome], seeds: Sequence[int]) -> Figure:
    """Strict width per seed, and its ratio to the network by squared error of the same seed."""
    figure = Figure(figsize=(7.6, 5.6), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True, height_ratios=[1.6, 1])
    for number, (name, own) in enumerate(found.items()):
        style = {"color": COLOURS[number % len(COLOURS)], "marker": "os^DvPX"[number % 7], "ls": "--", "lw": 0.8}
        upper.plot(seeds, own.strict, label=recipe.methods[name].label, **style)
        base = base_of(recipe, found, name)
        if base is not None:
            lower.plot(seeds, 100 * (own.strict / base.strict - 1), **style)
    upper.set_ylabel(r"strict $\sigma/\sqrt{E}$  [$\sqrt{\mathrm{GeV}}$]")
    lower.axhline(0, color="#8A9099", lw=0.8)
    lower.axhline(2, color="#8A9099", lw=0.8, ls=":")
    lower.set_ylabel("against squared\nerror, same seed [%]")
    lower.set_xlabel("Seed")
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(*upper.get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=9)
    return figure


def dependence_figure(recipe: Recipe, found: dict[str, Outcome]) -> Figure:
    """Dependence on validation events after every epoch: one panel per penalty, one line per seed."""
    names = [name for name in found if getattr(recipe.methods[name].method, "decorrelation", None) is not None]
    figure = Figure(figsize=(7.6, 2.9 * -(-len(names) // 2)), layout="constrained")
    panels = figure.subplots(-(-len(names) // 2), 2, sharey=True, squeeze=False).ravel()
    for axes in panels[len(names) :]:
        axes.remove()
    for axes, name in zip(panels, names, strict=False):
        colour = COLOURS[list(found).index(name) % len(COLOURS)]
        base = base_of(recipe, found, name)
        assert base is not None
        for number, (own, before) in enumerate(zip(found[name].histories, base.histories, strict=True)):
            labels = ("with the penalty, one line per seed", "squared error before it") if number == 0 else (None, None)
            axes.plot(own[0], own[1], color=colour, lw=1, label=labels[0])
            axes.axhline(before[1][-1], color="#8A9099", lw=0.8, ls="--", label=labels[1])
        axes.set_yscale("symlog", linthresh=1e-3)
        axes.set_title(recipe.methods[name].label, loc="left", fontsize=10.5)
        axes.set_xlabel("Epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(left=1)
    for axes in panels[: len(names) : 2]:
        axes.set_ylabel("dCor² of error and $E_{true}$")
    handles, texts = panels[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside upper center", ncols=2, fontsize=9)
    return figure


def main() -> None:
    """Run, tabulate, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", help="events to use instead of the packaged sample")
    parser.add_argument("--mapping", help="how to read them")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--methods", nargs="+", help="only these, and those they start from")
    parser.add_argument("--out", type=Path, default=Path("runs/pivot-seeds"))
    parser.add_argument("--figures", type=Path, default=Path("docs/pivot"), help="folder of table and figures")
    options = parser.parse_args()
    data = [f"data.{key}={getattr(options, key)!r}" for key in ("events", "mapping") if getattr(options, key)]
    seeds = range(1, options.seeds + 1)
    runs = []
    for seed in seeds:
        print(f"seed {seed}", flush=True)
        runs.append(run_study(recipe_of(seed, data, options.methods), options.out / f"seed-{seed}", say=print))
    recipe = runs[0].recipe
    found = {name: outcome(runs, name) for name in recipe.methods if name != "line"}
    options.figures.mkdir(parents=True, exist_ok=True)
    text = table(recipe, found)
    (options.figures / "seeds.md").write_text(text)
    print(text)
    resolution_figure(recipe, found, seeds).savefig(options.figures / "resolution.png", dpi=110)
    dependence_figure(recipe, found).savefig(options.figures / "dependence.png", dpi=110)


if __name__ == "__main__":
    main()
