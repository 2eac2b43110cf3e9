"""A toy calorimeter sample that is quick to make, and methods to try on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from showercal import Estimator, Events, detector
from showercal.training import Ensemble, MethodConfig, NetworkRegressor, build_method

_DEPTH = np.array([2.0, 20.0, 35.0, 24.0, 11.0, 5.0, 2.0, 1.0])


def toy_showers(n_events: int, seed: int = 1) -> Events:
    """Poisson counts of about 20 tracks per GeV in 8 layers of 2 x 2 central tiles, for electrons of 0.2 to 10 GeV."""
    rng = np.random.default_rng(seed)
    energy = rng.uniform(0.2, 10, n_events).astype(np.float32)
    cell = (np.arange(8)[:, None] * 64 + np.array([27, 28, 35, 36])).ravel()
    share = np.repeat(_DEPTH / _DEPTH.sum(), 4) / 4
    tracks = rng.poisson(20.0 * energy[:, None] * share)
    lit = tracks > 0
    counts = lit.sum(1)
    cells = {
        "id": ak.unflatten(np.broadcast_to(cell, tracks.shape)[lit].astype(np.int32), counts),
        "energy": ak.unflatten((tracks[lit] * 5e-4).astype(np.float32), counts),
        "tracks": ak.unflatten(tracks[lit].astype(np.int32), counts),
    }
    array = ak.zip({"energy_true": energy, "cells": ak.zip(cells)}, depth_limit=1)
    units = {"energy_true": "GeV", "cells.id": "1", "cells.energy": "GeV", "cells.tracks": "1"}
    return Events(array, units, detector("toy-sandwich").to_dict(), {"generator": "toy_showers", "seed": seed})


def darkened(events: Events, which: NDArray[np.intp]) -> Events:
    """The events, of which some lose all their cells."""
    keep = np.isin(np.arange(len(events)), which, invert=True)
    cells = events.array.cells
    return replace(events, array=ak.with_field(events.array, cells[keep & (cells.id >= 0)], "cells"))


def method_of(config: Mapping[str, Any]) -> Estimator:
    """The unfitted method of options as they stand in a recipe, without a progress bar."""
    method = build_method(TypeAdapter(MethodConfig).validate_python(config))
    if isinstance(method, NetworkRegressor | Ensemble):
        method.progress = False
    return method
