"""A toy calorimeter whose posterior is known in closed form: every method with a width must come within 2 % of it.

Two layers measure the energy with normal errors, whose size changes from event to event and is known (the gain). For a
normal spectrum the posterior is normal, for a flat one it is a normal truncated at the ends, and in logarithms the same
holds for a log-normal. With relative errors a flat spectrum makes it a log-normal truncated at the ends. Methods that
leave the spectrum out (boundary likelihood, Gaussian Ansatz) must find the likelihood.
"""

from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
import pytest
from numpy.typing import NDArray

from samples import method_of
from showercal import Events
from showercal.prediction import (
    LogNormalPrediction,
    NormalPrediction,
    Prediction,
    TruncatedLogNormalPrediction,
    TruncatedNormalPrediction,
)
from showercal.training import NetworkRegressor

FloatArray = NDArray[np.float64]
N_TRAIN, N_VALIDATION, N_TEST = 40_000, 5_000, 20_000
LOW, HIGH = 2.0, 12.0
LAYER_NOISE = np.array([0.5, 0.8])


@dataclass(frozen=True)
class Toy:
    """Events of a spectrum, and the distribution that the best method predicts for them."""

    events: Events
    best: Prediction


def toy(spectrum: str, *, use_prior: bool, n_events: int, seed: int) -> Toy:
    rng = np.random.default_rng(seed)
    if spectrum in ("flat", "flat_relative"):
        energy = rng.uniform(LOW, HIGH, n_events)
    else:
        energy = rng.normal(6.0, 1.0, n_events) if spectrum == "normal" else np.exp(rng.normal(1.5, 0.3, n_events))
    gain = rng.uniform(0.5, 1.5, n_events)
    is_relative = spectrum in ("log_normal", "flat_relative")
    noise = LAYER_NOISE * gain[:, None] * (0.2 if spectrum == "log_normal" else 1.0)
    truth = np.log(energy) if is_relative else energy
    signal = truth[:, None] + noise * rng.standard_normal((n_events, 2))
    weight = 1 / noise**2
    total, centre = weight.sum(1), (weight * signal).sum(1)
    if use_prior and spectrum in ("normal", "log_normal"):
        mean, width = {"normal": (6.0, 1.0), "log_normal": (1.5, 0.3)}[spectrum]
        total, centre = total + width**-2, centre + mean * width**-2
    location, scale = centre / total, total**-0.5
    best: Prediction
    if spectrum == "log_normal":
        best = LogNormalPrediction(location, scale)
    elif spectrum == "flat_relative":
        # flat in E is exp(u) in u = log E, which moves a normal up by the square of its scale
        curve = np.ones((n_events, 1)), (location + scale**2)[:, None], scale[:, None]
        best = TruncatedLogNormalPrediction(*curve, np.full(n_events, LOW), np.full(n_events, HIGH))
    elif spectrum == "flat" and use_prior:
        best = TruncatedNormalPrediction(location, scale, np.full(n_events, LOW), np.full(n_events, HIGH))
    else:
        best = NormalPrediction(location, scale)
    fields = {"energy_true": energy, "front": signal[:, 0], "back": signal[:, 1], "gain": gain}
    return Toy(Events(ak.Array(fields), dict.fromkeys(fields, "1") | {"energy_true": "GeV"}), best)


def method(head: dict[str, Any], loss: dict[str, Any]) -> NetworkRegressor:
    config = {
        "kind": "network",
        "network": {"name": "fcn", "widths": [64, 64], "head": head},
        "features": {"signals": {"kind": "table", "values": ["front", "back", "gain"]}},
        "loss": loss,
        "training": {
            "epochs": 30,
            "batch_size": 500,
            "learning_rate": 5e-3,
            "schedule": {"kind": "one_cycle"},
            "precision": "float32",
        },
    }
    built = method_of(config)
    assert isinstance(built, NetworkRegressor)
    return built


ENDS = {"low": LOW, "high": HIGH}
#: spectrum, whether the spectrum is part of the answer, head, loss
CASES: dict[str, tuple[str, bool, dict[str, Any], dict[str, Any]]] = {
    "normal": ("normal", True, {"kind": "normal"}, {"kind": "nll"}),
    "normal_mixture": ("normal", True, {"kind": "normal_mixture", "n_components": 3}, {"kind": "nll"}),
    "quantiles": ("normal", True, {"kind": "quantiles"}, {"kind": "quantile"}),
    "log_normal": ("log_normal", True, {"kind": "log_normal"}, {"kind": "nll"}),
    "truncated_log_normal": ("flat_relative", True, {"kind": "truncated_log_normal", **ENDS}, {"kind": "nll"}),
    "truncated_normal": ("flat", True, {"kind": "truncated_normal", **ENDS}, {"kind": "nll"}),
    "boundary": ("flat", False, {"kind": "normal"}, {"kind": "boundary", **ENDS, "sigma": {"kind": "predicted"}}),
    "gaussian_ansatz": ("normal", False, {"kind": "gaussian_ansatz"}, {"kind": "mutual_information"}),
}


@pytest.fixture(scope="module", params=list(CASES))
def compared(request: pytest.FixtureRequest) -> tuple[str, Toy, Prediction]:
    spectrum, use_prior, head, loss = CASES[request.param]

    def make(n_events: int, seed: int) -> Toy:
        return toy(spectrum, use_prior=use_prior, n_events=n_events, seed=seed)

    fitted = method(head, loss).fit(make(N_TRAIN, 1).events, make(N_VALIDATION, 2).events)
    test = make(N_TEST, 3)
    return request.param, test, fitted.predict(test.events)


def test_width_is_that_of_bayes(compared: tuple[str, Toy, Prediction]) -> None:
    _, test, prediction = compared
    assert np.mean(prediction.sigma68) == pytest.approx(np.mean(test.best.sigma68), rel=0.02)
    # event by event, too: the gain was understood. 3 % rms leave room for the noise of a fit to 40,000 events
    ratio = prediction.sigma68 / test.best.sigma68
    assert np.sqrt(np.mean((ratio - 1) ** 2)) < 0.06


def test_error_is_that_of_bayes(compared: tuple[str, Toy, Prediction]) -> None:
    _, test, prediction = compared
    truth = test.events.energy_true

    def spread(p: Prediction) -> float:
        return float(np.std(p.median - truth))

    assert spread(prediction) == pytest.approx(spread(test.best), rel=0.02)


@pytest.mark.parametrize("level", [0.6827, 0.95])
def test_coverage_is_nominal(compared: tuple[str, Toy, Prediction], level: float) -> None:
    _, test, prediction = compared
    truth = test.events.energy_true

    def coverage(p: Prediction) -> float:
        low, high = p.interval(level)
        return float(np.mean((truth >= low) & (truth <= high)))

    assert coverage(prediction) == pytest.approx(level, abs=0.02)
    # the closed form itself, so that the yardstick is known to be straight: 3 binomial errors
    assert coverage(test.best) == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / N_TEST))


def test_likelihood_is_near_the_best(compared: tuple[str, Toy, Prediction]) -> None:
    """No distribution has a larger mean log density than the right one, and the fitted one is within 0.01 of it."""
    name, test, prediction = compared
    loss = np.mean(test.best.log_prob(test.events.energy_true) - prediction.log_prob(test.events.energy_true))
    assert loss < (0.03 if name == "quantiles" else 0.01)  # quantiles are a staircase
