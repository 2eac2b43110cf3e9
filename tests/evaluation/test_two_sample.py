"""The classifier two-sample test on samples whose best AUC is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from showercal.errors import DataError
from showercal.evaluation import auc_with_variance, two_sample_auc

FloatArray = NDArray[np.float64]


def normal(n_events: int, seed: int, shift: float = 0.0) -> FloatArray:
    """Four unit normals, the second shifted."""
    table = np.random.default_rng(seed).normal(size=(n_events, 4))
    table[:, 1] += shift
    return table


def test_same_distribution_cannot_be_told_apart() -> None:
    """Over several pairs the pulls are those of a right error: mean 0, width 1."""
    pulls = []
    for seed in range(10):
        test = two_sample_auc(normal(600, seed), normal(600, 100 + seed), seed)
        pulls.append((test.auc - 0.5) / test.error)
    assert abs(np.mean(pulls)) < 3 / np.sqrt(10)
    assert 0.4 < np.std(pulls) < 1.8  # sqrt(chi2/10) of 10 unit normals leaves these in 1 of 1000 cases


def test_shifted_normal_comes_close_to_the_best_possible() -> None:
    test = two_sample_auc(normal(8000, 1), normal(8000, 2, shift=1.0), names=["a", "b", "c", "d"])
    best = stats.norm.cdf(1 / np.sqrt(2))  # Neyman and Pearson: the likelihood ratio rises with the shifted variable
    assert best - 0.01 < test.auc < best + 3 * test.error
    assert next(iter(test.importance)) == "b"
    assert sum(test.importance.values()) == pytest.approx(1)
    assert test.importance["b"] > 0.8
    assert test.single_auc["b"] == pytest.approx(best, abs=0.015)
    assert test.single_auc["a"] == pytest.approx(0.5, abs=0.02)  # 4 standard errors: sqrt(1 / (12 * 4000))


def test_correlation_is_seen_where_each_feature_alone_tells_nothing() -> None:
    rng = np.random.default_rng(3)
    a = rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], 4000)
    test = two_sample_auc(a, rng.multivariate_normal([0, 0], [[1, -0.7], [-0.7, 1]], 4000))
    assert test.auc > 0.8
    assert all(abs(auc - 0.5) < 0.03 for auc in test.single_auc.values())


def test_samples_of_the_same_particles_do_not_teach_each_other() -> None:
    """Partners share a number that no other event has: trees that saw one partner would mistake the other for it."""
    unique = np.random.default_rng(4).uniform(size=2000)
    a, b = (np.column_stack([unique, normal(2000, seed)]) for seed in (5, 6))
    test = two_sample_auc(a, b)
    assert abs(test.auc - 0.5) < 3.5 * test.error


def test_missing_features_are_a_difference() -> None:
    a, b = normal(1000, 7), normal(1000, 8)
    b[:300, 2] = np.nan  # 30 % found for sure, the rest alike: 0.3 + 0.7 / 2
    assert two_sample_auc(a, b).auc == pytest.approx(0.65, abs=0.03)


def test_seed_decides() -> None:
    a, b = normal(500, 9), normal(500, 10, shift=0.5)
    assert two_sample_auc(a, b, 1) == two_sample_auc(a, b, 1)
    assert two_sample_auc(a, b, 1).auc != two_sample_auc(a, b, 2).auc


def test_auc_and_its_variance_equal_the_loop_over_pairs() -> None:
    rng = np.random.default_rng(11)
    a, b = rng.integers(0, 6, 30).astype(float), rng.integers(1, 8, 50).astype(float)  # with many ties
    pairs = np.where(b > a[:, None], 1.0, np.where(b == a[:, None], 0.5, 0.0))
    value, variance = auc_with_variance(a, b)
    assert value == pytest.approx(pairs.mean())
    assert variance == pytest.approx(pairs.mean(1).var(ddof=1) / 30 + pairs.mean(0).var(ddof=1) / 50)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match=r"shapes \(A, F\) and \(B, F\).*got \(200, 4\) and \(200, 3\)"):
        two_sample_auc(normal(200, 1), normal(200, 1)[:, :3])
    with pytest.raises(DataError, match="at least 100 events of each sample; the second has 99"):
        two_sample_auc(normal(200, 1), normal(99, 1))
    with pytest.raises(DataError, match="4 features need as many names; got 1"):
        two_sample_auc(normal(200, 1), normal(200, 1), names=["a"])
    with pytest.raises(DataError, match="n_folds >= 2"):
        two_sample_auc(normal(200, 1), normal(200, 1), n_folds=1)
