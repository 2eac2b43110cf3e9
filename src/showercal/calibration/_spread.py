"""How much the answers of a point estimator scatter, as a function of the energy: the width it does not predict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showercal.calibration._checks import check_events
from showercal.errors import ModelFileError, NotFittedError
from showercal.prediction import ONE_SIGMA

FloatArray = NDArray[np.float64]

_MOST_BINS: Final = 40
_EVENTS_PER_BIN: Final = 100


class EnergySpread:
    """RMSE versus the true energy: half the central 68.27 % of the errors and their median, in quadrature.

    Measured in bins of equally many events, 40 of them or as many as leave 100 events to each; straight lines between
    the mean true energies of the bins, constant beyond. Fit on validation events, after the bias correction.

    Attributes:
        energy_: Mean true energy of the bins, rising, shape (K,), [GeV].
        width_: RMSE there, shape (K,), [GeV].

    Example:
        >>> truth = np.linspace(1, 9, 4000)
        >>> zigzag = truth + 0.5 * (-1) ** np.arange(4000)
        >>> EnergySpread().fit(truth, zigzag).width([2.0, 8.0])
        array([0.5, 0.5])
    """

    energy_: FloatArray
    width_: FloatArray

    def fit(self, energy_true: ArrayLike, energy_pred: ArrayLike) -> Self:
        """Measure on validation events.

        Args:
            energy_true: Shape (B,), [GeV].
            energy_pred: Their predictions, shape (B,), [GeV].

        Raises:
            DataError: If values are not finite, or there are none.
        """
        truth, pred = (np.asarray(a, dtype=np.float64) for a in (energy_true, energy_pred))
        check_events(truth, pred)
        n_bins = min(_MOST_BINS, max(1, len(truth) // _EVENTS_PER_BIN))
        bins = np.array_split(np.argsort(truth, kind="stable"), n_bins)
        energy, width = np.array([(truth[at].mean(), _rmse(pred[at] - truth[at])) for at in bins]).T
        # beams of a few fixed energies fill several bins each
        self.energy_, first = np.unique(energy, return_index=True)
        self.width_ = width[first]
        return self

    def width(self, energy: ArrayLike) -> FloatArray:
        """RMSE at energies of any shape, [GeV].

        Raises:
            NotFittedError: Before ``fit``.
        """
        if not hasattr(self, "width_"):
            raise NotFittedError("this EnergySpread is not fitted: call fit(energy_true, energy_pred)")
        result: FloatArray = np.interp(np.asarray(energy), self.energy_, self.width_)
        return result

    def to_dict(self) -> dict[str, Any]:
        """What was measured, JSON-ready."""
        return {"energy": self.energy_.tolist(), "width": self.width_.tolist()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EnergySpread:
        """Rebuild from ``to_dict``.

        Raises:
            ModelFileError: If the values are not those of a spread.
        """
        if set(values) != {"energy", "width"} or len(values["energy"]) != len(values["width"]):
            raise ModelFileError(f"a spread needs 'energy' and 'width' of one length; got {sorted(values)}")
        spread = cls()
        spread.energy_, spread.width_ = (np.array(values[name], dtype=np.float64) for name in ("energy", "width"))
        return spread


def _rmse(error: FloatArray) -> float:
    low, middle, high = np.quantile(error, [(1 - ONE_SIGMA) / 2, 0.5, (1 + ONE_SIGMA) / 2])
    return float(np.hypot((high - low) / 2, middle))
