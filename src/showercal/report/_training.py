"""Loss versus epoch for the methods that are trained in epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from showercal.report._content import ReportContent
from showercal.report._style import figure_style, method_styles, new_figure

FloatArray = NDArray[np.float64]


def training_figure(content: ReportContent) -> Figure | None:
    """Training and validation loss and learning rate of every method with a history.

    Returns:
        The figure, or None when no method was trained in epochs.
    """
    trained = [name for name, method in content.methods.items() if len(method.history)]
    if not trained:
        return None
    styles = method_styles(content)
    columns = min(3, len(trained))
    n_rows = math.ceil(len(trained) / columns)
    with_rate = any(np.isfinite(_series(content.methods[n].history, "learning_rate")).any() for n in trained)
    with figure_style():
        figure = new_figure(max(5.4, 4.1 * columns), (3.9 if with_rate else 3.1) * n_rows)
        blocks = figure.subfigures(n_rows, columns, squeeze=False)
        for number, name in enumerate(trained):
            history = content.methods[name].history
            block = blocks.flat[number]
            heights = [3, 1] if with_rate else [1]
            panels = block.subplots(len(heights), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
            _loss_panel(content, name, panels[0], styles[name].colour)
            if with_rate:
                epochs = _series(history, "epoch")
                panels[1].step(epochs, _series(history, "learning_rate"), where="mid", color="#5B626C", lw=1.3)
                panels[1].set_ylabel("Learning\nrate", loc="center")
                _log_if_wide(panels[1], _series(history, "learning_rate"), 5)
            panels[-1].set_xlabel("Epoch")
    return figure


def _loss_panel(content: ReportContent, name: str, axes: Axes, colour: str) -> None:
    method = content.methods[name]
    epochs = _series(method.history, "epoch")
    train, validation = (_series(method.history, key) for key in ("train_loss", "validation_loss"))
    marker = "o" if len(epochs) < 4 else None
    axes.plot(epochs, train, color="#8A9099", lw=1.4, marker=marker, label="training")
    axes.plot(epochs, validation, color=colour, lw=1.8, marker=marker, label="validation")
    if method.best_epoch is not None and np.isfinite(validation[epochs == method.best_epoch]).any():
        best = float(validation[epochs == method.best_epoch][0])
        label = f"kept: epoch {method.best_epoch}"
        axes.plot(method.best_epoch, best, "*", ms=11, color=colour, mec="white", mew=0.7, label=label)
    _log_if_wide(axes, np.concatenate([train, validation]), 4)
    axes.set_ylabel("Loss")
    axes.set_title(content.label(name), loc="left", fontsize=11.5)
    axes.legend(loc="upper right", fontsize=9.5)


def _log_if_wide(axes: Axes, values: FloatArray, factor: float) -> None:
    finite = values[np.isfinite(values)]
    if len(finite) and finite.min() > 0 and finite.max() > factor * finite.min():
        axes.set_yscale("log")


def _series(history: Sequence[Mapping[str, float]], key: str) -> FloatArray:
    found = [entry.get(key) for entry in history]
    return np.array([np.nan if v is None else v for v in found], dtype=np.float64)
