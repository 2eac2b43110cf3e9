"""Events as the text that apply_model reads: ``python write_hits.py EVENTS N cells.id cells.tracks > hits.txt``.

EVENTS is a folder that showercal wrote; its first N events are taken.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

import awkward as ak

from showercal import Events, open_events


def write_hits(events: Events, fields: Sequence[str], out: TextIO) -> None:
    """Write one line per hit, numbering the events from 0; an event without hits has one line, with dashes.

    Args:
        events: B events.
        fields: Names of the columns: fields of cells ("cells.id", ...) and scalars of the event.
        out: Where to.
    """
    print("event", *fields, file=out)
    n_hits = ak.num(events.field("cells.id"), axis=1).to_list()
    columns = [events.field(field).to_list() for field in fields]
    for event in range(len(events)):
        for hit in range(max(n_hits[event], 1)):
            print(event, *(_text(column[event], hit) for column in columns), file=out)


def _text(value: float | list[float], hit: int) -> str:
    if isinstance(value, list):
        return _text(value[hit], hit) if value else "-"
    return str(value) if isinstance(value, int) else f"{value:.9g}"  # 9 digits hold a float32


if __name__ == "__main__":
    path, n_events, *names = sys.argv[1:]
    write_hits(open_events(path).read()[: int(n_events)], names, sys.stdout)
