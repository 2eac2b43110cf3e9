"""Training and inference speed of a network of the electron study, as a user runs it, one JSON line at the end.

    python benchmarks/electron_networks.py [convnet|deep_sets|fcn] [float32|bf16]

Compare it with a Keras model of the ConvNet (78,414 parameters) on the same machine by running the two in turn
(A B A B) and taking the ratio: absolute figures drift. Training is `NetworkRegressor.fit` with the options of the
recipe, augmentation, Lightning's loop and the making of batches included. Inference is `NetworkRegressor.predict`, and
the exported graph in ONNX Runtime, from the fields of events as they lie in memory, 1,000 events at a time.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import onnxruntime

from showercal.events import Events
from showercal.export import export_method
from showercal.export._fields import flat_fields
from showercal.studies import DataConfig, load_recipe, read_events
from showercal.training import NetworkMethodConfig, NetworkRegressor, build_method

EPOCHS = 6
N_TRAIN = 16_384
N_TOGETHER = 1_000
REPETITIONS = 5


def fit(name: str, precision: str, events: Events) -> NetworkRegressor:
    config = load_recipe("electrons").methods[name].method
    assert isinstance(config, NetworkMethodConfig)
    training = config.training.model_copy(update={"epochs": EPOCHS, "precision": precision})
    method = build_method(config.model_copy(update={"training": training}))
    assert isinstance(method, NetworkRegressor)
    method.progress = False
    return method.fit(events[:N_TRAIN], events[N_TRAIN : N_TRAIN + 200])


def exported(method: NetworkRegressor, events: Events) -> Callable[[], object]:
    """A pass of the exported graph over all events."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_method(method, path, events[:N_TOGETHER], energy_range=(0.0, 10.0))
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    first = range(0, len(events) - N_TOGETHER + 1, N_TOGETHER)
    batches = [flat_fields(events[at : at + N_TOGETHER], names) for at in first]
    return lambda: [session.run(None, batch) for batch in batches]


def events_per_s(run: Callable[[], object], n_events: int) -> list[float]:
    """Of several repetitions, after one that is not counted."""
    speeds = []
    for _ in range(REPETITIONS + 1):
        start = time.perf_counter()
        run()
        speeds.append(n_events / (time.perf_counter() - start))
    return speeds[1:]


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "convnet"
    precision = sys.argv[2] if len(sys.argv) > 2 else "float32"
    events = read_events(DataConfig(sample="toy_sandwich_electrons"))
    method = fit(name, precision, events)
    inference = {"predict": events_per_s(lambda: method.predict(events), len(events))}
    inference["onnx"] = events_per_s(exported(method, events), len(events))
    result = {
        "bench": f"showercal_{name}",
        "precision": precision,
        "batch": method.config.training.batch_size,
        "params": method.n_parameters,
        "train_events_per_s": round(method.train_events_per_s),
        "train_best": round(N_TRAIN / min(row["seconds"] for row in method.history_)),
    }
    for kind, speeds in inference.items():
        result |= {f"{kind}_events_per_s": round(statistics.median(speeds)), f"{kind}_best": round(max(speeds))}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
