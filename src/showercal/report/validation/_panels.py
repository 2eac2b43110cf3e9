"""What the figures of a validation share: colours, panels with a ratio below, points with errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from showercal.report._style import PALETTE, REFERENCE_COLOUR

FloatArray = NDArray[np.float64]

SAMPLE: Final = {"color": PALETTE[0], "marker": "o"}
REFERENCE: Final = {"color": REFERENCE_COLOUR, "marker": "s", "mfc": "white"}
_ONE: Final = "#8A9099"
_BAND: Final = "#E8EEF4"
_WELL_KNOWN: Final = 0.3  # error of a ratio, above which it does not decide the frame
_RATIO_REACH: Final = (0.04, 1.0)  # least and largest half height of a ratio panel


@dataclass(frozen=True)
class Points:
    """Values with errors at bins."""

    value: FloatArray
    error: FloatArray

    def over(self, other: Points) -> Points:
        """Ratio of independent values; NaN where the other is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.where(other.value != 0, self.value / other.value, np.nan)
            error = np.hypot(self.error, value * other.error) / np.abs(other.value)
        return Points(value, error)


def means(table: FloatArray) -> Points:
    """Mean of each column over the events with its error.

    Args:
        table: Shape (B, K).
    """
    return Points(table.mean(axis=0), table.std(axis=0, ddof=1) / np.sqrt(len(table)))


def ratio_panels(figure: Figure, n_columns: int) -> NDArray[Any]:
    """Axes of shape (2, n_columns): a panel and below it one for the ratio, with a common abscissa in each column."""
    grid = figure.subplots(2, n_columns, sharex="col", squeeze=False, height_ratios=[2.4, 1])
    for axes in grid[0]:
        axes.tick_params(labelbottom=False)
    return grid


def draw_points(axes: Axes, edges: FloatArray, points: Points, style: dict[str, Any], label: str) -> None:
    """Points in the middle of their bins, with bars as wide as these."""
    middle = (edges[1:] + edges[:-1]) / 2
    axes.errorbar(
        middle,
        points.value,
        points.error,
        xerr=[middle - edges[:-1], edges[1:] - middle],
        ls="none",
        elinewidth=1.1,
        ms=4,
        label=label,
        **style,
    )


def draw_ratio(axes: Axes, edges: FloatArray, ratio: Points, bound: float | None = None) -> None:
    """Ratio of the sample to the reference around 1, with the bound as a band; arrows for points outside the frame."""
    axes.axhline(1, color=_ONE, lw=0.9, zorder=1)
    if bound is not None:
        axes.axhspan(1 - bound, 1 + bound, color=_BAND, zorder=0)
    known = np.isfinite(ratio.value) & (ratio.error > 0) & (ratio.error < _WELL_KNOWN)
    reach = _reach(ratio, known, bound)
    shown = np.where(np.abs(ratio.value - 1) <= reach, ratio.value, np.nan)
    draw_points(axes, edges, Points(shown, np.nan_to_num(ratio.error)), SAMPLE, "")
    middle = (edges[1:] + edges[:-1]) / 2
    for sign, marker in ((1, "^"), (-1, "v")):
        outside = sign * (ratio.value - 1) > reach
        if not outside.any():  # an empty line would claim the corner of the figure for itself
            continue
        axes.plot(
            middle[outside],
            np.full(outside.sum(), 1 + 0.93 * sign * reach),
            marker,
            color=SAMPLE["color"],
            ms=5,
            mfc="none",
            clip_on=False,
        )
    axes.set_ylim(1 - reach, 1 + reach)
    axes.set_ylabel("Ratio", loc="center")


def logarithmic_frame(axes: Axes, *drawn: Points) -> None:
    """A logarithmic ordinate around the points; bars that reach 0 have no end there."""
    values = np.concatenate([points.value[points.value > 0] for points in drawn])
    axes.set_yscale("log")
    if len(values):
        axes.set_ylim(0.4 * values.min(), 2.5 * values.max())


def whole_numbers(axis: Axis) -> None:
    """Ticks of an axis that counts."""
    axis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.set_minor_locator(NullLocator())


def _reach(ratio: Points, known: NDArray[np.bool_], bound: float | None) -> float:
    """Half height of a ratio panel: most points, their errors and the bound fit in."""
    least, largest = _RATIO_REACH
    if bound is not None:
        least = max(least, 1.6 * bound)
    if not known.any():
        return least
    distances = np.abs(ratio.value[known] - 1) + ratio.error[known]
    return float(np.clip(1.15 * np.quantile(distances, 0.9), least, largest))
