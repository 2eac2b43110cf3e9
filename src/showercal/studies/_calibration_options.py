"""Options of what is fitted on validation events."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class CalibrationConfig(BaseModel):
    """What is fitted on validation events: the bias correction, then the width.

    Args:
        form, statistic, n_bins: Of the bias correction (see `showercal.calibration.BiasCorrection`); form ``none`` for
            none.
        low, high: Range of true energy in which the bias correction is fitted, [GeV]; None for that of the events.
        width: Form of the recalibration of predicted widths (see `showercal.calibration.WidthRecalibration`), or
            ``none``. Results hold the main numbers before it, too. The default can hardly overfit: it is one factor.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: Literal["line", "power", "power_offset", "spline", "none"] = "line"
    statistic: Literal["mean", "median"] = "mean"
    n_bins: int = Field(default=20, ge=3)
    low: float | None = Field(default=None, ge=0)
    high: float | None = None
    width: Literal["none", "scale", "isotonic", "conformal"] = "scale"

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high are one range: give both or neither")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"low must be below high; got {self.low:g} and {self.high:g} GeV")
        return self

    @property
    def energy_range(self) -> tuple[float, float] | None:
        """Both ends, or None, [GeV]."""
        return None if self.low is None or self.high is None else (self.low, self.high)
