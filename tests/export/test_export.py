"""Exported graphs give Python's numbers, for any number of events, and are not written when they cannot."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from samples import toy_showers
from showercal.calibration import BiasCorrection, WidthRecalibration
from showercal.errors import ExportError
from showercal.export import export_method
from showercal.export._fields import flat_fields
from showercal.export._parity import check_parity
from showercal.training import MethodConfig, NetworkRegressor, build_method

GRID = {"grid": {"kind": "voxels", "values": ["cells.tracks"]}}
SUMS = {"sums": {"kind": "layer_sums", "values": ["cells.tracks"]}}
QUICK = {"epochs": 2, "batch_size": 50}
CONFIGS: dict[str, dict[str, Any]] = {
    "straight_line": {"kind": "straight_line"},
    "trees": {"kind": "trees", "features": SUMS, "min_events_per_leaf": 5},
    "convnet": {"kind": "network", "network": {"name": "convnet"}, "features": GRID, "training": QUICK},
    "fcn-normal": {
        "kind": "network",
        "network": {"name": "fcn", "widths": [32], "head": {"kind": "normal"}},
        "features": {**GRID, **SUMS},
        "loss": {"kind": "nll"},
        "training": QUICK,
    },
}


@pytest.mark.parametrize("name", CONFIGS)
def test_gives_the_same_numbers(name: str, tmp_path: Path) -> None:
    """To 1e-5, for other numbers of events than it was traced with, and for events without cells."""
    import onnxruntime

    events = toy_showers(300)
    method = build_method(TypeAdapter(MethodConfig).validate_python(CONFIGS[name]))
    if isinstance(method, NetworkRegressor):
        method.progress = False
    method.fit(events[:200], events[200:])
    truth = events.energy_true
    bias = BiasCorrection("spline", n_bins=4).fit(truth, method.predict(events))
    expected = bias.apply(method.predict(events))
    width = WidthRecalibration("scale").fit(truth, expected) if expected.has_width else None
    if width is not None:
        expected = width.apply(expected)
    path = tmp_path / "model.onnx"
    assert export_method(method, path, events, bias=bias, recalibration=width, energy_range=(0.2, 10.0)) <= 1e-5
    session = onnxruntime.InferenceSession(path)
    assert session.get_modelmeta().custom_metadata_map["showercal.energy_range"] == "[0.2, 10.0]"
    names = [one.name for one in session.get_inputs()]
    for chosen in (np.array([7]), np.array([299, 0, 7, 7]), np.arange(130)):
        outputs = session.run(None, flat_fields(events[chosen], names))
        np.testing.assert_allclose(outputs[0], expected.median[chosen], rtol=1e-5, atol=1e-5)
        assert len(outputs) == 1 + expected.has_width
        if expected.has_width:
            np.testing.assert_allclose(outputs[1], expected.sigma68[chosen], rtol=1e-5, atol=1e-5)
    dark = {field: values[:0] for field, values in flat_fields(events, names).items()}
    energy = session.run(["energy"], dark | {"offsets": np.zeros(3, dtype=np.int64)})[0]
    assert energy.shape == (2,)
    assert energy[0] == energy[1]


def test_other_numbers_are_refused() -> None:
    right = np.array([1.0, 5.0])
    assert check_parity("energy", right, right * (1 + 5e-6), 0.01) == pytest.approx(5e-6)
    with pytest.raises(ExportError, match=r"at event 1 it is 5\.001 GeV instead of 5 GeV"):
        check_parity("energy", right, np.array([1.0, 5.001]), 0.01)
    with pytest.raises(ExportError, match="not finite"):
        check_parity("energy", right, np.array([1.0, np.nan]), 0.01)
