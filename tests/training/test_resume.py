"""A training that is killed goes on to the same result as one that is not."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from samples import method_of, toy_showers
from showercal.training import NetworkRegressor

HERE = Path(__file__).parents[1]
FIT = """
import json, os, signal, sys
sys.path.insert(0, {tests!r})
from test_resume import fit
from showercal.training._module import EnergyRegression

step = EnergyRegression.training_step

def killed(self, batch, batch_idx):
    if (self.current_epoch, batch_idx) == ({n_epochs}, 2):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, batch_idx)

EnergyRegression.training_step = killed
fit(json.loads(sys.argv[1]), sys.argv[2])
"""
CONFIG: dict[str, Any] = {
    "kind": "network",
    "network": {"name": "fcn", "widths": [32, 16], "head": {"kind": "normal"}},
    "features": {"grid": {"kind": "voxels", "values": ["cells.tracks"]}},
    "loss": {"kind": "nll"},
}
TRAINING = {
    "epochs": 12,
    "batch_size": 50,
    "augmentation": {"input": "grid"},
    "learning_rate": 3e-3,
    "gradient_clip": 5.0,
}
CASES: dict[str, dict[str, Any]] = {
    "one_cycle": {"training": {"schedule": {"kind": "one_cycle"}}},
    "plateau": {"training": {"schedule": {"kind": "plateau", "patience": 0}, "optimizer": "rmsprop"}},
    "one_cycle_step": {
        "training": {
            "schedule": {"kind": "one_cycle_step", "warm_up_epochs": 1, "fall_epochs": 4, "patience": 1},
            "gradient_clip": None,
        },
        "loss": {"kind": "fractional_huber", "low": 0, "high": 8, "n_bins": 3},
    },
    "adversary": {"training": {"schedule": {"kind": "one_cycle"}}, "decorrelation": {"kind": "adversary"}},
    "cosine-stopped": {"training": {"schedule": {"kind": "cosine"}, "patience": 2, "learning_rate": 3e-2}},
    "averaged": {"training": {"schedule": {"kind": "cosine"}, "averaging": 0.9}},
    "thresholds": {"loss": {"kind": "fractional_huber", "low": 0, "high": 8, "n_bins": 3}},
}


def fit(changes: dict[str, Any], workspace: str | None) -> NetworkRegressor:
    method = method_of({**CONFIG, **changes, "training": {**TRAINING, **changes.get("training", {})}})
    assert isinstance(method, NetworkRegressor)
    events = toy_showers(400)
    return method.fit(events[:300], events[300:], None if workspace is None else Path(workspace))


def run_until_killed(changes: dict[str, Any], workspace: Path, n_epochs: int) -> None:
    """Start the fit in another process, which is killed in the middle of the epoch after some."""
    code = FIT.format(tests=str(HERE / "training"), n_epochs=n_epochs)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", code, json.dumps(changes), str(workspace)]
    done = subprocess.run(command, env=environment, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    (checkpoint,) = workspace.glob("training-*.ckpt")
    assert torch.load(checkpoint, weights_only=True)["epoch"] + 1 == n_epochs


# in the cycle, at its end, where the training goes back to its best epoch, and after it
@pytest.mark.parametrize(
    ("name", "n_epochs"), [*((name, 2) for name in CASES), *(("one_cycle_step", n) for n in (5, 9))]
)
def test_resumed_equals_uninterrupted(name: str, n_epochs: int, tmp_path: Path) -> None:
    reference = fit(CASES[name], None)
    run_until_killed(CASES[name], tmp_path, n_epochs)
    resumed = fit(CASES[name], str(tmp_path))
    events = toy_showers(100, seed=2)
    for part, values in reference.predict(events).arrays().items():
        np.testing.assert_array_equal(resumed.predict(events).arrays()[part], values)
    without_clock = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in m.history_] for m in (reference, resumed)
    ]
    assert without_clock[0] == without_clock[1]
    assert not list(tmp_path.glob("*.ckpt")), "a finished fit leaves no checkpoint"


def test_checkpoint_of_other_options_is_not_taken_up(tmp_path: Path) -> None:
    run_until_killed(CASES["one_cycle"], tmp_path, 1)
    other = {"training": {**CASES["one_cycle"]["training"], "seed": 7}}
    events = toy_showers(50, seed=2)
    expected = fit(other, None).predict(events).median
    np.testing.assert_array_equal(fit(other, str(tmp_path)).predict(events).median, expected)
