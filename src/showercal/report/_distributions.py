"""How the predictions of all events are distributed: the response in ranges of energy, and predicted versus true."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from showercal.report._content import ReportContent
from showercal.report._lookup import spans_decades
from showercal.report._style import figure_style, legend_on_top, method_styles, new_figure, panel_grid, plain_text

FloatArray = NDArray[np.float64]
_FEW = 200  # below this number of events per range, fewer ranges and coarser bins


def response_figure(content: ReportContent) -> Figure | None:
    """Distributions of predicted over true energy after the correction, in up to four ranges of true energy.

    Returns:
        The figure, or None when there are no finite predictions.
    """
    responses = _responses(content)
    if not responses:
        return None
    styles = method_styles(content)
    edges = energy_ranges(content.energy_true)
    n_columns = min(2, len(edges) - 1)
    n_rows = math.ceil((len(edges) - 1) / n_columns)
    with figure_style():
        figure = new_figure(8.4 if n_columns == 2 else 6.0, 0.9 + 2.7 * n_rows)
        panels = panel_grid(figure, len(edges) - 1, n_columns)
        for number, axes in enumerate(panels):
            low, high = edges[number], edges[number + 1]
            inside = (content.energy_true >= low) & (content.energy_true < high)
            if number + 2 == len(edges):
                inside |= content.energy_true == high
            chosen = {name: values[inside] for name, values in responses.items()}
            bins = _response_bins(chosen)
            for name, values in chosen.items():
                finite = values[np.isfinite(values)]
                density = np.histogram(finite, bins)[0] / max(len(finite), 1) / np.diff(bins)
                style = styles[name]
                axes.stairs(
                    density, bins, color=style.colour, ls=style.line, lw=1.5, label=plain_text(content.label(name))
                )
            axes.axvline(1, color="#8A9099", lw=0.8, zorder=0)
            axes.set_xlim(bins[0], bins[-1])
            axes.set_ylim(0, 1.12 * axes.get_ylim()[1])
            span = f"{low:g} – {high:g} GeV" if high > low else f"{low:g} GeV"
            text = f"{span}\n{int(inside.sum()):,} events"
            axes.text(0.965, 0.93, text, transform=axes.transAxes, ha="right", va="top", fontsize=10.5)
            if number % n_columns == 0:
                axes.set_ylabel("Density of events")
            if number + n_columns >= len(edges) - 1:
                axes.set_xlabel(r"Response $E_\mathrm{pred}/E$")
        legend_on_top(figure, panels[0])
    return figure


def predicted_figure(content: ReportContent) -> Figure | None:
    """Predicted (after correction) versus true energy, one 2-D histogram per method.

    Returns:
        The figure, or None when there are no finite predictions.
    """
    known = {name: content.energy_pred[name][1] for name in _responses(content)}
    if not known:
        return None
    bottom, top = float(np.min(content.energy_true)), float(np.max(content.energy_true))
    wide = spans_decades(content) and bottom > 0
    edges = np.geomspace(0.7 * bottom, 1.4 * top, 60) if wide else np.linspace(0, 1.15 * top, 60)
    columns = min(3, len(known))
    n_rows = math.ceil(len(known) / columns)
    counts = {
        name: np.histogram2d(content.energy_true[np.isfinite(v)], v[np.isfinite(v)], bins=(edges, edges))[0]
        for name, v in known.items()
    }
    scale = "log" if wide else "linear"
    most = max(2.0, *(float(c.max()) for c in counts.values()))
    with figure_style():
        figure = new_figure(0.9 + 2.75 * columns, 0.5 + 2.6 * n_rows)
        panels = panel_grid(figure, len(known), columns, sharex=True, sharey=True)
        image = None
        for number, (name, axes) in enumerate(zip(known, panels, strict=True)):
            image = axes.pcolormesh(
                edges,
                edges,
                np.ma.masked_equal(counts[name].T, 0),
                norm=LogNorm(1, most),
                cmap="viridis_r",
                rasterized=True,
            )
            # on a white line: seen on full and on empty bins
            axes.plot(edges[[0, -1]], edges[[0, -1]], color="white", lw=2.6, alpha=0.9)
            axes.plot(edges[[0, -1]], edges[[0, -1]], color="#D55E00", lw=1.5, ls=(0, (4, 2)))
            axes.set(xscale=scale, yscale=scale, xlim=(edges[0], 1.02 * top), ylim=(edges[0], edges[-1]))
            if not wide:
                axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
                axes.xaxis.set_major_formatter("{x:g}")
            axes.set_title(plain_text(content.label(name)), fontsize=11, loc="left")
            if number % columns == 0:
                axes.set_ylabel(r"$E_\mathrm{pred}$ [GeV]")
            if number + columns >= len(known):
                axes.tick_params(labelbottom=True)
                axes.set_xlabel(r"$E$ [GeV]")
        assert image is not None
        figure.colorbar(image, ax=figure.axes, label="Events", aspect=30, pad=0.02)
    return figure


def energy_ranges(energy_true: FloatArray) -> FloatArray:
    """Edges of up to four ranges of about equally many events, rounded to readable numbers, [GeV].

    Example:
        >>> energy_ranges(np.linspace(0.001, 9.99, 4000)).tolist()
        [0.0, 2.5, 5.0, 7.5, 10.0]
    """
    if np.ptp(energy_true) == 0:  # a beam of one energy
        return np.array([energy_true[0], energy_true[0]])
    n_ranges = max(1, min(4, len(energy_true) // _FEW))
    edges = np.quantile(energy_true, np.linspace(0, 1, n_ranges + 1))
    step = 10.0 ** math.floor(math.log10(float(edges[-1] - edges[0]) / n_ranges)) / 2
    inner = np.round(edges[1:-1] / step) * step
    ends = np.array([np.floor(edges[0] / step) * step, np.ceil(edges[-1] / step) * step])
    return np.unique(np.concatenate([ends, inner]))


def n_not_finite(content: ReportContent) -> dict[str, int]:
    """By method, how many corrected predictions are NaN or infinite; methods without any are left out."""
    counts = {name: int(np.sum(~np.isfinite(pair[1]))) for name, pair in content.energy_pred.items()}
    return {name: count for name, count in counts.items() if count}


def _responses(content: ReportContent) -> dict[str, FloatArray]:
    """Corrected response by method in the order of the methods; NaN where the true energy is 0."""
    found = {}
    for name in content.methods:
        if name not in content.energy_pred or not len(content.energy_true):
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            response = np.asarray(content.energy_pred[name][1]) / content.energy_true
        if np.isfinite(response).any():
            found[name] = response
    return found


def _response_bins(chosen: dict[str, FloatArray]) -> FloatArray:
    """Common bins around the bulk of all methods."""
    values = np.concatenate([v[np.isfinite(v)] for v in chosen.values()])
    if not len(values):
        return np.linspace(0, 2, 41)
    low, high = np.quantile(values, [0.01, 0.99])
    low, high = max(0.0, min(low, 0.9)), min(max(high, 1.1), 3.0)
    n_bins = 40 if min(len(v) for v in chosen.values()) >= 5 * _FEW else 25
    return np.linspace(low, high, n_bins + 1)
