"""What the studies hand to the evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from showercal.evaluation._widths import check_widths
from showercal.prediction import (
    LogNormalPrediction,
    NormalMixturePrediction,
    NormalPrediction,
    Prediction,
    QuantilePrediction,
    TruncatedNormalPrediction,
)
from showercal.studies._judge import width_arrays


@pytest.mark.parametrize(
    "prediction",
    [
        NormalPrediction(np.array([2.0, 5.0]), np.array([0.3, 0.6])),
        LogNormalPrediction(np.log([2.0, 5.0]), np.array([0.2, 0.1])),
        TruncatedNormalPrediction(np.array([0.1, 5.0]), np.array([0.3, 0.6]), np.zeros(2), np.full(2, 10.0)),
        NormalMixturePrediction(np.array([[0.5, 0.5]] * 2), np.array([[1.0, 2], [4, 6]]), np.full((2, 2), 0.5)),
        QuantilePrediction(np.array([0.1, 0.5, 0.9]), np.array([[1.0, 2, 3], [4, 5, 7]])),
    ],
    ids=lambda prediction: prediction.family,
)
def test_what_is_judged_of_a_prediction_is_what_it_says(prediction: Prediction) -> None:
    """The evaluation takes the arrays of every family; levels and quantiles belong to the cdf."""
    truth = np.array([1.8, 5.5])
    width = check_widths("a", width_arrays(truth, prediction), 2)
    np.testing.assert_allclose(width.pit, prediction.cdf(truth))
    for column in (5, 32, 60):
        np.testing.assert_allclose(prediction.cdf(width.quantiles[:, column]), width.levels[column], rtol=1e-6)
    np.testing.assert_allclose(width.median, width.quantiles[:, 32], rtol=1e-6)
