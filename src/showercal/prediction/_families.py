"""Predictions from the arrays that they are stored as."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Final

from showercal.errors import DataError, nearest
from showercal.prediction._base import FloatArray, Prediction
from showercal.prediction._ensemble import EnsemblePrediction
from showercal.prediction._log_normal import LogNormalPrediction
from showercal.prediction._mixture import NormalMixturePrediction
from showercal.prediction._normal import NormalPrediction
from showercal.prediction._point import PointPrediction
from showercal.prediction._quantiles import QuantilePrediction
from showercal.prediction._truncated_log_normal import TruncatedLogNormalPrediction
from showercal.prediction._truncated_normal import TruncatedNormalPrediction

_FAMILIES: Final[Mapping[str, type[Any]]] = {
    family.family: family
    for family in (
        PointPrediction,
        NormalPrediction,
        TruncatedNormalPrediction,
        LogNormalPrediction,
        TruncatedLogNormalPrediction,
        NormalMixturePrediction,
        QuantilePrediction,
        EnsemblePrediction,
    )
}


def from_arrays(family: str, arrays: Mapping[str, FloatArray]) -> Prediction:
    """Rebuild a prediction from its `Prediction.family` and `Prediction.arrays`.

    Raises:
        DataError: If there is no such family, or the arrays are not those of the family.

    Example:
        >>> import numpy as np
        >>> from_arrays("normal", {"location": np.array([5.0]), "scale": np.array([1.0])}).mean
        array([5.])
    """
    if family not in _FAMILIES:
        raise DataError(f"unknown kind of prediction {family!r}; {nearest(family, _FAMILIES)}")
    if family == EnsemblePrediction.family:
        return _ensemble(arrays)
    kind = _FAMILIES[family]
    needed = [field.name for field in fields(kind) if field.default is MISSING]
    if not set(needed) <= set(arrays) <= {field.name for field in fields(kind)}:
        raise DataError(
            f"a prediction of kind {family} has the arrays {needed}; got {sorted(arrays)}: the file is damaged or of "
            "another version"
        )
    rebuilt: Prediction = kind(**arrays)
    return rebuilt


def _ensemble(arrays: Mapping[str, FloatArray]) -> EnsemblePrediction:
    members: dict[tuple[int, str], dict[str, FloatArray]] = defaultdict(dict)
    of_members = dict(arrays)
    weight = of_members.pop("weight", None)
    for key, values in of_members.items():
        index, _, rest = key.partition(".")
        family, _, name = rest.partition(".")
        if not (index.isdecimal() and name):
            raise DataError(f"an array of an ensemble is named like '0.normal.location'; got {key!r}")
        members[int(index), family][name] = values
    rebuilt = (from_arrays(family, members[index, family]) for index, family in sorted(members))
    return EnsemblePrediction(tuple(rebuilt), weight)
