"""``showercal inspect``: what a file or folder of events holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from showercal.events import Events
    from showercal.readers import Summary
    from showercal.storage import EventSource

_BAR = 40
_ROWS = 20


def inspect(
    path: Annotated[
        list[str],
        typer.Argument(help="Folders of events, or with --mapping files of any experiment.", metavar="PATH..."),
    ],
    mapping: Annotated[
        str | None, typer.Option("--mapping", "-m", help="Packaged mapping or .yaml file that declares the branches.")
    ] = None,
    event: Annotated[int, typer.Option("--event", "-e", min=0, help="Number of the event to show.")] = 0,
) -> None:
    """Show the schema, units, counts, geometry, energy spectrum, one event and the provenance."""
    from rich.console import Console
    from rich.markup import escape

    from showercal.readers import open_any, summarise

    source = open_any(path, mapping)
    summary = summarise(source, event=event)
    console = Console()
    console.print(f"[bold]{escape(' '.join(path))}[/bold]: {summary.n_events:,} events", highlight=False)
    console.print(_schema(source, summary))
    if source.geometry is not None:
        console.print(_geometry(source.geometry), highlight=False)
    console.print(_totals(summary), highlight=False)
    if summary.truth is not None:
        console.print(_spectrum(summary))
    assert summary.event is not None
    for table in _event(summary.event, event):
        console.print(table)
    console.print("[bold]provenance[/bold]")
    console.print_json(json.dumps(dict(source.provenance)))


def _schema(source: EventSource, summary: Summary) -> Table:
    table = _table("fields", "field", "per event", "unit")
    for path, unit in source.units.items():
        table.add_row(path, summary.types[path], "-" if unit == "1" else unit)
    return table


def _geometry(geometry: Any) -> str:
    from showercal.detectors import BoxCalorimeter

    box = BoxCalorimeter.from_dict(geometry)
    x0, lambda_i = box.depth_in_radiation_lengths()[-1], box.depth_in_interaction_lengths()[-1]
    return (
        f"[bold]geometry[/bold] {box.name}: {box.n_layers} layers x {box.n_x} x {box.n_y} = {box.n_cells:,} cells of "
        f"{box.cell_x:g} x {box.cell_y:g} mm; {box.depth:.1f} mm deep = {x0:.1f} X0 = {lambda_i:.2f} lambda_I"
    )


def _totals(summary: Summary) -> str:
    lines = [
        f"[bold]{name}[/bold]: {count:,}, {count / summary.n_events:.2f} per event"
        for name, count in summary.entries.items()
    ]
    truth = summary.sums.get("energy_true")
    for path, total in summary.sums.items():
        share = f" = {total / truth:.3%} of the true energy" if truth and path.startswith("cells.") else ""
        lines.append(f"[bold]{path}[/bold]: {total / summary.n_events:.4g} GeV per event{share}")
    return "\n".join(lines)


def _spectrum(summary: Summary) -> Table:
    assert summary.truth is not None
    low, high = summary.truth_range
    table = _table(f"energy_true from {low:.4g} to {high:.4g} GeV", "GeV", "events", "")
    edges, counts = summary.truth.edges, summary.truth.counts
    for start, stop, count in zip(edges[:-1], edges[1:], counts, strict=True):
        if start <= high:
            table.add_row(f"{start:g} - {stop:g}", f"{count:,}", "#" * round(_BAR * count / counts.max()))
    return table


def _event(events: Events, number: int) -> list[Table]:
    scalars = _table(f"event {number}", "field", "value", "unit")
    tables = [scalars]
    for name in events.fields:
        if events.array[name].fields:
            tables.append(_entries(events, name))
        else:
            value = events.array[name].tolist()[0]
            unit = events.units[name]
            scalars.add_row(name, _text(value), "-" if unit == "1" else unit)
    return tables


def _entries(events: Events, name: str) -> Table:
    import awkward as ak
    import numpy as np

    entries = events.array[name][0]
    order = np.arange(len(entries))
    if "energy" in entries.fields:  # the highest first
        order = order[np.argsort(-np.asarray(entries["energy"]), kind="stable")]
    shown = entries[order[:_ROWS]]
    place = _place(events, shown) if name == "cells" else []
    title = f"{name}: {len(entries)}" + (f", the first {_ROWS} of them" if len(entries) > _ROWS else "")
    units = {member: events.units[f"{name}.{member}"] for member in entries.fields}
    heads = [member if unit == "1" else f"{member} [{unit}]" for member, unit in units.items()]
    table = _table(title, *heads, *(["layer, ix, iy"] if place else []))
    for row, values in enumerate(ak.to_list(shown)):
        table.add_row(*(_text(value) for value in values.values()), *place[row : row + 1])
    return table


def _place(events: Events, cells: Any) -> list[str]:
    if events.geometry is None or "id" not in cells.fields:
        return []
    import numpy as np

    from showercal.detectors import BoxCalorimeter

    index = BoxCalorimeter.from_dict(events.geometry).cell_index(np.asarray(cells["id"]))
    return [", ".join(str(i) for i in one) for one in zip(*index, strict=True)]


def _table(title: str, *columns: str) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(*(escape(column) for column in columns), title=title, title_justify="left", title_style="bold")
    for column in table.columns[1:]:
        column.no_wrap = True
    return table


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
