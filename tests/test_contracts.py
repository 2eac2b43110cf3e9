"""The contract of every registered method: fit, predict, save, load, export, refuse."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from samples import darkened, method_of, toy_showers
from showercal import Estimator, Events, detector
from showercal.calibration import BiasCorrection, WidthRecalibration
from showercal.errors import DataError, ModelFileError, NotFittedError, NoWidthError
from showercal.export import check_parity, export_method, flat_fields
from showercal.prediction import Prediction
from showercal.training import METHODS, NetworkRegressor, load_method

TRACKS = ("cells.tracks",)
GRID = {"grid": {"kind": "voxels", "values": TRACKS}}
SUMS = {"sums": {"kind": "layer_sums", "values": TRACKS}}
QUICK = {"epochs": 2, "batch_size": 50, "augmentation": {"input": "grid"}}

ENDS = (0.2, 10.0)  # of the energies of the toy

# every registered kind must be here; networks with every architecture and head
CONFIGS: dict[str, dict[str, Any]] = {
    "straight_line": {"kind": "straight_line"},
    "layer_line": {"kind": "layer_line"},
    "trees": {"kind": "trees", "features": SUMS, "min_events_per_leaf": 5},
    "fcn": {"kind": "network", "network": {"name": "fcn"}, "features": GRID, "training": QUICK},
    "convnet": {"kind": "network", "network": {"name": "convnet"}, "features": GRID, "training": QUICK},
    "fcn-normal": {
        "kind": "network",
        "network": {"name": "fcn", "widths": [32], "head": {"kind": "normal"}},
        "features": {**GRID, **SUMS},
        "loss": {"kind": "nll"},
        "training": QUICK,
    },
    "convnet-normal": {
        "kind": "network",
        "network": {"name": "convnet", "head": {"kind": "normal"}},
        "features": {**GRID, **SUMS},
        "loss": {"kind": "nll"},
        "training": QUICK,
    },
    "deep_sets": {
        "kind": "network",
        "network": {"name": "deep_sets", "hits": "hits"},
        "features": {"hits": {"kind": "points", "values": TRACKS}},
        "training": {"epochs": 8, "batch_size": 25, "learning_rate": 0.01},
    },
    "deep_sets-normal": {
        "kind": "network",
        "network": {"name": "deep_sets", "hits": "hits", "start": "start", "head": {"kind": "normal"}},
        "features": {
            "hits": {"kind": "neighbourhoods", "values": (*TRACKS, "cells.energy")},
            "start": {"kind": "linear_energy", "values": TRACKS},
            **SUMS,
        },
        "loss": {"kind": "boundary", "low": 0, "high": 10, "train_width": True},
        "training": {"epochs": 2, "batch_size": 50, "averaging": 0.9},
    },
    "depth_net-normal": {
        "kind": "network",
        "network": {
            "name": "depth_net",
            "profile": "profile",
            "channels": 8,
            "n_blocks": 1,
            "head": {"kind": "normal"},
        },
        "features": {"profile": {"kind": "track_profiles", "impact": None}, **SUMS},
        "loss": {"kind": "nll"},
        "training": {"epochs": 2, "batch_size": 50},
    },
    "muon_cnn": {
        "kind": "network",
        "network": {"name": "muon_cnn", "n_blocks": 1},
        "features": {"grid": {"kind": "voxels", "values": TRACKS, "unit": 10}, **SUMS},
        "loss": {"kind": "fractional_huber", "low": 0, "high": 10},
        "weighting": {"centre": 8, "width": 1},
        "training": {
            "epochs": 6,
            "batch_size": 25,
            "learning_rate": 0.005,
            "schedule": {"kind": "one_cycle_step", "warm_up_epochs": 1, "fall_epochs": 3},
        },
    },
    **{
        f"fcn-{head['kind']}": {
            "kind": "network",
            "network": {"name": "fcn", "widths": [32], "head": head},
            "features": SUMS,
            "loss": {"kind": loss},
            "training": {"epochs": 15, "batch_size": 20, "learning_rate": 0.01},
        }
        for head, loss in (
            ({"kind": "truncated_normal", "low": 0, "high": 10.5}, "nll"),
            ({"kind": "log_normal"}, "nll"),
            ({"kind": "truncated_log_normal", "low": 0.2, "high": 10.5}, "nll"),
            ({"kind": "normal_mixture"}, "nll"),
            ({"kind": "quantiles"}, "quantile"),
            ({"kind": "gaussian_ansatz"}, "mutual_information"),
        )
    },
    "fcn-truncated_log_normal-mixture": {
        "kind": "network",
        "network": {
            "name": "fcn",
            "widths": [32],
            "head": {"kind": "truncated_log_normal", "low": 0.2, "high": 10.5, "n_components": 3},
        },
        "features": SUMS,
        "loss": {"kind": "nll"},
        "training": {"epochs": 15, "batch_size": 20, "learning_rate": 0.01},
    },
}
CONFIGS |= {
    f"ensemble-{name}": {"kind": "ensemble", "of": CONFIGS[name], "n_models": 2, **options}
    for name, options in {
        "layer_line": {},
        "trees": {"n_folds": 4},
        "fcn": {"weights": "loss"},
        "fcn-normal": {},
        "fcn-normal_mixture": {"seed": 3},
        "fcn-gaussian_ansatz": {},
    }.items()
}
# Bias correction and recalibration of the width with which a method is exported: another pair for each one in turn.
CALIBRATIONS = (("line", "scale"), ("power", "isotonic"), ("spline", "conformal"), ("power_offset", "scale"))


def build(name: str) -> Estimator:
    return method_of(CONFIGS[name])


@pytest.fixture(scope="module")
def events() -> Events:
    return toy_showers(300)


@pytest.fixture(scope="module", params=list(CONFIGS))
def fitted(request: pytest.FixtureRequest, events: Events) -> Iterator[Estimator]:
    yield build(request.param).fit(events[:200], events[200:])


def test_every_registered_method_is_tested() -> None:
    assert {config["kind"] for config in CONFIGS.values()} == set(METHODS)


def test_fit_returns_self(events: Events) -> None:
    method = build("straight_line")
    assert method.fit(events[:200], events[200:]) is method


def test_predicts_energies_of_any_number_of_events(fitted: Estimator, events: Events) -> None:
    whole = fitted.predict(events).median
    assert whole.shape == (300,)
    assert whole.dtype == np.float64
    assert np.isfinite(whole).all()
    # something was learnt: a constant, or half the events dropped, would not follow the truth
    assert np.corrcoef(whole, events.energy_true)[0, 1] > 0.5
    for chosen in (np.array([7]), np.array([299, 0, 7]), np.arange(130)):
        # float32 sums come in another order for another batch
        np.testing.assert_allclose(fitted.predict(events[chosen]).median, whole[chosen], rtol=2e-4, atol=2e-4)


def test_save_and_load_give_the_same_numbers(fitted: Estimator, events: Events, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    again = load_method(tmp_path / "model")
    assert type(again) is type(fitted)
    assert again.n_parameters == fitted.n_parameters
    assert not list((tmp_path / "model").glob("*.pkl")) + list((tmp_path / "model").glob("*.ckpt"))
    before, after = fitted.predict(events), again.predict(events)
    for name, values in before.arrays().items():
        np.testing.assert_array_equal(after.arrays()[name], values)


def test_says_whether_it_has_a_width(fitted: Estimator, events: Events) -> None:
    prediction = fitted.predict(events)
    if prediction.has_width:
        assert (prediction.std > 0).all()
    else:
        with pytest.raises(NoWidthError, match="one energy per event"):
            _ = prediction.std


@pytest.mark.parametrize("is_calibrated", [False, True])
def test_exported_it_gives_the_same_numbers(
    fitted: Estimator, events: Events, tmp_path: Path, request: pytest.FixtureRequest, is_calibrated: bool
) -> None:
    """To 1e-5, in batches of other sizes than it was traced with, and for events without any lit cell."""
    import onnxruntime

    name = request.node.callspec.params["fitted"]
    bias, width = calibration(name, fitted, events) if is_calibrated else (None, None)
    path = tmp_path / "model.onnx"
    done = export_method(fitted, path, events, bias=bias, recalibration=width, name=name, energy_range=ENDS)
    assert done.parity.worst <= 1e-5
    session = onnxruntime.InferenceSession(path)
    dark = darkened(events, np.arange(0, 300, 2))
    for some in (events[:1], events[:3], events[100:230], dark[1:130], dark[:1], dark[np.array([0, 2, 8])]):
        expected = fitted.predict(some)
        if bias is not None:
            expected = bias.apply(expected)
        if width is not None:
            expected = width.apply(expected)
        fields = flat_fields(some, [one.name for one in session.get_inputs()])
        outputs = dict(zip([one.name for one in session.get_outputs()], session.run(None, fields), strict=True))
        check_parity(outputs_of(expected), {k: v.astype(np.float64) for k, v in outputs.items()}, ENDS[1])
        assert outputs.keys() == outputs_of(expected).keys()


def calibration(name: str, fitted: Estimator, events: Events) -> tuple[BiasCorrection, WidthRecalibration | None]:
    """Both, fitted to these events."""
    form, of_width = CALIBRATIONS[list(CONFIGS).index(name) % len(CALIBRATIONS)]
    prediction = fitted.predict(events)
    bias = BiasCorrection(form, n_bins=4).fit(events.energy_true, prediction)  # type: ignore[arg-type]
    corrected = bias.apply(prediction)
    if not corrected.has_width:
        return bias, None
    return bias, WidthRecalibration(of_width).fit(events.energy_true, corrected)  # type: ignore[arg-type]


def outputs_of(prediction: Prediction) -> dict[str, Any]:
    """What an exported file is to say."""
    width = {"width": prediction.sigma68} if prediction.has_width else {}
    return {"energy": prediction.median, **width}


def test_every_form_of_calibration_is_exported() -> None:
    networks = [config.get("of", config).get("network", {}) for config in CONFIGS.values()]
    with_width = [place for place, network in enumerate(networks) if network.get("head") is not None]
    assert {place % len(CALIBRATIONS) for place in with_width} == set(range(len(CALIBRATIONS)))


def test_refuses_another_detector(fitted: Estimator, events: Events) -> None:
    other = replace(detector("toy-sandwich"), cell_x=70.0, name="narrow").to_dict()
    with pytest.raises(DataError, match="trained on 'toy-sandwich'"):
        fitted.predict(replace(events, geometry=other))


@pytest.mark.parametrize("name", CONFIGS)
def test_refuses_to_predict_or_save_before_fit(name: str, events: Events, tmp_path: Path) -> None:
    with pytest.raises(NotFittedError, match="call fit"):
        build(name).predict(events)
    with pytest.raises(NotFittedError, match="call fit"):
        build(name).save(tmp_path)
    with pytest.raises(NotFittedError, match="call fit"):
        build(name).graph()


@pytest.mark.parametrize("name", CONFIGS)
def test_same_seed_same_result(name: str, events: Events) -> None:
    first, second = (build(name).fit(events[:200], events[200:]).predict(events) for _ in range(2))
    np.testing.assert_array_equal(first.median, second.median)


@pytest.mark.parametrize("name", [name for name, config in CONFIGS.items() if config["kind"] == "network"])
def test_gradients_reach_all_parameters(name: str, events: Events) -> None:
    method = build(name).fit(events[:200], events[200:])
    assert isinstance(method, NetworkRegressor)
    network = method.network_.train()
    columns = method.extractor_.transform(events)
    distribution = network(method.extractor_.batch(columns, torch.arange(300)))
    loss = distribution.mean.square().mean()
    if hasattr(distribution, "scale"):
        loss = loss + distribution.scale.square().mean()
    loss.backward()
    for label, parameter in network.named_parameters():
        assert parameter.grad is not None, label
        assert (parameter.grad != 0).any(), label


def test_damaged_models_are_refused(events: Events, tmp_path: Path) -> None:
    build("fcn").fit(events[:200], events[200:]).save(tmp_path)
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelFileError, match="missing or damaged"):
        load_method(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(ModelFileError, match="damaged"):
        load_method(tmp_path)
    with pytest.raises(ModelFileError, match="no fitted method"):
        load_method(tmp_path / "nowhere")
