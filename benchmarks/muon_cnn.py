"""Training and inference speed of the muon network, as a user runs it, one JSON line at the end.

    python benchmarks/muon_cnn.py [float32|bf16] [FILE]

By default on the Geant4 sample ../shared/data/g4_pwo_muons.parquet. Training is `NetworkRegressor.fit` with the
published loss, weighting and batches of 256 muons; Lightning's loop and the making of dense grids from lit cells are
included. Inference is `NetworkRegressor.predict` in float32, from features that are made anew each time.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from showercal.readers import open_mapped
from showercal.training import MethodConfig, NetworkRegressor, build_method

_SAMPLE = Path(__file__).parents[1] / ".." / "shared" / "data" / "g4_pwo_muons.parquet"
EPOCHS = 4
N_TRAIN = 1_024
REPETITIONS = 3


def options(precision: str) -> dict[str, Any]:
    return {
        "kind": "network",
        "network": {"name": "muon_cnn"},
        "features": {
            "grid": {"kind": "voxels", "values": ["cells.energy"], "unit": 1},
            "muon": {"kind": "muon_features"},
        },
        "loss": {"kind": "fractional_huber", "low": 50, "high": 8000},
        "weighting": {"centre": 5000, "width": 300, "width_above": 600},
        "training": {"epochs": EPOCHS, "batch_size": 256, "learning_rate": 0.005, "precision": precision},
    }


def main() -> None:
    precision = sys.argv[1] if len(sys.argv) > 1 else "bf16"
    path = Path(sys.argv[2]) if len(sys.argv) > 2 else _SAMPLE
    events = open_mapped(path, "g4_pwo_muons").read()
    method = build_method(TypeAdapter(MethodConfig).validate_python(options(precision)))
    assert isinstance(method, NetworkRegressor)
    method.progress = False
    method.fit(events[:N_TRAIN], events[N_TRAIN : N_TRAIN + 64])
    speeds = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        method.predict(events[:N_TRAIN])
        speeds.append(N_TRAIN / (time.perf_counter() - start))
    result = {
        "bench": "showercal_muon_cnn",
        "precision": precision,
        "batch": method.config.training.batch_size,
        "params": method.n_parameters,
        "train_events_per_s": round(method.train_events_per_s),
        "train_best": round(N_TRAIN / min(row["seconds"] for row in method.history_)),
        "predict_events_per_s": round(statistics.median(speeds)),
        "predict_best": round(max(speeds)),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
