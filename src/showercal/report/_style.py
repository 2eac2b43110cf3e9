"""How figures look: mplhep's frame and fonts, one colour and marker per method, no change of global state."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from showercal.report._content import ReportContent

# Okabe & Ito, "Color Universal Design" (2008), without the yellow that vanishes on white; the reference is dark grey.
PALETTE: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
REFERENCE_COLOUR: Final = "#3B3F46"
_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
_LINES: Final = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
GRID_COLOUR: Final = "#D9DCE1"


@dataclass(frozen=True)
class MethodStyle:
    """How one method is drawn everywhere."""

    colour: str
    marker: str
    line: Any


def method_styles(content: ReportContent) -> dict[str, MethodStyle]:
    """A style per method: the reference grey and dashed, the others by their order."""
    styles: dict[str, MethodStyle] = {}
    others = [name for name in content.methods if name != content.reference]
    for number, name in enumerate(others):
        turn = number // len(PALETTE)
        styles[name] = MethodStyle(
            PALETTE[number % len(PALETTE)],
            _MARKERS[1 + number % (len(_MARKERS) - 1)],
            _LINES[(0, 2, 3)[turn % 3]],
        )
    styles[content.reference] = MethodStyle(REFERENCE_COLOUR, _MARKERS[0], _LINES[1])
    return {name: styles[name] for name in content.methods}


@contextmanager
def figure_style() -> Iterator[None]:
    """Matplotlib settings for the time of drawing or saving a figure."""
    import mplhep  # imported late: it loads pyplot

    settings = dict(mplhep.style.ATLAS)
    settings.update(
        {
            "font.size": 11,
            "font.sans-serif": ["TeX Gyre Heros", "Helvetica", "Arial", "DejaVu Sans"],
            # a named set, not ATLAS's "custom", which is looked up when drawing and so would leave this block
            "mathtext.fontset": "stixsans",
            "axes.labelsize": 12,
            "axes.titlesize": 12,
            "axes.labelpad": 5,
            "axes.linewidth": 0.9,
            "axes.autolimit_mode": "data",
            "axes.formatter.limits": (-4, 5),
            "axes.axisbelow": True,
            "xtick.labelsize": 10.5,
            "ytick.labelsize": 10.5,
            "xtick.major.size": 6,
            "ytick.major.size": 6,
            "xtick.minor.size": 3,
            "ytick.minor.size": 3,
            "legend.fontsize": 10.5,
            "legend.borderpad": 0.2,
            "lines.linewidth": 1.6,
            "lines.markersize": 4.5,
            "svg.fonttype": "path",
            "svg.hashsalt": "showercal",  # the same content gives the same file
            "path.simplify": True,
        }
    )
    with mpl.rc_context(settings):
        yield


def plain_text(text: str) -> str:
    """A user's text for a figure: Matplotlib would read dollars as formulae, and hide labels that begin with _."""
    safe = text.replace("$", r"\$")
    return " " + safe if safe.startswith("_") else safe


def sparse_minor(value: float, _: float) -> str:
    """Minor labels of a log axis, for 2, 3 and 5 of each decade: within one decade it would have a single number."""
    leading = round(value / 10 ** np.floor(np.log10(value)))
    return f"{value:.3g}" if leading in {2, 3, 5} else ""


def new_figure(width: float, height: float) -> Figure:
    """A figure of the object interface, [inch]; pyplot never hears of it."""
    return Figure(figsize=(width, height), layout="constrained")


def panel_grid(figure: Figure, n_panels: int, n_columns: int, **shared: Any) -> list[Axes]:
    """Panels in rows, of which the last may be shorter; ``shared`` goes to Matplotlib's ``subplots``."""
    grid = figure.subplots(math.ceil(n_panels / n_columns), n_columns, squeeze=False, **shared).ravel()
    for axes in grid[n_panels:]:
        axes.remove()
    return list(grid[:n_panels])


def legend_on_top(figure: Figure, axes: Axes, n_columns: int | None = None) -> None:
    """The entries of ``axes`` above the panels, where they hide no data."""
    handles, labels = axes.get_legend_handles_labels()
    columns = n_columns or min(len(labels), 3 if max(map(len, labels), default=0) > 18 else 5)
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, columnspacing=1.6)
