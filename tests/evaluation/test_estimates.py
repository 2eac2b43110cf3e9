"""Errors of means, widths, medians and truncated means against their spread over many samples."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from showercal.evaluation import ESTIMATES, Compared, Estimate, shower_maximum, stratified_mean

DRAWS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, n: rng.normal(5, 1, n),
    "exponential": lambda rng, n: rng.exponential(2.0, n),  # skewed: mean and width rise together
    "log-normal": lambda rng, n: rng.lognormal(0, 0.5, n),
}


@pytest.mark.parametrize("name", ESTIMATES)
@pytest.mark.parametrize("shape", DRAWS)
def test_error_is_the_spread_over_samples(name: str, shape: str) -> None:
    rng = np.random.default_rng([1, *shape.encode()])
    found = [ESTIMATES[name](DRAWS[shape](rng, 800)) for _ in range(400)]
    spread = np.std([one.value for one in found])
    # 400 samples know the spread to 3.5 %; single errors of a width scatter with the fourth moment
    assert np.sqrt(np.mean([one.error**2 for one in found])) == pytest.approx(spread, rel=0.15)


def test_known_values() -> None:
    values = np.arange(1.0, 101)
    assert ESTIMATES["mean"](values).value == 50.5
    assert ESTIMATES["median"](values).value == 50.5
    assert ESTIMATES["truncated_mean"](values).value == 50.5
    assert ESTIMATES["width"](values).value == pytest.approx(np.std(values, ddof=1) / 50.5)
    outlier = np.append(values, 1e9)
    assert ESTIMATES["truncated_mean"](outlier).value == pytest.approx(51, abs=0.5)
    assert ESTIMATES["median"](outlier).value == 51


@pytest.mark.parametrize("name", ESTIMATES)
@pytest.mark.parametrize("values", [[], [3.0]])
def test_too_few_events_have_no_estimate(name: str, values: list[float]) -> None:
    found = ESTIMATES[name](np.array(values))
    assert math.isnan(found.value)
    assert math.isnan(found.error)


def test_ratio_of_two_samples() -> None:
    rng = np.random.default_rng(2)
    pulls = []
    for _ in range(300):
        a, b = (ESTIMATES["mean"](rng.normal(centre, 1, 100)) for centre in (4.0, 5.0))
        ratio = a.over(b)
        pulls.append((ratio.value - 0.8) / ratio.error)
    assert np.std(pulls) == pytest.approx(1, abs=0.13)  # 3 standard errors of a width from 300
    assert math.isnan(Estimate(1.0, 0.1).over(Estimate(0.0, 0.1)).value)


def test_given_energies_are_no_error() -> None:
    """The mean of 10 E + noise over fixed energies scatters by the noise alone."""
    energy = np.linspace(1, 9, 900)
    groups = [np.arange(k, k + 30) for k in range(0, 900, 30)]
    rng = np.random.default_rng(3)
    found = [stratified_mean(10 * energy + rng.normal(0, 2, 900), groups) for _ in range(300)]
    assert found[0].value == pytest.approx(50, abs=0.3)
    spread = np.std([one.value for one in found])
    assert np.mean([one.error for one in found]) == pytest.approx(spread, rel=0.2)
    plain = ESTIMATES["mean"](10 * energy + rng.normal(0, 2, 900))
    assert plain.error > 8 * found[0].error  # the energies spread by 2.3 GeV


def test_shower_maximum_of_a_gaussian_profile() -> None:
    depth = np.array([0.5, 3.0, 6.5, 10.0, 13.5])
    rng = np.random.default_rng(4)
    profile = np.exp(-0.5 * ((depth - 5.2) / 3) ** 2)
    found = shower_maximum(profile * rng.normal(1, 0.1, (400, 5)), depth)
    assert found.value == pytest.approx(5.2, abs=5 * found.error)
    assert 0 < found.error < 0.05
    assert shower_maximum(np.tile(profile, (5, 1)), depth).value == pytest.approx(5.2)


def test_a_profile_without_a_peak_has_no_maximum() -> None:
    assert math.isnan(shower_maximum(np.zeros((10, 5)), np.arange(5.0)).value)


def test_compared_rows() -> None:
    row = Compared("layer_energy_ratio", Estimate(2.0, 0.1), Estimate(4.0, 0.1), 3).row("fast")
    assert (row.method, row.metric, row.bin, row.value) == ("fast", "layer_energy_ratio", 3, 0.5)
    assert row.error == pytest.approx(0.5 * math.hypot(0.1 / 2, 0.1 / 4))
