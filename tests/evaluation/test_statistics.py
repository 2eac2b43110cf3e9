"""Statistics with known answers, and the vectorised forms against slow loops."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, special, stats

from showercal.evaluation import effective_width, gaussian_core, iqr, median, quantile, sigma68

FloatArray = NDArray[np.float64]
#: A normal distribution without noise: its quantiles at equal steps.
NORMAL = 3.0 + 0.5 * special.ndtri((np.arange(100_000) + 0.5) / 100_000)

STATISTICS: dict[str, Callable[..., FloatArray]] = {
    "median": median,
    "iqr": iqr,
    "sigma68": sigma68,
    "effective_width": effective_width,
    "core_mean": lambda values, **options: gaussian_core(values, **options)[0],
    "core_width": lambda values, **options: gaussian_core(values, **options)[1],
}
each_statistic = pytest.mark.parametrize("statistic", STATISTICS.values(), ids=STATISTICS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("median", 3.0),
        ("iqr", 0.5 * 1.348980),
        ("sigma68", 0.5),
        ("effective_width", 0.5),
        ("core_mean", 3.0),
        ("core_width", 0.5),
    ],
)
def test_normal_distribution(name: str, expected: float) -> None:
    assert float(STATISTICS[name](NORMAL)) == pytest.approx(expected, rel=1e-3)


@each_statistic
def test_rows_of_a_matrix_equal_one_at_a_time(statistic: Callable[..., FloatArray]) -> None:
    values = np.random.default_rng(1).standard_exponential((2, 3, 57))
    together = statistic(values)
    assert together.shape == (2, 3)
    one_by_one = [[float(statistic(row)) for row in block] for block in values]
    # the core stops when all rows have: a row alone may stop a step earlier
    np.testing.assert_allclose(together, one_by_one, rtol=1e-3 if "lambda" in statistic.__name__ else 1e-14)


@each_statistic
def test_shift_and_scale(statistic: Callable[..., FloatArray]) -> None:
    values = np.random.default_rng(2).standard_exponential(500)
    offset = float(statistic(7 + 0 * values + values)) - float(statistic(values))
    assert offset == pytest.approx(7, abs=2e-3) or offset == pytest.approx(0, abs=2e-3)
    assert float(statistic(3 * values)) == pytest.approx(3 * float(statistic(values)), rel=1e-9)


@each_statistic
def test_sorted_input_is_taken_as_such(statistic: Callable[..., FloatArray]) -> None:
    values = np.random.default_rng(3).normal(size=(4, 101))
    np.testing.assert_array_equal(statistic(values), statistic(np.sort(values), is_sorted=True))


@each_statistic
def test_nothing_has_no_statistic(statistic: Callable[..., FloatArray]) -> None:
    with pytest.raises(ValueError, match=r"at least one value along the last axis; got shape \(3, 0\)"):
        statistic(np.empty((3, 0)))


@pytest.mark.parametrize("n", [1, 2, 5, 100, 101])
@pytest.mark.parametrize("q", [0.0, 0.1587, 0.5, 0.75, 1.0])
def test_quantile_against_numpy(n: int, q: float) -> None:
    values = np.random.default_rng(n).normal(size=(3, n))
    np.testing.assert_allclose(quantile(values, q), np.quantile(values, q, axis=-1), rtol=1e-12)


def test_effective_width_against_a_loop() -> None:
    values = np.sort(np.random.default_rng(4).standard_exponential(200))
    span = special.erf(np.sqrt(0.5)) * 199
    starts = np.arange(0, 199 - span)
    widths = [np.interp(s + span, np.arange(200), values) - values[int(s)] for s in starts]
    assert float(effective_width(values)) == pytest.approx(min(widths) / 2, rel=1e-12)


def test_effective_width_of_an_exponential() -> None:
    """The shortest interval of a falling density begins at its start: -ln(1 - 0.6827) / 2."""
    values = -np.log1p(-(np.arange(100_000) + 0.5) / 100_000)
    assert float(effective_width(values)) == pytest.approx(-np.log(1 - special.erf(np.sqrt(0.5))) / 2, rel=1e-3)


def test_core_ignores_outliers() -> None:
    rng = np.random.default_rng(5)
    values = np.concatenate([rng.normal(1, 0.1, 95_000), rng.uniform(2, 5, 5_000)])
    mean, width = gaussian_core(values)
    # 95,000 events, the core fit uses their moments within 2 sigma: errors near 0.1 / sqrt(n) and twice 0.1 / sqrt(2 n)
    assert float(mean) == pytest.approx(1, abs=4 * 0.1 / np.sqrt(95_000))
    assert float(width) == pytest.approx(0.1, abs=8 * 0.1 / np.sqrt(190_000))
    assert np.std(values) > 0.5


def test_core_is_the_maximum_of_the_truncated_likelihood() -> None:
    values = np.random.default_rng(6).standard_t(df=4, size=4000)
    mean, width = gaussian_core(values, tolerance=1e-9)
    low, high = mean - 2 * width, mean + 2 * width
    inside = values[(values >= low) & (values <= high)]

    def loss(p: FloatArray) -> float:
        return -float(np.sum(stats.truncnorm.logpdf(inside, (low - p[0]) / p[1], (high - p[0]) / p[1], p[0], p[1])))

    best = optimize.minimize(loss, [0.1, 1.3], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8})
    assert best.success
    # near the end the window moves by whole events: one event of 4000 is 2e-3 of the width
    np.testing.assert_allclose([mean, width], best.x, atol=2e-3)


def test_core_is_unbiased() -> None:
    toys = np.random.default_rng(7).normal(2, 0.3, (400, 500))
    mean, width = gaussian_core(toys)
    assert np.mean(mean) == pytest.approx(2, abs=4 * np.std(mean) / 20)
    # the window of a small sample adapts to it: a bias of -0.5 % at 500 events is inside the error of one toy (5 %)
    assert np.mean(width) == pytest.approx(0.3, rel=0.015)


def test_core_of_too_few_or_equal_values_is_nan() -> None:
    for values in (np.ones(50), np.array([1.0, 2.0])):
        mean, width = gaussian_core(values)
        assert np.isnan(mean)
        assert np.isnan(width)


def test_core_of_one_bad_row_leaves_the_others() -> None:
    rows = np.stack([np.ones(1000), np.random.default_rng(8).normal(size=1000)])
    _, width = gaussian_core(rows)
    assert np.isnan(width[0])
    assert width[1] == pytest.approx(1, abs=0.15)
