"""Loss, and dependence of the error on the energy, versus epoch for the methods that are trained in epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, SymmetricalLogLocator
from numpy.typing import NDArray

from showercal.report._content import ReportContent
from showercal.report._style import (
    figure_style,
    legend_on_top,
    method_styles,
    new_figure,
    plain_text,
    sparse_minor,
)

FloatArray = NDArray[np.float64]
_GREY = "#8A9099"
# Below this a dependence measured on some thousand events is hardly more than its error: the axis is linear there.
_SMALL_DEPENDENCE = 1e-3


def training_figure(content: ReportContent) -> Figure | None:
    """Training and validation loss, and the learning rate where known, of every method with a history.

    Returns:
        The figure, or None when no method was trained in epochs.
    """
    trained = _trained(content)
    if not trained:
        return None
    styles = method_styles(content)
    columns = min(3, len(trained))
    n_rows = math.ceil(len(trained) / columns)
    rates = {name: _series(content.methods[name].history, "learning_rate") for name in trained}
    with_rate = any(np.isfinite(rate).sum() > 1 for rate in rates.values())
    heights = [3, 1] if with_rate else [1]
    with figure_style():
        figure = new_figure(max(5.4, 4.1 * columns), (3.9 if with_rate else 3.1) * n_rows)
        grid = figure.subplots(n_rows * len(heights), columns, squeeze=False, height_ratios=heights * n_rows)
        for number in range(n_rows * columns):
            panels = grid[len(heights) * (number // columns) :, number % columns][: len(heights)]
            if number >= len(trained):
                for axes in panels:
                    axes.remove()
                continue
            name = trained[number]
            _loss_panel(content, name, panels[0], styles[name].colour)
            if with_rate:
                panels[0].tick_params(labelbottom=False)
                panels[1].sharex(panels[0])
                panels[1].step(_series(content.methods[name].history, "epoch"), rates[name], where="mid", color=_GREY)
                panels[1].set_ylabel("Learning\nrate", loc="center")
                _log_if_wide(panels[1], rates[name], 5)
            _epoch_axis(panels[-1], _series(content.methods[name].history, "epoch"))
    return figure


def dependence_figure(content: ReportContent) -> Figure | None:
    """What the error tells about the true energy after every epoch, all methods in one frame.

    The axis is logarithmic where values differ much, but linear around 0: the estimate has no bias, so that it takes
    either sign for an error which tells nothing.

    Returns:
        The figure, or None when no method knows it.
    """
    curves = {name: _series(content.methods[name].history, "dependence") for name in _trained(content)}
    curves = {name: values for name, values in curves.items() if np.isfinite(values).any()}
    if not curves:
        return None
    styles = method_styles(content)
    with figure_style():
        figure = new_figure(7.6, 4.2)
        axes = figure.add_subplot()
        for name, values in curves.items():
            style, epochs = styles[name], _series(content.methods[name].history, "epoch")
            axes.plot(
                epochs,
                values,
                color=style.colour,
                ls=style.line,
                marker=style.marker,
                ms=3.5,
                label=plain_text(content.label(name)),
            )
        highest = max(np.nanmax(values) for values in curves.values())
        if highest > 10 * _SMALL_DEPENDENCE:
            axes.set_yscale("symlog", linthresh=_SMALL_DEPENDENCE, linscale=0.5)
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_locator(SymmetricalLogLocator(base=10, linthresh=_SMALL_DEPENDENCE, subs=range(2, 10)))
        axes.axhline(0, color=_GREY, lw=0.8, zorder=1)
        _epoch_axis(axes, max((_series(content.methods[name].history, "epoch") for name in curves), key=len))
        axes.set_ylabel(r"dCor$^2$ of error and true energy")
        legend_on_top(figure, axes)
    return figure


def training_caption(content: ReportContent) -> str:
    """How many epochs each method was trained, and how long one took where that is known."""
    texts = []
    for name in _trained(content):
        history = content.methods[name].history
        seconds = _series(history, "seconds")
        text = f"{content.label(name)}: {len(history)} epoch{'s' if len(history) > 1 else ''}"
        if np.isfinite(seconds).any():
            text += f" of {np.nanmean(seconds):.2g} s"
        if content.methods[name].stopped_epoch is not None:
            text += ", stopped early"
        texts.append(text)
    return "; ".join(texts) + "." if texts else ""


def _trained(content: ReportContent) -> list[str]:
    return [name for name, method in content.methods.items() if len(method.history)]


def _loss_panel(content: ReportContent, name: str, axes: Axes, colour: str) -> None:
    method = content.methods[name]
    epochs = _series(method.history, "epoch")
    train, validation = (_series(method.history, key) for key in ("train_loss", "validation_loss"))
    marker = "o" if len(epochs) < 4 else None
    axes.plot(epochs, train, color=_GREY, lw=1.4, marker=marker, label="training")
    axes.plot(epochs, validation, color=colour, lw=1.8, marker=marker, label="validation")
    if method.best_epoch is not None and np.isfinite(validation[epochs == method.best_epoch]).any():
        best = float(validation[epochs == method.best_epoch][0])
        label = f"kept: epoch {method.best_epoch}"
        axes.plot(method.best_epoch, best, "*", ms=11, color=colour, mec="white", mew=0.7, label=label)
    if _log_if_wide(axes, np.concatenate([train, validation]), 4):
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(sparse_minor)
    axes.set_ylabel("Loss")
    axes.set_title(plain_text(content.label(name)), loc="left", fontsize=11.5)
    axes.legend(loc="upper right", fontsize=9.5)


def _epoch_axis(axes: Axes, epochs: FloatArray) -> None:
    """Whole epochs along x, from the first to the last."""
    few = len(epochs) < 4
    room = 0.5 if few else 0.0  # single points stand free of the frame
    axes.set_xlim(epochs[0] - room, epochs[-1] + room)
    axes.set_xlabel("Epoch")
    axes.xaxis.set_major_locator(FixedLocator([float(e) for e in epochs]) if few else MaxNLocator(integer=True))
    axes.xaxis.set_minor_locator(NullLocator())


def _log_if_wide(axes: Axes, values: FloatArray, factor: float) -> bool:
    finite = values[np.isfinite(values)]
    wide = bool(len(finite) and finite.min() > 0 and finite.max() > factor * finite.min())
    if wide:
        axes.set_yscale("log")
    return wide


def _series(history: Sequence[Mapping[str, float]], key: str) -> FloatArray:
    found = [entry.get(key) for entry in history]
    return np.array([np.nan if v is None else v for v in found], dtype=np.float64)
