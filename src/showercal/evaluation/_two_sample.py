"""How well boosted trees tell two samples apart: the classifier two-sample test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from showercal.errors import DataError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_N_TREES: Final = 1500
_PATIENCE: Final = 50
_MIN_EVENTS: Final = 100  # of each sample; fewer say nothing
# Shallow, slow, regularised trees: among those tried they tell samples of 3,000 apart as well as larger ones, and do
# not learn the noise of small samples.
_TREES: Final = {
    "objective": "binary",
    "metric": "binary_logloss",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 40,
    "feature_fraction_bynode": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


@dataclass(frozen=True)
class TwoSampleTest:
    """What the test found.

    Attributes:
        auc: Chance that the trees find an event of sample b more b-like than one of sample a, on events that they did
            not learn from: 0.5 when they cannot tell, 1 when they always can.
        error: Its standard error.
        importance: Share of each feature in what the trees gained, by name, the largest first; sums to 1.
        single_auc: The same chance from each feature alone, with b above a; by name in the order of ``importance``.
        n_events: Events of each sample.
    """

    auc: float
    error: float
    importance: dict[str, float]
    single_auc: dict[str, float]
    n_events: tuple[int, int]


def two_sample_auc(
    features_a: FloatArray, features_b: FloatArray, seed: int = 1, *, names: Sequence[str] = (), n_folds: int = 5
) -> TwoSampleTest:
    """Train boosted trees to tell two samples apart and measure the area under their ROC curve on held-out events.

    Each fold is judged by trees that learned from the others; a fifth of the learning events stops them early. The AUC
    is the mean over the folds, its error follows from DeLong's variance in each. Samples of the same size are cut
    alike, event by event: where both start from the same particles, no tree sees the partner of an event that it
    judges.

    Args:
        features_a: Shape (A, F); NaN where an event has no such feature.
        features_b: Shape (B, F).
        seed: Of the folds and of the trees.
        names: Of the features, F; by default numbers.
        n_folds: At least 2.

    Raises:
        DataError: If shapes do not fit, or a sample has fewer than 100 events.
        TrainingError: If LightGBM cannot be loaded.

    References:
        D. Lopez-Paz, M. Oquab, "Revisiting classifier two-sample tests", ICLR 2017 (arXiv:1610.06545).
        E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44 (1988) 837, equations 5 and 6.
    """
    names = _checked_names(features_a, features_b, names)
    if n_folds < 2:
        raise DataError(f"a held-out AUC needs n_folds >= 2; got {n_folds}")
    from showercal.models import load_lightgbm

    lightgbm = load_lightgbm()
    folds_a, folds_b = _folds(len(features_a), len(features_b), n_folds, seed)
    gain = np.zeros(len(names))
    values, variances = [], []
    for fold in range(n_folds):
        parts = []
        for role in ("learn", "stop"):
            kept_a, kept_b = (_role(folds, fold, n_folds, role) for folds in (folds_a, folds_b))
            table = np.concatenate([features_a[kept_a], features_b[kept_b]])
            label = np.repeat([0.0, 1.0], [kept_a.sum(), kept_b.sum()])
            parts.append((table, label))
        learn = lightgbm.Dataset(*parts[0])
        booster = lightgbm.train(
            {**_TREES, "seed": seed + fold},
            learn,
            _N_TREES,
            valid_sets=[lightgbm.Dataset(*parts[1], reference=learn)],
            callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
        )
        gain += booster.feature_importance("gain", iteration=booster.best_iteration)
        scores = [
            np.asarray(booster.predict(table[folds % n_folds == fold], num_iteration=booster.best_iteration))
            for table, folds in ((features_a, folds_a), (features_b, folds_b))
        ]
        value, variance = auc_with_variance(scores[0], scores[1])
        values.append(value)
        variances.append(variance)
    order = np.argsort(-gain, kind="stable")
    total = float(gain.sum()) or 1.0
    return TwoSampleTest(
        auc=float(np.mean(values)),
        error=math.sqrt(sum(variances)) / n_folds,
        importance={names[k]: float(gain[k]) / total for k in order},
        single_auc={names[k]: _finite_auc(features_a[:, k], features_b[:, k]) for k in order},
        n_events=(len(features_a), len(features_b)),
    )


def auc_with_variance(scores_a: FloatArray, scores_b: FloatArray) -> tuple[float, float]:
    """Area under the ROC curve and its variance by DeLong's method; ties count half.

    Args:
        scores_a: Shape (A,).
        scores_b: Shape (B,), expected above those of a.

    Example:
        >>> auc_with_variance(np.array([0.0, 1.0]), np.array([2.0, 3.0]))
        (1.0, 0.0)
    """
    n_a, n_b = len(scores_a), len(scores_b)
    rank = stats.rankdata(np.concatenate([scores_a, scores_b]))
    # share of the b above each a, and of the a below each b
    above = 1 - (rank[:n_a] - stats.rankdata(scores_a)) / n_b
    below = (rank[n_a:] - stats.rankdata(scores_b)) / n_a
    return float(below.mean()), float(above.var(ddof=1) / n_a + below.var(ddof=1) / n_b)


def _finite_auc(values_a: FloatArray, values_b: FloatArray) -> float:
    finite_a, finite_b = values_a[np.isfinite(values_a)], values_b[np.isfinite(values_b)]
    if min(len(finite_a), len(finite_b)) < 2:
        return math.nan
    return auc_with_variance(finite_a, finite_b)[0]


def _folds(n_a: int, n_b: int, n_folds: int, seed: int) -> tuple[IntArray, IntArray]:
    """Fold of each event of both samples, plus ``n_folds`` times its inner fold."""
    rng = np.random.default_rng(seed)
    number = np.arange(n_folds * 5)
    first = rng.permutation(np.resize(number, n_a))
    return first, first if n_a == n_b else rng.permutation(np.resize(number, n_b))


def _role(folds: IntArray, fold: int, n_folds: int, role: str) -> NDArray[np.bool_]:
    """Which events have a role while one fold is held out; the inner fold that stops the trees changes with it."""
    is_stopping = folds // n_folds == fold % 5
    chosen: NDArray[np.bool_] = (folds % n_folds != fold) & (is_stopping == (role == "stop"))
    return chosen


def _checked_names(features_a: FloatArray, features_b: FloatArray, names: Sequence[str]) -> list[str]:
    if features_a.ndim != 2 or features_b.ndim != 2 or features_a.shape[1] != features_b.shape[1]:
        raise DataError(
            "two samples need features of shapes (A, F) and (B, F) with the same F; "
            f"got {features_a.shape} and {features_b.shape}"
        )
    for which, table in (("first", features_a), ("second", features_b)):
        if len(table) < _MIN_EVENTS:
            raise DataError(
                f"a two-sample test needs at least {_MIN_EVENTS} events of each sample; the {which} has {len(table)}"
            )
    found = list(names) or [str(k) for k in range(features_a.shape[1])]
    if len(found) != features_a.shape[1]:
        raise DataError(f"{features_a.shape[1]} features need as many names; got {len(found)}")
    return found
