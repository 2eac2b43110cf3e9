"""What all tests share: the samples at hand, a seed, a small block of events."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
from hypothesis import settings

from showercal import Events, detector

_ROOT = Path(__file__).parents[1]
# As on the command line: threads that spin while they wait starve each other when another process wants a core. Read
# when PyTorch is first used.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The same examples in every run, however slow the machine.
settings.register_profile("showercal", derandomize=True, deadline=None)
settings.load_profile("showercal")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the Geant4, CMS and ATLAS samples, which are not part of the project."""
    folder = Path(os.environ.get("SHOWERCAL_SHARED_DATA", _ROOT.parent / "shared" / "data"))
    if not (folder / "g4_toy_electrons.parquet").is_file():
        pytest.skip(f"no samples at {folder}: set SHOWERCAL_SHARED_DATA")
    return folder


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers of their own for each test, the same in every run."""
    return np.random.default_rng(list(request.node.name.encode()))


@pytest.fixture
def make_events(rng: np.random.Generator) -> Callable[[int], Events]:
    """Makes events of the sandwich with 0 to 9 cells each: energy_true, impact_x, cells (id, energy)."""

    def make(n_events: int) -> Events:
        counts = rng.integers(0, 10, n_events)
        n_cells = int(counts.sum())
        cells = {
            "id": ak.unflatten(rng.integers(0, 1088, n_cells, dtype=np.int32), counts),
            "energy": ak.unflatten(rng.exponential(0.01, n_cells).astype(np.float32), counts),
        }
        array = ak.zip(
            {
                "energy_true": rng.uniform(0, 10, n_events).astype(np.float32),
                "impact_x": rng.uniform(-75, 75, n_events),
                "cells": ak.zip(cells),
            },
            depth_limit=1,
        )
        units = {"energy_true": "GeV", "impact_x": "mm", "cells.id": "1", "cells.energy": "GeV"}
        return Events(array, units, detector("toy-sandwich").to_dict(), {"seed": 1})

    return make
