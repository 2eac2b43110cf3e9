"""Training and inference speed of networks of the muon study, in turn in one process, one JSON line for each.

    python benchmarks/muon_networks.py [--precision bf16] [--file FILE] [METHOD ...]

By default the published CNN and the depth network on the Geant4 sample ../shared/data/g4_pwo_muons.parquet, each twice.
Training is `NetworkRegressor.fit` as the recipe `muons` says, in batches of 256 muons, with Lightning's loop and the
making of grids from lit cells. Inference is `NetworkRegressor.predict`, features made anew each time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from showercal.events import Events
from showercal.readers import open_mapped
from showercal.studies import load_recipe
from showercal.training import CosineSchedule, NetworkMethodConfig, NetworkRegressor

_SAMPLE = Path(__file__).parents[1] / ".." / "shared" / "data" / "g4_pwo_muons.parquet"
N_TRAIN = 1_024
ROUNDS = 2
REPETITIONS = 3
# A quick network needs more passes for a time that can be measured.
EPOCHS = {"muon_cnn": 3, "depth_net": 12}


def measure(name: str, method: NetworkMethodConfig, precision: str, events: Events) -> dict[str, Any]:
    """Muons per second of one method: medians of epochs and of repetitions, and the best of each."""
    changes = {"epochs": EPOCHS[method.network.name], "precision": precision, "patience": None}
    training = method.training.model_copy(update={**changes, "schedule": CosineSchedule()})
    regressor = NetworkRegressor(method.model_copy(update={"training": training}))
    regressor.progress = False
    regressor.fit(events[:N_TRAIN], events[N_TRAIN : N_TRAIN + 64])
    speeds = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        regressor.predict(events[:N_TRAIN])
        speeds.append(N_TRAIN / (time.perf_counter() - start))
    return {
        "method": name,
        "precision": precision,
        "batch": training.batch_size,
        "params": regressor.n_parameters,
        "train_events_per_s": round(regressor.train_events_per_s),
        "train_best": round(N_TRAIN / min(row["seconds"] for row in regressor.history_)),
        "predict_events_per_s": round(statistics.median(speeds)),
        "predict_best": round(max(speeds)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", default=["cnn", "depth"])
    parser.add_argument("--precision", default="bf16", choices=("float32", "bf16"))
    parser.add_argument("--file", type=Path, default=_SAMPLE)
    arguments = parser.parse_args()
    events = open_mapped(arguments.file, "g4_pwo_muons").read()
    recipe = load_recipe("muons")
    for _ in range(ROUNDS):
        for name in arguments.methods:
            method = recipe.methods[name].method
            assert isinstance(method, NetworkMethodConfig)
            print(json.dumps(measure(name, method, arguments.precision, events)), flush=True)


if __name__ == "__main__":
    main()
