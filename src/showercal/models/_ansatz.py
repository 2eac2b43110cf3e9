"""The Gaussian Ansatz: a likelihood whose maximum and curvature can be read off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from showercal.models._distribution import EnergyDistribution, joined
from showercal.models._normal import NormalEnergy
from showercal.prediction import NormalPrediction, Prediction


@dataclass(frozen=True, eq=False)
class GaussianAnsatzEnergy(EnergyDistribution):
    """T(x, z) = (z - B(x))^2 C(x, z) / 2 for signal x and energy z, with C < 0.

    Trained until T is log p(x | z), but for a function of x alone, which as a function of z is the likelihood: its
    maximum B(x) does not depend on the spectrum of the training events, and -1 / C(x, B(x)) is the variance there. The
    published form has a slope D(x) (z - B(x)), which must be driven to 0 before B and C mean this; with C below 0 and
    no slope they always do, and any likelihood with one maximum can still be written so. It also has an offset A(x),
    which drops out of the bound that is made large here (see `showercal.losses.mutual_information`).

    Args:
        location: Energy of the largest likelihood, shape (B,), [GeV].
        scale: Width there, shape (B,), [GeV].
        width: Energies (B, M) [GeV] -> 1 / sqrt(-C) at them, (B, M), above 0, [GeV].

    References:
        R. Gambhir, B. Nachman, J. Thaler, Phys. Rev. Lett. 129 (2022) 082001, arXiv:2205.03413, equations 7 to 10.
    """

    location: Tensor
    scale: Tensor
    width: Callable[[Tensor], Tensor]

    @property
    def mean(self) -> Tensor:
        return self.location

    def log_likelihood(self, energy: Tensor) -> Tensor:
        """T at energies (B, M) -> (B, M); 0 at its maximum."""
        return -0.5 * ((energy - self.location[:, None]) / self.width(energy)) ** 2

    def log_prob(self, energy: Tensor) -> Tensor:
        """Of the normal curve with this location and scale."""
        return self._normal().log_prob(energy)

    def quantile(self, levels: Sequence[float]) -> Tensor:
        return self._normal().quantile(levels)

    def _normal(self) -> NormalEnergy:
        return NormalEnergy(self.location, self.scale)

    @staticmethod
    def to_prediction(batches: Sequence[EnergyDistribution]) -> Prediction:
        return NormalPrediction(**joined(batches, "location", "scale"))
