"""Weights of events: the published function, and no other part of a spectrum counts."""

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from showercal.losses import WeightingConfig, build_weighting


def weights(energy: torch.Tensor, **options: float) -> torch.Tensor:
    return build_weighting(TypeAdapter(WeightingConfig).validate_python(options))(energy)


@pytest.mark.parametrize(
    ("options", "width_above"),
    [({"centre": 5000, "width": 300, "width_above": 600}, 600), ({"centre": 3000, "width": 150}, 150)],
)
def test_is_the_published_function(options: dict[str, float], width_above: float) -> None:
    energy = np.linspace(50, 8000, 160)
    width = np.where(energy > options["centre"], width_above, options["width"])
    expected = 1 - 1 / (1 + np.exp(-(energy - options["centre"]) / width))
    np.testing.assert_allclose(weights(torch.from_numpy(energy), **options), expected, rtol=1e-9, atol=1e-15)


def test_falls_from_one_to_zero_without_a_step() -> None:
    energy = torch.linspace(0, 8000, 4001, dtype=torch.float64)
    weight = weights(energy, centre=5000, width=300, width_above=600)
    steps = weight.diff()
    assert (steps < 0).all()
    assert float(steps.abs().max()) < 0.002
    assert float(weight[0]) == pytest.approx(1, abs=1e-6)
    assert float(weight[-1]) < 0.01


def test_widths_must_be_above_zero() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        WeightingConfig(centre=3.0, width=0.0)
