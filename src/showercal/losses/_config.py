"""Options of the losses."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MseConfig(_Options):
    """Mean squared error of the mean."""

    kind: Literal["mse"] = "mse"


class MaeConfig(_Options):
    """Mean absolute error of the mean."""

    kind: Literal["mae"] = "mae"


class HuberConfig(_Options):
    """Squared error up to ``delta``, absolute beyond, [GeV]."""

    kind: Literal["huber"] = "huber"
    delta: float = Field(default=1.0, gt=0)


class LogCoshConfig(_Options):
    """Squared error well below ``scale``, absolute well above, [GeV]."""

    kind: Literal["log_cosh"] = "log_cosh"
    scale: float = Field(default=1.0, gt=0)


class FractionalMseConfig(_Options):
    """Squared error of the mean over the true energy."""

    kind: Literal["fractional_mse"] = "fractional_mse"


class FractionalHuberConfig(_Options):
    """The same with a straight line beyond thresholds that follow the errors (see `FractionalHuber`).

    Args:
        low, high: Ends of the bins of true energy, [GeV].
        n_bins: Of equal width, each with a threshold.
        quantile: Share of the events of a bin that keep the square.
        momentum: Share of a batch in its thresholds; 0 keeps the first ones.
    """

    kind: Literal["fractional_huber"] = "fractional_huber"
    low: float = Field(ge=0)
    high: float
    n_bins: int = Field(default=5, ge=1)
    quantile: float = Field(default=0.68, gt=0, lt=1)
    momentum: float = Field(default=0.1, ge=0, le=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"fractional_huber needs low < high; got {self.low:g} and {self.high:g} GeV")
        return self


class QuantileConfig(_Options):
    """Quantile loss at the levels of the head (``quantiles``)."""

    kind: Literal["quantile"] = "quantile"


class NllConfig(_Options):
    """Negative log-likelihood of the truth, for a head with a width."""

    kind: Literal["nll"] = "nll"


class RootEnergyWidth(_Options):
    """sigma^2 = stochastic_term^2 E_true + noise_term^2; 0.31 sqrt(GeV) and no noise are the published ones.

    Args:
        stochastic_term: [sqrt(GeV)].
        noise_term: [GeV].
    """

    kind: Literal["root_energy"] = "root_energy"
    stochastic_term: float = Field(default=0.31, gt=0)
    noise_term: float = Field(default=0.0, ge=0)


class FittedWidth(_Options):
    """sigma = c0 sqrt(E_true) + c1 E_true, fitted to what the network gets wrong before this training begins."""

    kind: Literal["fitted"] = "fitted"


class PredictedWidth(_Options):
    """sigma as the network predicts it, for head ``normal``."""

    kind: Literal["predicted"] = "predicted"


class BoundaryConfig(_Options):
    """Likelihood that knows the ends of the training spectrum (see `boundary_likelihood`).

    Args:
        low, high: Ends of the training spectrum, [GeV].
        sigma: Width of the normal curve.
        train_width: Train the width of head ``normal``, too, by the same likelihood at the location held fixed
            and away from the ends of the spectrum: no event then weighs more or less in the location for its width.
    """

    kind: Literal["boundary"] = "boundary"
    low: float
    high: float
    sigma: Annotated[RootEnergyWidth | FittedWidth | PredictedWidth, Field(discriminator="kind")] = RootEnergyWidth()
    train_width: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"the boundary likelihood needs low < high; got {self.low:g} and {self.high:g} GeV")
        return self


class MutualInformationConfig(_Options):
    """Bound on the mutual information of signal and energy (see `mutual_information`), for head ``gaussian_ansatz``.

    Args:
        n_energies: Energies among which that of an event is to be found; the bound cannot exceed their logarithm.
    """

    kind: Literal["mutual_information"] = "mutual_information"
    n_energies: int = Field(default=64, ge=2)


class WeightingConfig(_Options):
    """Weight of an event in the loss by its true energy (see `sigmoid_weighting`).

    Args:
        centre: Energy of weight one half, [GeV].
        width: How fast the weight falls, [GeV].
        width_above: The same above the centre, where it is to fall otherwise, [GeV]; None for ``width``.
    """

    kind: Literal["sigmoid"] = "sigmoid"
    centre: float
    width: float = Field(gt=0)
    width_above: float | None = Field(default=None, gt=0)


LossConfig = Annotated[
    MseConfig
    | MaeConfig
    | HuberConfig
    | LogCoshConfig
    | FractionalMseConfig
    | FractionalHuberConfig
    | QuantileConfig
    | NllConfig
    | BoundaryConfig
    | MutualInformationConfig,
    Field(discriminator="kind"),
]
