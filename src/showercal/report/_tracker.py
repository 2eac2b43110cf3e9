"""A calorimeter beside a tracker: resolution of each and of both together, as figure and sentence."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from showercal.report._content import ReportContent
from showercal.report._curves import energy_axis, mean_energy
from showercal.report._lookup import Curve, Measured, curves_by_method, overall
from showercal.report._rounding import rounded
from showercal.report._style import MethodStyle, figure_style, method_styles, new_figure, plain_text, sparse_minor

_GREY: Final = "#8A9099"
_PANELS: Final = {
    "combined_over_e": "combined by the formula",
    "combined_event_over_e": "combined event by event",
}


def tracker_figure(content: ReportContent) -> Figure | None:
    """RMSE/E of calorimeter, tracker and both together in bins of energy.

    One panel with the resolution that the formula of the weighted mean gives, and one with energies that were combined
    event by event.

    Returns:
        The figure, or None when there is no tracker.
    """
    panels = {title: found for metric, title in _PANELS.items() if (found := curves_by_method(content, metric))}
    alone, tracker = curves_by_method(content, "rmse_over_e"), curves_by_method(content, "tracker_over_e")
    if not (panels and alone and tracker):
        return None
    of_tracker = next(iter(tracker.items()))  # the same for all methods
    styles = method_styles(content)
    with figure_style():
        figure = new_figure(4.6 * len(panels) + 0.8, 4.8)
        row = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
        for axes, (title, combined) in zip(row, panels.items(), strict=True):
            energy, resolution = mean_energy(content, *of_tracker), of_tracker[1].value
            axes.plot(energy, 100 * resolution, color=_GREY, lw=2.2, ls="-.", zorder=1)
            for name, calorimeter in alone.items():
                _draw(content, axes, calorimeter, styles[name], name, is_combined=False)
            for name, both in combined.items():
                _draw(content, axes, both, styles[name], name, is_combined=True)
            axes.set_title(title, loc="left", fontsize=11.5)
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(sparse_minor)
            energy_axis(content, axes)
        row[0].set_ylabel(r"$\mathrm{RMSE}/E$  [%]")
        handles = [
            *(
                Line2D([], [], color=s.colour, marker=s.marker, ls="", label=plain_text(content.label(n)))
                for n, s in styles.items()
                if n in alone
            ),
            Line2D([], [], color=_GREY, lw=2.2, ls="-.", label="Tracker"),
            Line2D([], [], color="black", marker="o", mfc="white", ls="-", label="Calorimeter"),
            Line2D([], [], color="black", marker="o", ls="-", label="Calorimeter and tracker"),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 4), columnspacing=1.6)
    return figure


def best_combination(content: ReportContent) -> tuple[str, Measured] | None:
    """The method of the largest mean improvement, and that; None without a tracker."""
    found = {n: one for n in content.methods if (one := overall(content, n, "mean_improvement")) is not None}
    if not found:
        return None
    best = max(found, key=lambda name: found[name].value)
    return best, found[best]


def tracker_sentence(content: ReportContent) -> str:
    """What the best method adds to the tracker; empty without one."""
    best = best_combination(content)
    if best is None:
        return ""
    name, improvement = best
    largest = overall(content, name, "max_rmse")
    text = (
        f"Beside the tracker {content.label(name)} improves most: by {_percent(improvement)} of the energy on average"
    )
    return f"{text}." if largest is None else f"{text}, and the combination is nowhere worse than {_percent(largest)}."


def _draw(
    content: ReportContent, axes: Axes, found: Curve, style: MethodStyle, name: str, *, is_combined: bool
) -> None:
    axes.errorbar(
        mean_energy(content, name, found),
        100 * found.value,
        100 * np.nan_to_num(found.error),
        color=style.colour,
        marker=style.marker,
        mfc=style.colour if is_combined else "white",
        ms=4,
        lw=1.2,
        elinewidth=1,
        zorder=3 if is_combined else 2,
    )


def _percent(one: Measured) -> str:
    value, error = rounded(100 * one.value, 100 * one.error)
    return f"{value}\u00a0±\u00a0{error}\u00a0%" if error else f"{value}\u00a0%"
