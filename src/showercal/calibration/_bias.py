"""Bias correction: the mean or median prediction as a function of the true energy, inverted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import curve_fit

from showercal.calibration._binned import BinnedPrediction, Spacing, Statistic, bin_edges, binned_prediction
from showercal.calibration._checks import check_events, check_word
from showercal.calibration._formulae import FORMULAE
from showercal.calibration._maps import EnergyMap, LineMap, map_from_dict
from showercal.calibration._smoothing import smooth_by_cp
from showercal.calibration._tails import with_closure, with_tangents
from showercal.errors import DataError, ModelFileError, NotFittedError, RecipeError
from showercal.prediction import Prediction

FloatArray = NDArray[np.float64]
Form = Literal["line", "power", "power_offset", "spline", "none"]
Tails = Literal["closure", "tangent"]


class BiasCorrection:
    """Curve of the predicted against the true energy, fitted in bins of truth and inverted.

    * ``line``: E_pred = c0 * E + c1, ``power``: E_pred = c0 * E^c1, ``power_offset``: E_pred = c0 * E^c1 + c2, as in
      published calibrations. A method whose prediction does not vanish with the energy (noise, shrinkage) needs an
      offset, or the spline.
    * ``none``: the prediction stays as it is; nothing is fitted, so that any events will do.
    * ``spline``: a monotone piecewise cubic through the binned statistic, smoothed within its errors.

    A regressor trained by mean squared error shrinks towards the middle of a bounded spectrum: at the ends the curve
    flattens and the raw prediction is too narrow there. Only the spline undoes this, and two choices matter:

    * It is fitted to the **median**. Shrinkage is an increasing function of an unshrunk estimate, and medians commute
      with increasing functions, so the inverted median curve undoes it exactly. The mean does not commute: on a toy
      with the sampling noise of the electron study the width in the last bin comes back to 0.84 (mean) or 0.95
      (median) of the unshrunk one, and to 1.07 (mean) or 1.00 (median) three bins before.
    * Beyond the outermost bins there is no truth to fit. ``tails="closure"`` chooses the slope there such that the mean
      corrected energy in the outermost bin is the mean truth; ``"tangent"`` continues the spline, which still shrinks
      (0.81 instead of 0.95 in that toy, and a bias of -1 % instead of 0).

    Fit on validation events: training events flatter the method, test events flatter the correction. The statistical
    error of the correction itself is not part of the bootstrap errors of the evaluation: with 10,000 validation events
    it is 0.6 % of the mean width in the toy (0.3 % of it already for a line), with 100,000 it is 0.2 %.

    Args:
        form: "line", "power", "power_offset", "spline" or "none".
        statistic: "mean" or "median" of the prediction in a bin; None: median for the spline, mean otherwise.
        n_bins: Number of bins in true energy.
        spacing: "uniform", "log" or "quantile" (equally filled) bins.
        energy_range: Lowest and highest true energy used, [GeV]; None: those of the events.
        min_events: Fewest events allowed in a bin.
        smooth: Whether to smooth the spline's points within their errors (see `smooth_by_cp`).
        tails: "closure" or "tangent", for the spline.

    Attributes:
        map_: The correction, a `showercal.prediction.MonotoneMap`.
        bins_: The points fitted; None for no correction.
        parameters_: c0, c1 and, of ``power_offset``, c2, shape (P,); smoothed points of the spline, shape (n_bins,),
            [GeV]; nothing for no correction.
        covariance_: Of the parameters of a formula, shape (P, P); None for the spline and for no correction.
        chi2_, ndf_: Of the fit to the points. For the spline ndf_ counts effective parameters and is no whole number.
            None for no correction.
        n_outside_: Events outside ``energy_range``, which were not used; 0 for no correction.

    Raises:
        RecipeError: If an option is not valid.

    Example:
        >>> truth = np.linspace(1, 9, 2001)
        >>> correction = BiasCorrection("line").fit(truth, 0.8 * truth + 0.5)
        >>> correction.map_(np.array([4.5])).round(6)
        array([5.])
    """

    map_: EnergyMap
    bins_: BinnedPrediction | None
    parameters_: FloatArray
    covariance_: FloatArray | None
    chi2_: float | None
    ndf_: float | None
    n_outside_: int

    def __init__(
        self,
        form: Form = "spline",
        *,
        statistic: Statistic | None = None,
        n_bins: int = 20,
        spacing: Spacing = "uniform",
        energy_range: tuple[float, float] | None = None,
        min_events: int = 20,
        smooth: bool = True,
        tails: Tails = "closure",
    ) -> None:
        check_word("a bias correction", "form", form, get_args(Form))
        check_word("a bias correction", "statistic", statistic or "mean", get_args(Statistic))
        check_word("a bias correction", "spacing", spacing, get_args(Spacing))
        check_word("a bias correction", "tails", tails, get_args(Tails))
        if n_bins < 3 or min_events < 3:
            raise RecipeError(f"a bias correction needs n_bins >= 3 and min_events >= 3; got {n_bins} and {min_events}")
        if energy_range is not None and not 0 <= energy_range[0] < energy_range[1]:
            raise RecipeError(f"energy_range must be 0 <= low < high in GeV; got {energy_range}")
        self.form: Form = form
        self.statistic = statistic
        self.n_bins = n_bins
        self.spacing: Spacing = spacing
        self.energy_range = energy_range
        self.min_events = min_events
        self.smooth = smooth
        self.tails: Tails = tails

    def __repr__(self) -> str:
        return f"BiasCorrection({', '.join(f'{name}={value!r}' for name, value in self._options().items())})"

    def _options(self) -> dict[str, Any]:
        names = ("form", "statistic", "n_bins", "spacing", "energy_range", "min_events", "smooth", "tails")
        return {name: getattr(self, name) for name in names}

    def fit(self, energy_true: ArrayLike, prediction: Prediction | ArrayLike) -> Self:
        """Fit the curve on validation events.

        Args:
            energy_true: True energies, shape (B,), [GeV].
            prediction: The uncorrected predictions: a `Prediction`, whose medians are used (medians commute with the
                correction), or energies of shape (B,), [GeV].

        Raises:
            DataError: If values are NaN or negative; and, unless there is no correction, if a bin has too few events or
                the curve does not rise.
        """
        truth = np.asarray(energy_true, dtype=np.float64)
        pred = np.asarray(prediction.median if isinstance(prediction, Prediction) else prediction, dtype=np.float64)
        check_events(truth, pred)
        if self.form == "none":
            self.map_, self.parameters_, self.covariance_ = LineMap(1.0, 0.0), np.empty(0), None
            self.bins_, self.chi2_, self.ndf_, self.n_outside_ = None, None, None, 0
            return self
        low, high = self.energy_range or (float(truth.min()), float(truth.max()))
        self._check_range(low, high)
        edges = bin_edges(truth, self.n_bins, self.spacing, low, high)
        statistic = self.statistic or ("median" if self.form == "spline" else "mean")
        bins = binned_prediction(truth, pred, edges, statistic, self.min_events)
        self.bins_, self.n_outside_ = bins, len(truth) - int(bins.n_events.sum())
        if self.form == "spline":
            self._fit_spline(bins, truth, pred)
        else:
            self._fit_formula(bins)
        return self

    def apply(self, prediction: Prediction) -> Prediction:
        """The corrected prediction.

        Raises:
            NotFittedError: Before ``fit``.
        """
        return prediction.transform(self._fitted_map())

    def _fitted_map(self) -> EnergyMap:
        if not hasattr(self, "map_"):
            raise NotFittedError(
                "this BiasCorrection is not fitted: call fit(energy_true, prediction) on validation events"
            )
        return self.map_

    def _check_range(self, low: float, high: float) -> None:
        if not low < high:
            raise DataError(
                f"all events have energy_true = {low:g} GeV: a bias correction needs a spectrum of energies"
            )
        if self.spacing == "log" and not low > 0:
            raise DataError(f"log bins need energies above 0; got a lowest of {low:g} GeV: set energy_range")

    def _fit_formula(self, bins: BinnedPrediction) -> None:
        if self.form == "power" and np.any(bins.energy_pred <= 0):
            k = int(np.argmax(bins.energy_pred <= 0))
            raise DataError(
                f"a power law needs predictions above 0 GeV; got {bins.energy_pred[k]:g} GeV for energy_true "
                f"{bins.energy_true[k]:g} GeV (bin {k}); use form 'power_offset', 'line' or 'spline', or a narrower "
                "energy_range"
            )
        formula = FORMULAE[self.form]
        try:
            parameters, covariance = curve_fit(
                formula.curve,
                bins.energy_true,
                bins.energy_pred,
                p0=formula.start(bins),
                sigma=bins.error,
                absolute_sigma=True,
                jac=formula.slopes,
            )
        except RuntimeError as fault:
            raise DataError(
                f"the fit of the form {self.form!r} to {len(bins.energy_true)} bins does not converge; use form 'line' "
                "or 'spline', or a narrower energy_range"
            ) from fault
        self.map_ = formula.inverse(*parameters.tolist(), bins)
        self.parameters_, self.covariance_ = parameters, covariance
        self._keep_quality(bins, formula.curve(bins.energy_true, *parameters), len(parameters))

    def _fit_spline(self, bins: BinnedPrediction, truth: FloatArray, pred: FloatArray) -> None:
        points, n_parameters = bins.energy_pred, float(len(bins.energy_pred))
        if self.smooth:
            points, n_parameters = smooth_by_cp(bins.energy_true, points, bins.error)
        _check_rising(bins, points)
        spline = with_tangents(points, bins.energy_true)
        self.map_ = with_closure(spline, bins, truth, pred) if self.tails == "closure" else spline
        self.parameters_, self.covariance_ = points, None
        self._keep_quality(bins, points, n_parameters)

    def _keep_quality(self, bins: BinnedPrediction, curve: FloatArray, n_parameters: float) -> None:
        self.chi2_ = float(np.sum(((bins.energy_pred - curve) / bins.error) ** 2))
        self.ndf_ = len(curve) - n_parameters

    def to_dict(self) -> dict[str, Any]:
        """The options and the fitted map, JSON-ready; the fitted points are not kept.

        Raises:
            NotFittedError: Before ``fit``.
        """
        options = self._options()
        options["energy_range"] = list(self.energy_range) if self.energy_range else None
        return {"options": options, "map": self._fitted_map().to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> BiasCorrection:
        """Rebuild a fitted correction from ``to_dict``.

        Raises:
            ModelFileError: If the values are not those of a correction.
        """
        if set(values) != {"options", "map"}:
            raise ModelFileError(f"a bias correction needs 'options' and 'map'; got {sorted(values)}")
        options = dict(values["options"])
        if options.get("energy_range") is not None:
            options["energy_range"] = tuple(options["energy_range"])
        try:
            correction = cls(**options)
        except TypeError as error:
            raise ModelFileError(f"not the options of a bias correction: {error}") from error
        correction.map_ = map_from_dict(values["map"])
        return correction


def _check_rising(bins: BinnedPrediction, points: FloatArray) -> None:
    falls = np.diff(points) <= 0
    if np.any(falls):
        k = int(np.argmax(falls))
        raise DataError(
            f"the prediction does not rise with energy_true: {points[k]:.4g} GeV at {bins.energy_true[k]:.4g} GeV, "
            f"then {points[k + 1]:.4g} GeV at {bins.energy_true[k + 1]:.4g} GeV (bins {k} and {k + 1}); use fewer "
            "bins, smooth=True, form 'line' or more validation events, or train longer"
        )
