"""Recalibration of the width: what a prediction calls its 68 % interval shall hold 68 % of the events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showercal.calibration._checks import check_events, check_word
from showercal.calibration._level_rules import ConformalRule, LevelRule, RelevelRule, ScaleRule, rule_from_dict
from showercal.errors import DataError, ModelFileError, NotFittedError
from showercal.prediction import Prediction

FloatArray = NDArray[np.float64]
Recalibration = Literal["scale", "isotonic", "conformal"]

# the 99 % interval of the conformal form needs 99 events, and nothing is told by fewer
_MIN_EVENTS: Final = 100
_RULES: Final[Mapping[str, type[ScaleRule | RelevelRule | ConformalRule]]] = {
    "scale": ScaleRule,
    "isotonic": RelevelRule,
    "conformal": ConformalRule,
}


class WidthRecalibration:
    """Corrects the widths of a prediction, with all events of a validation sample together.

    * ``scale``: one factor on all distances to the median, such that the central 68.27 % interval holds 68.27 % of the
      validation events. Not moved by tails; the shape stays. For a distribution of the right shape.
    * ``isotonic``: the increasing map of levels after which the probability integral transform is uniform, as found in
      the validation events: corrects the shape too, and a bias of the median that is common in units of the width.
      It cannot reach beyond the support of the prediction, nor beyond 8 of its widths.
    * ``conformal``: split-conformal intervals: at each level of the grid the interval is widened or narrowed about the
      median until it holds ceil((n + 1) level) of the n validation events. Whatever the prediction and however few the
      events, a new event of the same kind is then in the interval with at least that probability. Coverage is on
      average over all events, not at each energy.

    Fit on validation events after the bias correction, never on training or test events.

    Args:
        form: "scale", "isotonic" or "conformal".

    Attributes:
        rule_: What was learnt; ``factor``, ``level_map`` or ``pulls`` according to the form.
        n_events_: Number of validation events.

    Raises:
        RecipeError: If the form is unknown.

    References:
        V. Kuleshov, N. Fenner and S. Ermon, ICML 2018, arXiv:1807.00263 (isotonic).
        J. Lei et al., J. Am. Stat. Assoc. 113 (2018) 1094, arXiv:1604.04173, theorem 2.2 (conformal).
        C. Gupta, A. K. Kuchibhotla and A. Ramdas, Pattern Recognit. 127 (2022) 108496, arXiv:1910.10562 (nested sets).

    Example:
        >>> from showercal.prediction import NormalPrediction
        >>> truth = np.linspace(4, 6, 1001)
        >>> narrow = NormalPrediction(np.full(1001, 5.0), np.full(1001, 0.1))
        >>> wider = WidthRecalibration("scale").fit(truth, narrow).apply(narrow)
        >>> wider.sigma68[:1].round(3)  # 68.27 % of the truth lie within 0.683 GeV of 5 GeV
        array([0.683])
    """

    rule_: LevelRule
    n_events_: int

    def __init__(self, form: Recalibration = "scale") -> None:
        check_word("a recalibration of the width", "form", form, get_args(Recalibration))
        self.form: Recalibration = form

    def __repr__(self) -> str:
        return f"WidthRecalibration({self.form!r})"

    def fit(self, energy_true: ArrayLike, prediction: Prediction) -> Self:
        """Learn from validation events.

        Args:
            energy_true: True energies, shape (B,), [GeV], B >= 100.
            prediction: Their predictions, after the bias correction.

        Raises:
            NoWidthError: If the prediction is a point estimate.
            DataError: If values are not finite, there are too few events, or nothing increasing can be fitted.
        """
        truth = np.asarray(energy_true, dtype=np.float64)
        # a point estimate refuses here
        rule, median = _RULES[self.form], prediction.quantile(0.5)
        check_events(truth, median)
        if len(truth) < _MIN_EVENTS:
            raise DataError(
                f"a recalibration of the width needs at least {_MIN_EVENTS} validation events; got {len(truth)}: give "
                "the validation part more events"
            )
        self.rule_ = rule.fit(truth, prediction)
        self.n_events_ = len(truth)
        return self

    def apply(self, prediction: Prediction) -> Prediction:
        """The recalibrated prediction; of form ``conformal`` a `QuantilePrediction` with the intervals of the grid.

        Raises:
            NotFittedError: Before ``fit``.
            NoWidthError: If the prediction is a point estimate.
        """
        return self._fitted().apply(prediction)

    def graph_level(self, q: float) -> tuple[float, float]:
        """The recalibrated quantile at q in terms of the prediction's own quantiles, for an exported graph.

        Returns:
            (level, factor), the same for all events: the recalibrated quantile is ``median + factor *
            (prediction.quantile(level) - median)``, with the prediction's own median. With factor 1 that is
            ``prediction.quantile(level)``.

        Raises:
            NotFittedError: Before ``fit``.
            ValueError: If q is not between 0 and 1, or not a quantile of the grid of form ``conformal``.

        Example:
            >>> fitted = {"form": "scale", "n_events": 100, "rule": {"factor": 2.0}}
            >>> WidthRecalibration.from_dict(fitted).graph_level(0.9)
            (0.9, 2.0)
        """
        if not 0 < q < 1:
            raise ValueError(f"a quantile of a graph needs 0 < q < 1; got {q}")
        return self._fitted().graph_level(q)

    def _fitted(self) -> LevelRule:
        if not hasattr(self, "rule_"):
            raise NotFittedError(
                "this WidthRecalibration is not fitted: call fit(energy_true, prediction) on validation events"
            )
        return self.rule_

    def to_dict(self) -> dict[str, Any]:
        """The form and what was learnt, JSON-ready.

        Raises:
            NotFittedError: Before ``fit``.
        """
        rule = self._fitted().to_dict()
        return {"form": self.form, "n_events": self.n_events_, "rule": rule}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> WidthRecalibration:
        """Rebuild a fitted recalibration from ``to_dict``.

        Raises:
            ModelFileError: If the values are not those of a recalibration.
        """
        if set(values) != {"form", "n_events", "rule"}:
            raise ModelFileError(
                f"a recalibration of the width needs 'form', 'n_events' and 'rule'; got {sorted(values)}"
            )
        recalibration = cls(values["form"])
        recalibration.rule_ = rule_from_dict(_RULES[recalibration.form], values["rule"])
        recalibration.n_events_ = int(values["n_events"])
        return recalibration
