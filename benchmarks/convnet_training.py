"""Training and inference speed of the ConvNet on real showers, as a user runs it, one JSON line at the end.

    python benchmarks/convnet_training.py [float32|bf16] [batch size]

Compare it with a Keras model of the same network (78,414 parameters) on the same machine by running the two in turn
(A B A B) and taking the ratio: absolute figures drift. Training is `NetworkRegressor.fit`, augmentation, Lightning's
loop and the making of batches included; inference is `NetworkRegressor.predict`.
"""

from __future__ import annotations

import json
import sys
import time

from pydantic import TypeAdapter

from showercal.events import Events
from showercal.studies import DataConfig, read_events
from showercal.training import MethodConfig, NetworkRegressor, build_method

EPOCHS = 6


def fit(events: Events, precision: str, batch_size: int) -> NetworkRegressor:
    config = {
        "kind": "network",
        "network": {"name": "convnet"},
        "features": {"grid": {"kind": "voxels", "values": ["cells.tracks"]}},
        "training": {
            "epochs": EPOCHS,
            "batch_size": batch_size,
            "precision": precision,
            "augmentation": {"input": "grid"},
        },
    }
    method = build_method(TypeAdapter(MethodConfig).validate_python(config))
    assert isinstance(method, NetworkRegressor)
    method.progress = False
    return method.fit(events[:8192], events[8192:8400])


def main() -> None:
    precision = sys.argv[1] if len(sys.argv) > 1 else "float32"
    batch_size = int(sys.argv[2]) if len(sys.argv) > 2 else 128
    events = read_events(DataConfig(sample="toy_sandwich_electrons"))
    method = fit(events, precision, batch_size)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        method.predict(events)
        seconds.append(time.perf_counter() - start)
    result = {
        "bench": "showercal_convnet",
        "precision": precision,
        "batch": batch_size,
        "params": method.n_parameters,
        "train_events_per_s": round(method.train_events_per_s),
        "train_best": round(8192 / min(row["seconds"] for row in method.history_)),
        "infer_events_per_s": round(len(events) / sorted(seconds)[1]),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
