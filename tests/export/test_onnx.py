"""What a graph must leave free, and that its bytes are always the same."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from exported import METHODS, RANGE
from samples import method_of, toy_showers
from showercal import open_events
from showercal.errors import ExportError
from showercal.export import export_method
from showercal.export._onnx import to_onnx
from showercal.training import load_method


class Baked(torch.nn.Module):
    def forward(self, *fields: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (torch.zeros(len(fields[0])) + 1,)


def test_a_number_of_events_that_became_a_constant_is_refused() -> None:
    values = {"energy": np.ones(7, dtype=np.float32)}
    with pytest.raises(ExportError, match=r"output 'energy_out' of this method always has 7 events; .* tensor.shape"):
        to_onnx(Baked(), values, {"energy": ("B",)}, ["energy_out"], {"showercal.version": "1"})


AGAIN = f"""
import sys
from pathlib import Path
from showercal import open_events
from showercal.export import export_method
from showercal.training import load_method

method, events, out = map(Path, sys.argv[1:])
export_method(load_method(method), out, open_events(events).read(), energy_range={RANGE})
"""


def test_the_same_method_gives_the_same_bytes(tmp_path: Path) -> None:
    """Also in another process, in which sets come in another order."""
    method, events = tmp_path / "method", tmp_path / "events"
    toys = toy_showers(100)
    toys.save(events)
    method_of(METHODS["dense"]).fit(toys, toys).save(method)
    export_method(load_method(method), tmp_path / "here.onnx", open_events(events).read(), energy_range=RANGE)
    command = [sys.executable, "-c", AGAIN, method, events, tmp_path / "there.onnx"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    assert (tmp_path / "here.onnx").read_bytes() == (tmp_path / "there.onnx").read_bytes()
