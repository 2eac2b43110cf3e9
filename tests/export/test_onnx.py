"""What a graph must leave free."""

import numpy as np
import pytest
import torch

from showercal.errors import ExportError
from showercal.export._onnx import to_onnx


class Baked(torch.nn.Module):
    def forward(self, *fields: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (torch.zeros(len(fields[0])) + 1,)


def test_a_number_of_events_that_became_a_constant_is_refused() -> None:
    values = {"energy": np.ones(7, dtype=np.float32)}
    with pytest.raises(ExportError, match=r"output 'energy_out' of this method always has 7 events; .* tensor.shape"):
        to_onnx(Baked(), values, {"energy": ("B",)}, ["energy_out"], {"showercal.version": "1"})
