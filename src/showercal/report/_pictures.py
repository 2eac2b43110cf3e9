"""Figures as files and as parts of a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from showercal.report._style import figure_style

PNG_DPI: Final = 110

#: File name, what one sees, what it means, and what draws it: None where there is nothing to draw.
Drawing = tuple[str, str, str, Callable[[], Figure | None]]


@dataclass(frozen=True)
class Picture:
    """A figure as the page shows it: file name, what one sees, what it means, and the drawing as a data URL."""

    name: str
    alt: str
    caption: str
    source: str


def save_pictures(drawings: Iterable[Drawing], folder: Path) -> dict[str, Picture]:
    """Draw all figures that have something to show and save them, by name; those of an earlier page are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {}
    for name, alt, caption, draw in drawings:
        figure = draw()
        if figure is None:
            for suffix in ("png", "svg"):  # of an earlier page, which would now be wrong
                (folder / f"{name}.{suffix}").unlink(missing_ok=True)
            continue
        pictures[name] = Picture(name, alt, caption, save_figure(figure, folder, name))
    return pictures


def save_figure(figure: Figure, folder: Path, name: str) -> str:
    """Save as PNG and SVG, and return the SVG as a data URL."""
    buffer = io.BytesIO()
    with figure_style():
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # laid out once; each format would do it again
        figure.savefig(folder / f"{name}.png", dpi=PNG_DPI, metadata={"Software": None})
        figure.savefig(buffer, format="svg", dpi=PNG_DPI, metadata={"Date": None})
    drawing = buffer.getvalue()
    (folder / f"{name}.svg").write_bytes(drawing)
    return "data:image/svg+xml;base64," + base64.b64encode(drawing).decode("ascii")


def page_templates() -> Environment:
    """The templates of pages."""
    environment = Environment(
        loader=PackageLoader("showercal.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["typeset"] = lambda text: text.replace("-", "\u2212", 1) if text.startswith("-") else text
    return environment
