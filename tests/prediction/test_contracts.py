"""The laws that every prediction with a width keeps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from energy_maps import Affine, HyperbolicSine
from showercal.errors import DataError
from showercal.prediction import (
    EnsemblePrediction,
    FloatArray,
    LevelMap,
    LogNormalPrediction,
    MappedPrediction,
    NormalMixturePrediction,
    NormalPrediction,
    Prediction,
    QuantilePrediction,
    RelevelledPrediction,
    ScaledPrediction,
    TruncatedLogNormalPrediction,
    TruncatedNormalPrediction,
    from_arrays,
)

LOCATION = np.array([1.0, 2.0, -0.5])
SCALE = np.array([0.3, 0.5, 0.1])
LOW, HIGH = np.zeros(3), np.full(3, 3.0)
NORMAL = NormalPrediction(LOCATION, SCALE)
# one location inside the interval, one at its end, one five scales below it
TRUNCATED = TruncatedNormalPrediction(np.array([1.0, 3.0, -0.5]), SCALE, LOW, HIGH)
LOG_NORMAL = LogNormalPrediction(np.array([0.0, 1.0, -1.0]), np.array([0.1, 0.5, 0.3]))
# one component inside, others at an end and many scales outside; one without weight
TRUNCATED_LOG_NORMAL = TruncatedLogNormalPrediction(
    np.array([[0.5, 0.3, 0.2], [0.6, 0.4, 0.0], [0.9, 0.1, 0.0]]),
    np.array([[1.0, 5.0, 0.0], [9.0, 2.0, -3.0], [-4.0, -0.3, 1.0]]),
    np.array([[0.3, 0.1, 0.8], [0.5, 0.4, 1.0], [0.2, 0.05, 1.0]]),
    np.full(3, 0.5),
    np.full(3, 20.0),
)
ONE_CUT = TruncatedLogNormalPrediction(
    np.ones((3, 1)), TRUNCATED_LOG_NORMAL.location[:, :1], TRUNCATED_LOG_NORMAL.scale[:, :1], np.ones(3), HIGH * 5
)
MIXTURE = NormalMixturePrediction(
    np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5], [0.98, 0.01, 0.01]]),
    np.array([[0.0, 4.0, 9.0], [1.0, 1.5, 2.0], [1.0, 1.2, -3.0]]),
    np.array([[0.5, 0.4, 1.0], [0.2, 0.5, 1.0], [0.3, 0.002, 1.0]]),
)
ONE_PEAK = NormalMixturePrediction(np.full((3, 2), 0.5), MIXTURE.location[:, :2] / 4, np.array([[1.0, 2.0]] * 3))
QUANTILES = QuantilePrediction(
    np.array([0.05, 0.2, 0.5, 0.8, 0.9]),
    np.array([[0.0, 1.0, 1.5, 2.5, 4.0], [-1.0, -0.9, -0.8, 3.0, 3.1], [1.0, 2.0, 3.0, 4.0, 5.0]]),
)
# too narrow, with wiggles: a kink at every knot
PULLS = np.arange(-3, 3.25, 0.25)
LEVEL_MAP = LevelMap(tuple(PULLS), tuple(1.2 * PULLS + 0.15 * np.sin(2 * PULLS)))
NOT_STORED = (MappedPrediction, RelevelledPrediction, ScaledPrediction)
PREDICTIONS: dict[str, Prediction] = {
    "normal": NORMAL,
    "truncated": TRUNCATED,
    "log-normal": LOG_NORMAL,
    "truncated log-normal": ONE_CUT,
    "truncated log-normals": TRUNCATED_LOG_NORMAL,
    "mixture": MIXTURE,
    "quantiles": QUANTILES,
    "ensemble": EnsemblePrediction((NORMAL, TRUNCATED, LOG_NORMAL)),
    "weighted ensemble": EnsemblePrediction(
        (NORMAL, TRUNCATED, LOG_NORMAL), np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.5, 0.2, 0.3]])
    ),
    "ensemble of ensembles": EnsemblePrediction((MIXTURE, EnsemblePrediction((NORMAL, QUANTILES)))),
    "mapped normal": NORMAL.transform(HyperbolicSine()),
    "mapped truncated": TRUNCATED.transform(HyperbolicSine()),
    "mapped truncated log-normals": TRUNCATED_LOG_NORMAL.transform(Affine(0.5, 1.0)),
    "mapped mixture": MIXTURE.transform(Affine(0.5, 1.0)),
    "mapped quantiles": QUANTILES.transform(Affine(2.0, -1.0)),
    "mapped ensemble": EnsemblePrediction((NORMAL, TRUNCATED)).transform(HyperbolicSine()),
    "scaled quantiles": ScaledPrediction(QUANTILES, 1.7),
    "scaled ensemble": ScaledPrediction(EnsemblePrediction((NORMAL, LOG_NORMAL)), 0.6),
    "relevelled normal": RelevelledPrediction(NORMAL, LEVEL_MAP),
    "relevelled truncated": RelevelledPrediction(TRUNCATED, LEVEL_MAP),
    "relevelled truncated log-normal": RelevelledPrediction(ONE_CUT, LEVEL_MAP),
    "relevelled mixture": RelevelledPrediction(ONE_PEAK, LEVEL_MAP),
    "mapped relevelled": RelevelledPrediction(NORMAL, LEVEL_MAP).transform(HyperbolicSine()),
}
STORED = [name for name, prediction in PREDICTIONS.items() if not isinstance(prediction, NOT_STORED)]
LEVELS = np.array([1e-6, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1 - 1e-6])


@pytest.fixture(params=list(PREDICTIONS))
def prediction(request: pytest.FixtureRequest) -> Prediction:
    return PREDICTIONS[request.param]


def integral(prediction: Prediction, power: int, centre: FloatArray) -> FloatArray:
    """Of density times (energy - centre)^power, by three Gauss-Legendre nodes in each of 3200 cells between quantiles.

    A smooth density is integrated to many digits; at a jump within a cell the error is below the probability of the
    cell, at most 2e-3, of which the nodes see most.
    """
    edges = at_levels(prediction, special.ndtr(np.linspace(-8, 8, 3201)))
    nodes, weights = np.polynomial.legendre.leggauss(3)
    middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges, axis=0) / 2
    total = np.zeros(len(prediction))
    for node, weight in zip(nodes, weights, strict=True):
        energy = middle + node * half
        density = np.exp(repeated(prediction, len(energy)).log_prob(energy.ravel())).reshape(energy.shape)
        total += (half * weight * density * (energy - centre) ** power).sum(axis=0)
    return total


def repeated(prediction: Prediction, n: int) -> Prediction:
    """The same events n times over."""
    return prediction[np.tile(np.arange(len(prediction)), n)]


def at_levels(prediction: Prediction, levels: FloatArray) -> FloatArray:
    """Quantiles, one row per level."""
    n_events = len(prediction)
    return repeated(prediction, len(levels)).quantile(np.repeat(levels, n_events)).reshape(-1, n_events)


@pytest.mark.parametrize("q", LEVELS)
def test_cdf_undoes_the_quantile(prediction: Prediction, q: float) -> None:
    np.testing.assert_allclose(prediction.cdf(prediction.quantile(q)), q, rtol=1e-9, atol=1e-11)


def test_quantiles_increase_and_take_one_level_per_event(prediction: Prediction) -> None:
    values = np.stack([prediction.quantile(q) for q in LEVELS])
    assert np.all(np.diff(values, axis=0) > 0)
    each = prediction.quantile(LEVELS[[1, 4, 7]])
    # solved quantiles come from another sequence of steps when the levels differ
    np.testing.assert_allclose(each, [values[1, 0], values[4, 1], values[7, 2]], rtol=1e-12, atol=1e-12)


def test_density_is_the_slope_of_the_cdf(prediction: Prediction) -> None:
    for q in (0.03, 0.3, 0.6, 0.97):  # none of them where the density of the quantile family jumps
        energy, step = prediction.quantile(q), 1e-5 * prediction.std
        slope = (prediction.cdf(energy + step) - prediction.cdf(energy - step)) / (2 * step)
        # rounding of the cdf, 1e-16 / 1e-5, and the square of the step over that of the narrowest component
        np.testing.assert_allclose(np.exp(prediction.log_prob(energy)), slope, rtol=1e-5)


def test_density_mean_and_width_agree_by_integration(prediction: Prediction) -> None:
    np.testing.assert_allclose(integral(prediction, 0, np.zeros(3)), 1, atol=2e-3)
    np.testing.assert_allclose(integral(prediction, 1, prediction.mean) / prediction.std, 0, atol=2e-3)
    np.testing.assert_allclose(integral(prediction, 2, prediction.mean), prediction.std**2, rtol=5e-3)


def test_expectation_agrees_with_mean_and_width(prediction: Prediction) -> None:
    mean, std = prediction.mean, prediction.std
    np.testing.assert_allclose(prediction.expectation(np.ones_like), 1, rtol=1e-12)
    np.testing.assert_allclose((prediction.expectation(lambda energy: energy) - mean) / std, 0, atol=1e-8)
    np.testing.assert_allclose(prediction.expectation(lambda energy: (energy - mean) ** 2), std**2, rtol=1e-7)


def test_samples_follow_the_distribution(prediction: Prediction) -> None:
    n = 20_000
    draws = prediction.sample(n, seed=11)
    assert draws.shape == (n, 3)
    # the largest deviation of the empirical from the true cdf exceeds 2.2 / sqrt(n) once in 8000 events (Kolmogorov)
    uniform = np.sort(repeated(prediction, n).cdf(draws.ravel()).reshape(draws.shape), axis=0)
    assert np.all(abs(uniform - (np.arange(n) + 0.5)[:, None] / n) < 2.2 / np.sqrt(n))
    # four standard errors
    assert np.all(abs(draws.mean(axis=0) - prediction.mean) < 4 * prediction.std / np.sqrt(n))
    np.testing.assert_array_equal(draws, prediction.sample(n, seed=11))
    assert not np.array_equal(draws[:10], prediction.sample(10, seed=12))


def test_centre_and_interval_are_quantiles(prediction: Prediction) -> None:
    np.testing.assert_allclose(prediction.median, prediction.quantile(0.5), rtol=1e-12, atol=1e-12)
    low, high = prediction.interval(0.9)
    np.testing.assert_allclose(low, prediction.quantile(0.05), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(high, prediction.quantile(0.95), rtol=1e-12, atol=1e-12)
    width = prediction.quantile(special.ndtr(1)) - prediction.quantile(special.ndtr(-1))
    np.testing.assert_allclose(prediction.sigma68, width / 2, rtol=1e-9)


def test_mode_is_the_highest_point(prediction: Prediction) -> None:
    highest = prediction.log_prob(prediction.mode)
    grid = at_levels(prediction, special.ndtr(np.linspace(-5, 5, 1001)))
    density = repeated(prediction, len(grid)).log_prob(grid.ravel()).reshape(grid.shape)
    # a top at a jump of the density (relevelled) is looked for 1e-6 of the width beside it
    np.testing.assert_array_less(density.max(axis=0), highest + 1e-5)


def test_parts_of_the_width_add_up(prediction: Prediction) -> None:
    np.testing.assert_allclose(
        prediction.std**2, prediction.std_stochastic**2 + prediction.std_model**2, rtol=1e-12, atol=0
    )
    assert np.all(prediction.std_stochastic > 0)
    assert np.all(prediction.std_model >= 0)


@pytest.mark.parametrize("where", [slice(1, None), np.array([True, False, True]), np.array([2, 0])])
def test_events_can_be_chosen(prediction: Prediction, where: slice | FloatArray) -> None:
    part = prediction[where]
    assert type(part) is type(prediction)
    for name in ("mean", "median", "mode", "std", "sigma68"):
        np.testing.assert_allclose(getattr(part, name), getattr(prediction, name)[where], rtol=1e-12, atol=1e-12)
    assert len(prediction[:0].quantile(0.5)) == 0


def test_maps_map_quantiles_exactly(prediction: Prediction) -> None:
    energy_map = HyperbolicSine()
    mapped = prediction.transform(energy_map)
    for q in LEVELS:
        np.testing.assert_array_equal(mapped.quantile(q), energy_map(prediction.quantile(q)))
    energy = prediction.quantile(0.3)
    np.testing.assert_allclose(mapped.cdf(energy_map(energy)), 0.3, rtol=1e-9)
    jacobian = np.log(energy_map.derivative(energy))
    np.testing.assert_allclose(
        mapped.log_prob(energy_map(energy)), prediction.log_prob(energy) - jacobian, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("name", STORED)
def test_arrays_round_trip(name: str) -> None:
    prediction = PREDICTIONS[name]
    arrays = prediction.arrays()
    for values in arrays.values():
        assert values.dtype == np.float64
        assert values.flags.c_contiguous
        assert values.shape[0] == 3
        assert values.ndim in {1, 2}
    again = from_arrays(prediction.family, arrays)
    assert type(again) is type(prediction)
    np.testing.assert_array_equal(again.mean, prediction.mean)
    np.testing.assert_array_equal(again.quantile(0.1), prediction.quantile(0.1))


@pytest.mark.parametrize(
    ("q", "message"),
    [(1.5, r"0 <= q <= 1; got 1.5"), (np.nan, "got nan"), (np.array([0.1, 0.2]), r"per event, shape \(3,\); got .*2,")],
)
def test_quantile_refuses_impossible_fractions(prediction: Prediction, q: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prediction.quantile(q)


@pytest.mark.parametrize("q", [0.0, 1.0])
def test_quantiles_at_the_ends_bound_all_others(prediction: Prediction, q: float) -> None:
    end = prediction.quantile(q)
    assert not np.isnan(end).any()
    inner = prediction.quantile(LEVELS[0] if q == 0 else LEVELS[-1])
    assert np.all(end <= inner) if q == 0 else np.all(end >= inner)


def test_unknown_family_names_the_nearest() -> None:
    with pytest.raises(DataError, match="unknown kind of prediction 'normla'; nearest known: 'normal'"):
        from_arrays("normla", {})


def test_wrong_arrays_are_refused() -> None:
    with pytest.raises(DataError, match=r"kind normal has the arrays \['location', 'scale'\]; got \['energy'\]"):
        from_arrays("normal", {"energy": LOCATION})
    with pytest.raises(DataError, match=r"named like '0.normal.location'; got 'location'"):
        from_arrays("ensemble", {"location": LOCATION})
