"""Exported files for all tests of what is done with them."""

from __future__ import annotations

import pytest

from exported import METHODS, RANGE, Exported
from samples import method_of, toy_showers
from showercal.calibration import BiasCorrection
from showercal.export import export_method


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exported]:
    """A point estimator and two with a width, with their bias corrections."""
    events = toy_showers(300)
    made = {}
    for name, config in METHODS.items():
        method = method_of(config).fit(events[:200], events[200:])
        bias = BiasCorrection("line", n_bins=4).fit(events.energy_true, method.predict(events))
        path = tmp_path_factory.mktemp("models") / f"{name}.onnx"
        bright = events[events.energy_true > 2]
        export_method(method, path, bright, bias=bias, name=name, label=f"the {name}", energy_range=RANGE)
        made[name] = Exported(path, lambda events, method=method, bias=bias: bias.apply(method.predict(events)))
    return made
