"""Events in scratch files: the same as in memory, on disk, and gone with the process."""

import mmap
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from showercal.errors import DataError
from showercal.events import Events, concatenate
from showercal.studies._scratch import ScratchEvents

UNITS = {"energy_true": "GeV", "image": "1", "sizes": "1", "cells.id": "1", "cells.energy": "GeV"}


def block(n_events: int, seed: int, *, id_type: Any = np.uint16, mean_cells: float = 5) -> Events:
    """Scalars, images, plain lists and lists of records; lists may be empty."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(mean_cells, n_events)
    cells = {"id": rng.integers(0, 900, counts.sum()).astype(id_type), "energy": rng.random(counts.sum(), np.float32)}
    fields = {
        "energy_true": rng.random(n_events),
        "image": rng.random((n_events, 3, 2)),
        "sizes": ak.unflatten(rng.random(counts.sum()), counts),
        "cells": ak.unflatten(ak.zip(cells), counts),
    }
    return Events(ak.Array(fields), UNITS, {"name": "box"}, {"seed": seed})


def kept(folder: Path, *blocks: Events) -> Events:
    with ScratchEvents(folder) as scratch:
        for one in blocks:
            scratch.append(one)
        return scratch.events()


def test_they_are_those_that_were_given(tmp_path: Path) -> None:
    """Also of parts of blocks, of blocks without a cell, and where a later block needs wider numbers."""
    wide = block(9, 4, id_type=np.int32)
    blocks = [block(20, 1)[3:17], block(5, 2, mean_cells=0), block(1, 3), wide[np.array([7, 2])]]
    events = kept(tmp_path, *blocks)
    expected = concatenate(blocks)
    assert events.array.to_list() == expected.array.to_list()
    assert str(events.array.type) == str(expected.array.type)
    assert events.array.cells.id.type.content.content.primitive == "int32"
    assert (events.units, events.geometry, events.provenance) == (UNITS, {"name": "box"}, {"seed": 1})
    chosen = np.array([1, 4, 15, 21])
    assert events[chosen].field("cells.energy").to_list() == expected[chosen].field("cells.energy").to_list()


def test_they_lie_on_disk_and_leave_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"
    events = kept(folder, block(50, 1), block(50, 2))
    for part in (events, events[np.arange(0, 100, 3)]):  # parts of them copy no cells
        values: Any = ak.to_layout(part.field("cells.energy"))
        while not isinstance(values, ak.contents.NumpyArray):
            values = values.content
        base = values.data
        while isinstance(base, np.ndarray) and base.base is not None:
            base = base.base
        assert isinstance(base, mmap.mmap)
    assert not list(tmp_path.iterdir()), "neither a folder nor a file with a name"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda array: ak.with_field(array, ak.Array([1.0, None, 2.0]), "image"), "field 'image' has missing values"),
        (lambda array: ak.with_field(array, array.energy_true, "image"), "events 3 to 6 are .* do not mix samples"),
        (lambda array: ak.with_field(array, np.zeros((3, 2, 2)), "image"), "events 3 to 6 are .* do not mix samples"),
    ],
)
def test_blocks_that_do_not_fit(tmp_path: Path, change: Callable[[ak.Array], ak.Array], message: str) -> None:
    events = block(3, 1)
    with pytest.raises(DataError, match=message):
        kept(tmp_path, events, replace(events, array=change(events.array)))


@pytest.mark.parametrize("room", [0, 10])
def test_a_full_disk_is_told(tmp_path: Path, room: int) -> None:
    """A limit of the process is a disk with so many bytes left for a file: the first write beyond it is a short one."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    message = r"do not fit on the disk of .*File too large.*make room.*data\.cells_above"
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(DataError, match=message):
            kept(tmp_path, block(3, 1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_no_events(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no events were read"):
        kept(tmp_path)
