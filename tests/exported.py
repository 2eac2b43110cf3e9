"""What the tests of exported files share: which methods, and their training range."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import onnx

from showercal import Events, Prediction
from showercal.export._seal import sealed

RANGE: Final = (1.0, 9.0)
METHODS: Final[dict[str, dict[str, Any]]] = {
    "line": {"kind": "straight_line"},
    "dense": {
        "kind": "network",
        "network": {"name": "fcn", "widths": [16], "head": {"kind": "normal"}},
        "features": {"sums": {"kind": "layer_sums", "values": ["cells.tracks"]}},
        "loss": {"kind": "nll"},
        "training": {"epochs": 30, "batch_size": 20},
    },
    "deep_sets": {
        "kind": "network",
        "network": {"name": "deep_sets", "hits": "hits", "start": "start", "head": {"kind": "normal"}},
        "features": {
            "hits": {"kind": "neighbourhoods", "values": ["cells.tracks", "cells.energy"]},
            "start": {"kind": "linear_energy", "values": ["cells.tracks"]},
        },
        "loss": {"kind": "nll"},
        "training": {"epochs": 2, "batch_size": 50},
    },
}


class Exported(NamedTuple):
    """A file, and what it must give."""

    path: Path
    predict: Callable[[Events], Prediction]


def change_metadata(path: Path, place: Path, **changes: str | None) -> Path:
    """A copy with other metadata and a right checksum; None takes an entry out."""
    model = onnx.load(path)
    texts: dict[str, str | None] = {one.key.removeprefix("showercal."): one.value for one in model.metadata_props}
    del texts["sha256"]
    kept = {f"showercal.{key}": text for key, text in (texts | changes).items() if text is not None}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, kept)
    place.write_bytes(sealed(model.SerializeToString()))
    return place
