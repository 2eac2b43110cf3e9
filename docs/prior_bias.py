"""Which answers depend on the training spectrum? Runs the study electrons-prior with a falling and with a flat one.

    python docs/prior_bias.py --events ../shared/data/g4_toy_electrons.parquet --mapping g4_toy_electrons

Both are judged on the same flat test events, without a correction. Writes a table and a figure of the bias in 20 bins.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from showercal.studies import Run, load_recipe, run_study

FloatArray = NDArray[np.float64]
STUDY = "electrons-prior"
SPECTRA = {"falling": [], "flat": ["data.split.learn_from=null"]}
FLOOR = 1.0  # GeV: below, the relative bias of every method grows without end


def in_bins(run: Run, method: str, metric: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Middle of the bins [GeV], value and error."""
    rows = [r for r in run.rows if (r.method, r.metric) == (method, metric) and r.bin is not None]
    middle = [(r.bin_low + r.bin_high) / 2 for r in rows if r.bin_low is not None and r.bin_high is not None]
    return np.array(middle), np.array([r.value for r in rows]), np.array([r.error for r in rows], dtype=np.float64)


def table(runs: dict[str, Run]) -> str:
    """Bias at the upper end, what the spectrum changes in all bins above the floor, and the strict width."""
    lines = [
        "| method | bias at 9.5–10 GeV, learnt from falling | from flat | falling − flat, mean above 1 GeV "
        "| largest above 1 GeV | strict σ/√E, from falling | from flat |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, entry in runs["flat"].recipe.methods.items():
        (energy, falling, error), (_, flat, flat_error) = (in_bins(runs[s], name, "bias_raw") for s in SPECTRA)
        above = energy > FLOOR
        change = 100 * (falling - flat)[above]
        largest = change[np.argmax(np.abs(change))]
        strict = [runs[s].value(name, "sigma_over_sqrt_e_local") for s in SPECTRA]
        cells = [
            entry.label,
            f"{100 * falling[-1]:+.1f} ± {100 * error[-1]:.1f} %",
            f"{100 * flat[-1]:+.1f} ± {100 * flat_error[-1]:.1f} %",
            f"{change.mean():+.1f} %",
            f"{largest:+.1f} %",
            *(f"{value:.4f} ± {e:.4f}" for value, e in strict),
        ]
        lines.append(f"| {' | '.join(cells)} |".replace("-", "−"))
    return "\n".join(lines) + "\n"


def figure(runs: dict[str, Run]) -> Figure:
    """Bias in bins, one panel per method: learnt from either spectrum."""
    drawing = Figure(figsize=(7.6, 5.8), layout="constrained")
    panels = drawing.subplots(2, 2, sharex=True, sharey=True)
    styles = {"falling": ("#D55E00", "o", "exp(−E / 2.5 GeV)"), "flat": ("#0072B2", "s", "flat")}
    for axes, (name, entry) in zip(panels.ravel(), runs["flat"].recipe.methods.items(), strict=True):
        for spectrum, (colour, marker, label) in styles.items():
            energy, value, error = in_bins(runs[spectrum], name, "bias_raw")
            axes.errorbar(energy, 100 * value, 100 * error, fmt=marker, ms=3.5, lw=1, color=colour, label=label)
        axes.axhline(0, color="#8A9099", lw=0.8)
        axes.set_title(entry.label, loc="left", fontsize=10.5)
        axes.set_ylim(-9, 14)
        axes.set_xlim(0, 10)
    for axes in panels[1]:
        axes.set_xlabel("True energy [GeV]")
    for axes in panels[:, 0]:
        axes.set_ylabel("bias, uncorrected [%]")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    drawing.legend(handles, labels, title="learnt from", loc="outside upper center", ncols=2, fontsize=9)
    return drawing


def main() -> None:
    """Run, tabulate, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", help="events to use instead of the packaged sample")
    parser.add_argument("--mapping", help="how to read them")
    parser.add_argument("--out", type=Path, default=Path("runs/prior"))
    parser.add_argument("--figures", type=Path, default=Path("docs/likelihood"), help="folder of table and figure")
    options = parser.parse_args()
    data = [f"data.{key}={getattr(options, key)!r}" for key in ("events", "mapping") if getattr(options, key)]
    runs = {
        name: run_study(load_recipe(STUDY, [*data, *change]), options.out / name, say=print)
        for name, change in SPECTRA.items()
    }
    options.figures.mkdir(parents=True, exist_ok=True)
    text = table(runs)
    (options.figures / "prior.md").write_text(text)
    print(text)
    figure(runs).savefig(options.figures / "prior.png", dpi=110)


if __name__ == "__main__":
    main()
