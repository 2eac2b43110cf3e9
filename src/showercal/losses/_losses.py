"""Losses; every one takes (distribution, energy_true) of B events and returns one number per event, shape (B,)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from torch import Tensor
from torch.nn import functional

from showercal.errors import NoWidthError
from showercal.models import (
    EnergyDistribution,
    GaussianAnsatzEnergy,
    NormalEnergy,
    QuantileEnergy,
    TruncatedNormalEnergy,
)

Loss = Callable[[EnergyDistribution, Tensor], Tensor]
Width = Callable[[EnergyDistribution, Tensor], Tensor]
# Widths between a location and the ends of the spectrum from which the width can be learned.
_MARGIN: Final = 2.0


def mse(distribution: EnergyDistribution, energy_true: Tensor) -> Tensor:
    """Squared error of the mean, shape (B,), [GeV^2].

    Args:
        distribution: Of B events.
        energy_true: Shape (B,), [GeV].
    """
    return functional.mse_loss(distribution.mean, energy_true, reduction="none")


def mae(distribution: EnergyDistribution, energy_true: Tensor) -> Tensor:
    """Absolute error of the mean, shape (B,), [GeV]; it leads to the median of what is possible."""
    return functional.l1_loss(distribution.mean, energy_true, reduction="none")


def huber(delta: float) -> Loss:
    """Half the squared error up to ``delta`` GeV, a straight line beyond, [GeV^2].

    References:
        P. J. Huber, Ann. Math. Statist. 35 (1964) 73.
    """

    def loss(distribution: EnergyDistribution, energy_true: Tensor) -> Tensor:
        return functional.huber_loss(distribution.mean, energy_true, reduction="none", delta=delta)

    return loss


def log_cosh(scale: float) -> Loss:
    """log(cosh(error / scale)): half a square for small errors, a straight line for large ones."""

    def loss(distribution: EnergyDistribution, energy_true: Tensor) -> Tensor:
        error = ((distribution.mean - energy_true) / scale).abs()
        # cosh itself overflows beyond 89 in float32
        return error + functional.softplus(-2 * error) - math.log(2)

    return loss


def quantile(distribution: EnergyDistribution, energy_true: Tensor) -> Tensor:
    """Quantile (pinball) loss, mean over the levels, shape (B,), [GeV].

    Raises:
        NoWidthError: If the distribution is not a set of quantiles.

    References:
        R. Koenker and G. Bassett, Econometrica 46 (1978) 33.
    """
    if not isinstance(distribution, QuantileEnergy):
        raise NoWidthError("the quantile loss needs a network with head: {kind: quantiles}")
    missing = energy_true[:, None] - distribution.energy
    return torch.maximum(distribution.level * missing, (distribution.level - 1) * missing).mean(1)


def negative_log_likelihood(distribution: EnergyDistribution, energy_true: Tensor) -> Tensor:
    """-log p(energy_true), energies in GeV, shape (B,).

    Args:
        distribution: Of B events, with a width.
        energy_true: Shape (B,), [GeV].

    Raises:
        NoWidthError: For a point estimator.
    """
    return -distribution.log_prob(energy_true)


def root_energy_width(stochastic_term: float, noise_term: float = 0.0) -> Width:
    """sigma^2 = stochastic_term^2 E_true + noise_term^2."""
    return lambda distribution, energy_true: (stochastic_term**2 * energy_true + noise_term**2).sqrt()


def polynomial_width(c0: float, c1: float) -> Width:
    """sigma = c0 sqrt(E_true) + c1 E_true."""
    return lambda distribution, energy_true: c0 * energy_true.sqrt() + c1 * energy_true


def fit_width(energy_true: NDArray[np.float64], energy_pred: NDArray[np.float64], n_bins: int = 20) -> Width:
    """sigma(E) = c0 sqrt(E) + c1 E with c0, c1 >= 0, fitted to the widths of the error in bins of the true energy.

    Args:
        energy_true, energy_pred: Shape (N,), [GeV].
        n_bins: Equally filled bins.

    References:
        S. Schnake, Universitaet Hamburg 2019 ("Predict sigma": the width is fitted to the residuals in 20 bins).
    """
    groups = np.array_split(np.argsort(energy_true), n_bins)
    energy = np.array([energy_true[at].mean() for at in groups])
    sigma = np.array([(energy_pred - energy_true)[at].std() for at in groups])
    # errors of a width are proportional to it
    design = np.stack([np.sqrt(energy), energy], axis=1) / sigma[:, None]
    c0, c1 = nnls(design, np.ones(n_bins))[0]
    return polynomial_width(float(c0), float(c1))


def predicted_width(distribution: EnergyDistribution, energy_true: Tensor) -> Tensor:
    """sigma as the network gives it.

    Raises:
        NoWidthError: If the network gives none, or not one number.
    """
    if not isinstance(distribution, NormalEnergy):
        raise NoWidthError("a boundary loss with a predicted sigma needs a network with head: {kind: normal}")
    return distribution.scale


def boundary_likelihood(low: float, high: float, width: Width, train_width: bool = False) -> Loss:
    """-log [ N(y | y_hat, sigma) / integral of N over low..high ], half the published form.

    Twice its value is (y - y_hat)^2 / sigma^2 + ln( pi sigma^2 / 2 * (erf((y_hat - a) / sqrt(2) sigma) -
    erf((y_hat - b) / sqrt(2) sigma))^2 ). The integral says that the truth cannot lie outside the training spectrum, so
    y_hat need not shrink towards its middle: at the ends it may lie outside. It is computed from logarithms of the
    tails, so that value and gradients stay finite for every y_hat.

    Args:
        low, high: a and b, the ends of the training spectrum, [GeV].
        width: sigma of each event.
        train_width: Add the same with the predicted sigma and y_hat held fixed, of events whose y_hat lies two widths
            or more within the spectrum. Beyond, only truths on one side of y_hat are possible, which
            tell little of the width: learned there, it comes out too small in the last bins of the true energy.

    References:
        S. Schnake, Universitaet Hamburg 2019 ("Maximum Likelihood Loss").
    """

    def likelihood(location: Tensor, sigma: Tensor, energy_true: Tensor) -> Tensor:
        """-log of the density, shape (B,)."""
        ends = (torch.full_like(energy_true, end) for end in (low, high))
        # a true energy of exactly 0 has sigma = 0.31 sqrt(E) = 0, which is no width
        return -TruncatedNormalEnergy(location, sigma.clamp(min=1e-3), *ends).log_prob(energy_true)

    def loss(distribution: EnergyDistribution, energy_true: Tensor) -> Tensor:
        each = likelihood(distribution.mean, width(distribution, energy_true), energy_true)
        if train_width:
            location = distribution.mean.detach()
            # the width at the location: by the predicted one, the wider it grew the fewer events would count against
            # it; by that at the truth, the truth would choose which events count
            margin = _MARGIN * width(distribution, location.clamp(low, high)).detach()
            inside = (location > low + margin) & (location < high - margin)
            each = each + inside * likelihood(location, predicted_width(distribution, energy_true), energy_true)
        return each

    return loss


def mutual_information(n_energies: int) -> Loss:
    """Minus what each event adds to a bound on the mutual information of signal x and energy z, (B,), in nats.

    T(x_i, z_i) - log mean_j exp T(x_i, z_j) for each event i, where z_j are the energy of the event itself and those
    of ``n_energies - 1`` other events of the batch: the signal is to find its energy among them. The best T is the
    log-likelihood, whatever the spectrum of the energies and however few they are. The bound of Donsker and Varadhan,
    which was published for the Gaussian Ansatz, takes the mean over the signals, too, inside the logarithm: it holds in
    the limit of large batches only, and some signals with a large T decide what a batch says.

    Raises:
        NoWidthError: If the network has another head.

    References:
        A. van den Oord, Y. Li, O. Vinyals, arXiv:1807.03748, equation 4 and appendix A.1; B. Poole et al.,
        arXiv:1905.06922 (I_NCE); R. Gambhir, B. Nachman, J. Thaler, arXiv:2205.03413, equation 5.
    """

    def loss(distribution: EnergyDistribution, energy_true: Tensor) -> Tensor:
        if not isinstance(distribution, GaussianAnsatzEnergy):
            raise NoWidthError("loss mutual_information needs a network with head: {kind: gaussian_ansatz}")
        B = len(energy_true)
        # batches come in random order, so that the next ones are random other events; a short last batch has fewer
        own, step = (torch.arange(n, device=energy_true.device) for n in (B, min(n_energies, B)))
        found = distribution.log_likelihood(energy_true[(own[:, None] + step) % B])
        return found.logsumexp(1) - math.log(len(step)) - found[:, 0]

    return loss
