"""A training that is killed goes on to the same result as one that is not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from samples import method_of, toy_showers
from showercal.training import NetworkRegressor

HERE = Path(__file__).parents[1]
FIT = """
import json, sys
sys.path.insert(0, {tests!r})
from test_resume import fit
fit(json.loads(sys.argv[1]), sys.argv[2], adversary={adversary})
"""
TRAINING = {"batch_size": 50, "augmentation": {"input": "grid"}, "learning_rate": 3e-3, "gradient_clip": 5.0}
SCHEDULES = {
    "one_cycle": {"schedule": {"kind": "one_cycle"}, "epochs": 12},
    "plateau": {"schedule": {"kind": "plateau", "patience": 0}, "epochs": 12, "optimizer": "rmsprop"},
    "adversary": {"schedule": {"kind": "one_cycle"}, "epochs": 12},
    "cosine-stopped": {"schedule": {"kind": "cosine"}, "epochs": 12, "patience": 2, "learning_rate": 3e-2},
    "averaged": {"schedule": {"kind": "cosine"}, "epochs": 12, "averaging": 0.9},
}


def fit(training: dict[str, object], workspace: str | None, *, adversary: bool = False) -> NetworkRegressor:
    config = {
        "kind": "network",
        "network": {"name": "fcn", "widths": [32, 16], "head": {"kind": "normal"}},
        "features": {"grid": {"kind": "voxels", "values": ["cells.tracks"]}},
        "loss": {"kind": "nll"},
        "training": {**TRAINING, **training},
    }
    if adversary:
        config["decorrelation"] = {"kind": "adversary"}
    method = method_of(config)
    assert isinstance(method, NetworkRegressor)
    events = toy_showers(400)
    return method.fit(events[:300], events[300:], None if workspace is None else Path(workspace))


def run_until_killed(training: str, workspace: Path, n_epochs: int, *, adversary: bool = False) -> None:
    """Start the fit in another process and kill it after some epochs."""
    code = FIT.format(tests=str(HERE / "training"), adversary=adversary)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen([sys.executable, "-c", code, training, str(workspace)], env=environment)
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            if epochs_done(workspace) >= n_epochs:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()
    assert epochs_done(workspace) >= n_epochs, "the fit ended before it could be killed"


def epochs_done(workspace: Path) -> int:
    files = list(workspace.glob("training-*.ckpt"))
    return torch.load(files[0], weights_only=True)["epoch"] + 1 if files else 0


@pytest.mark.parametrize("name", SCHEDULES)
def test_resumed_equals_uninterrupted(name: str, tmp_path: Path) -> None:
    import json

    adversary = name == "adversary"
    reference = fit(SCHEDULES[name], None, adversary=adversary)
    run_until_killed(json.dumps({**SCHEDULES[name], "epochs": 12}), tmp_path, 2, adversary=adversary)
    resumed = fit(SCHEDULES[name], str(tmp_path), adversary=adversary)
    events = toy_showers(100, seed=2)
    for part, values in reference.predict(events).arrays().items():
        np.testing.assert_array_equal(resumed.predict(events).arrays()[part], values)
    without_clock = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in m.history_] for m in (reference, resumed)
    ]
    assert without_clock[0] == without_clock[1]
    assert not list(tmp_path.glob("*.ckpt")), "a finished fit leaves no checkpoint"


def test_checkpoint_of_other_options_is_not_taken_up(tmp_path: Path) -> None:
    import json

    run_until_killed(json.dumps(SCHEDULES["one_cycle"]), tmp_path, 1)
    other = {**SCHEDULES["one_cycle"], "seed": 7}
    events = toy_showers(50, seed=2)
    expected = fit(other, None).predict(events).median
    np.testing.assert_array_equal(fit(other, str(tmp_path)).predict(events).median, expected)
