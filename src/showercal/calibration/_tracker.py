"""A tracker beside the calorimeter: how well it measures the energy of a particle, and what it measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Final, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

FloatArray = NDArray[np.float64]

# Lower energies count as this one, [GeV]: a tracker that is linear in the energy would be exact at 0.
LOWEST: Final = 1e-3


class _Tracker(BaseModel, ABC):
    """What all trackers have in common.

    Args:
        field: Field of the events with the measured energy, [GeV]; None: the true energy is smeared.
        seed: Of the smearing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str | None = None
    seed: int = Field(default=1, ge=0)

    @abstractmethod
    def resolution(self, energy: ArrayLike) -> FloatArray:
        """sigma/E at energies E, any shape, [GeV] -> no unit."""

    def width(self, energy: ArrayLike) -> FloatArray:
        """sigma at energies E, any shape, [GeV]."""
        above: FloatArray = np.maximum(np.asarray(energy, dtype=np.float64), LOWEST)
        return self.resolution(above) * above

    def log_likelihood(self, measured: FloatArray, energy: FloatArray) -> FloatArray:
        """Log density of a measured energy when the true one is ``energy``, shape (B,), per GeV."""
        width = self.width(energy)
        result: FloatArray = -0.5 * ((measured - energy) / width) ** 2 - np.log(width) - 0.5 * np.log(2 * np.pi)
        return result

    def smeared(self, energy_true: FloatArray) -> FloatArray:
        """True energies with the normal error of the tracker, shape (B,), [GeV]; may be below 0."""
        noise = np.random.default_rng(self.seed).standard_normal(len(energy_true))
        return energy_true + self.width(energy_true) * noise


class LinearTracker(_Tracker):
    """sigma/E = relative * E: a constant error of the curvature, without multiple scattering.

    Args:
        relative: Relative resolution per GeV; 2e-4 is the published one, 20 % at 1 TeV.

    References:
        J. Kieseler et al., Eur. Phys. J. C 82 (2022) 79.

    Example:
        >>> LinearTracker().width(1000.0)
        np.float64(200.0)
    """

    kind: Literal["linear"] = "linear"
    relative: float = Field(default=2e-4, gt=0)

    def resolution(self, energy: ArrayLike) -> FloatArray:
        return self.relative * np.asarray(energy, dtype=np.float64)


class TableTracker(_Tracker):
    """Any resolution, through points: a power law of the energy between neighbours, and beyond the outermost two.

    Args:
        energy: Energies of the points, above 0, rising, two or more, [GeV].
        resolution_at: sigma/E there, above 0.

    Example:
        >>> TableTracker(energy=(100, 1000), resolution_at=(0.02, 0.2)).resolution([50.0, 500.0, 4000.0]).round(6)
        array([0.01, 0.1 , 0.8 ])
    """

    kind: Literal["table"] = "table"
    energy: tuple[float, ...] = Field(min_length=2)
    resolution_at: tuple[float, ...]

    @model_validator(mode="after")
    def _is_a_curve(self) -> Self:
        if len(self.energy) != len(self.resolution_at):
            raise ValueError(
                "energy and resolution_at must be of one length; got "
                f"{len(self.energy)} and {len(self.resolution_at)} numbers"
            )
        energy, resolution = np.array(self.energy), np.array(self.resolution_at)
        if not (energy[0] > 0 and np.all(np.diff(energy) > 0) and np.isfinite(energy[-1])):
            raise ValueError(f"energies of a tracker must be above 0 GeV and rise; got {self.energy}")
        if not np.all((resolution > 0) & np.isfinite(resolution)):
            raise ValueError(f"resolutions of a tracker must be above 0; got {self.resolution_at}")
        return self

    def resolution(self, energy: ArrayLike) -> FloatArray:
        at, points, values = np.log(energy), np.log(self.energy), np.log(self.resolution_at)
        slopes = np.diff(values) / np.diff(points)
        piece = np.clip(np.searchsorted(points, at, side="right") - 1, 0, len(slopes) - 1)
        result: FloatArray = np.exp(values[piece] + slopes[piece] * (at - points[piece]))
        return result


TrackerConfig = Annotated[LinearTracker | TableTracker, Field(discriminator="kind")]
