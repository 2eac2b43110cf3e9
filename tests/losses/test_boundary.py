"""The boundary-corrected likelihood: exact, finite everywhere, and free of the shrinkage that it is made against."""

import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import torch

from showercal.losses import boundary_likelihood, polynomial_width, predicted_width, root_energy_width
from showercal.models import NormalEnergy, PointEnergy, log_normal_mass

LOW, HIGH = 0.0, 10.0


def published(y: float, y_hat: float | mpmath.mpf, sigma: float) -> mpmath.mpf:
    """The form on the slide, (y - y_hat)^2 / sigma^2 + ln(pi sigma^2 / 2 (erf - erf)^2), at 50 digits."""
    with mpmath.workdps(50):
        y, y_hat, sigma = mpmath.mpf(y), mpmath.mpf(y_hat), mpmath.mpf(sigma)
        root = mpmath.sqrt(2) * sigma
        # erf(x) - erf(y) of large arguments of one sign cancels even at 50 digits
        a, b = (y_hat - LOW) / root, (y_hat - HIGH) / root
        if b > 0:
            mass = mpmath.erfc(b) - mpmath.erfc(a)
        elif a < 0:
            mass = mpmath.erfc(-a) - mpmath.erfc(-b)
        else:
            mass = mpmath.erf(a) - mpmath.erf(b)
        return (y - y_hat) ** 2 / sigma**2 + mpmath.log(mpmath.pi * sigma**2 / 2 * mass**2)


def loss(y: torch.Tensor, y_hat: torch.Tensor) -> torch.Tensor:
    return boundary_likelihood(LOW, HIGH, root_energy_width(0.31))(PointEnergy(y_hat), y)


@pytest.mark.parametrize("pull", [-50.0, -12.0, -5.0, -1.0, 0.0, 3.0, 20.0, 50.0])
@pytest.mark.parametrize("y", [0.02, 0.5, 5.0, 9.97])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 3e-6)])
def test_is_half_the_published_form(y: float, pull: float, dtype: torch.dtype, tolerance: float) -> None:
    sigma = 0.31 * math.sqrt(y)
    # beyond the near end of the interval by `pull` widths
    y_hat = (HIGH if pull > 0 else LOW) + pull * sigma if pull else y
    y_hat = float(torch.tensor(y_hat, dtype=dtype))
    expected = published(y, y_hat, sigma) / 2
    got = float(loss(torch.tensor([y], dtype=dtype), torch.tensor([y_hat], dtype=dtype))[0])
    # the two terms are large and opposite: the tolerance is relative to them
    size = max(1.0, 0.5 * ((y - y_hat) / sigma) ** 2)
    assert abs(got - float(expected)) < tolerance * size


@pytest.mark.parametrize("pull", [-1000.0, -50.0, 50.0, 1000.0])
def test_gradients_are_finite_and_right_far_outside(pull: float) -> None:
    """In float32; by calculus the slope is (mean of the truncated normal - y) / sigma^2."""
    y = torch.tensor([0.01, 0.5, 5.0, 9.99])
    sigma = 0.31 * y.sqrt()
    end = HIGH if pull > 0 else LOW
    y_hat = (end + pull * sigma).requires_grad_()
    loss(y, y_hat).sum().backward()
    assert y_hat.grad is not None
    assert torch.isfinite(y_hat.grad).all()
    # so far outside, what is left of the normal curve falls off within sigma / pull of the end
    expected = (end - sigma / pull - y) / sigma**2
    torch.testing.assert_close(y_hat.grad, expected, rtol=2e-3, atol=0)


def test_gradient_is_that_of_the_published_form() -> None:
    y = torch.tensor([3.0], dtype=torch.float64)
    for y_hat in (-4.0, 3.5, 14.0):
        at = torch.tensor([y_hat], dtype=torch.float64, requires_grad=True)
        loss(y, at).sum().backward()
        sigma = 0.31 * math.sqrt(3.0)
        with mpmath.workdps(50):
            step = mpmath.mpf("1e-15")
            slope = (published(3.0, y_hat + step, sigma) - published(3.0, y_hat - step, sigma)) / (4 * step)
        assert at.grad is not None
        assert float(at.grad[0]) == pytest.approx(float(slope), rel=1e-9)


@pytest.mark.parametrize(
    ("low", "high"), [(-60.0, -50.0), (50.0, 70.0), (-3.0, 4.0), (-1e-3, 1e-3), (5.0, 5.1), (-80, 80)]
)
def test_mass_of_a_normal(low: float, high: float) -> None:
    with mpmath.workdps(50):
        a, b = (
            (mpmath.mpf(x) / mpmath.sqrt(2) for x in sorted((abs(low), abs(high))))
            if low * high > 0
            else (
                mpmath.mpf(low) / mpmath.sqrt(2),
                mpmath.mpf(high) / mpmath.sqrt(2),
            )
        )
        expected = mpmath.log((mpmath.erfc(a) - mpmath.erfc(b)) / 2)
    got = log_normal_mass(*(torch.tensor(x, dtype=torch.float64) for x in (low, high)))
    assert float(got) == pytest.approx(float(expected), rel=1e-11, abs=1e-14)


def test_removes_the_shrinkage_of_mse() -> None:
    """Signals with a known error, energies up to 10: the best constant answer at the end is outside, not shrunk.

    At signal s the truth is spread as a normal around s, truncated at 10. Squared error is smallest at the mean of what
    is left, below s; the likelihood is smallest at s itself.
    """
    rng = np.random.default_rng(1)
    for signal in (9.9, 10.5):
        y = rng.normal(signal, 0.9, 400_000)
        y = torch.from_numpy(y[y < HIGH])
        answers = torch.linspace(8.5, 11.5, 61, dtype=torch.float64)
        width = lambda distribution, energy: torch.full_like(energy, 0.9)  # noqa: E731
        losses = torch.stack(
            [boundary_likelihood(LOW, HIGH, width)(PointEnergy(a.expand_as(y)), y).mean() for a in answers]
        )
        assert float(answers[losses.argmin()]) == pytest.approx(signal, abs=0.051)
        assert float(y.mean()) < signal - 0.3


def test_widths() -> None:
    energy = torch.tensor([1.0, 4.0])
    distribution = NormalEnergy(energy, torch.tensor([0.2, 0.3]))
    torch.testing.assert_close(root_energy_width(0.3)(distribution, energy), torch.tensor([0.3, 0.6]))
    torch.testing.assert_close(polynomial_width(0.3, 0.1)(distribution, energy), torch.tensor([0.4, 1.0]))
    torch.testing.assert_close(predicted_width(distribution, energy), distribution.scale)


def test_a_width_trained_beside_the_location_leaves_it_alone() -> None:
    """The location has the slope of the fixed sigma; the width that of the predicted one, away from the ends."""
    y = torch.tensor([0.3, 2.0, 7.5, 9.5], dtype=torch.float64)
    inside = torch.tensor([False, True, True, False])

    def of(loss_of: Callable[[NormalEnergy, torch.Tensor], torch.Tensor]) -> tuple[torch.Tensor, ...]:
        location = torch.tensor([0.2, 2.5, 7.9, 10.5], dtype=torch.float64, requires_grad=True)
        scale = torch.tensor([0.2, 0.5, 0.9, 0.8], dtype=torch.float64, requires_grad=True)
        value = loss_of(NormalEnergy(location, scale), y).mean()
        slopes = torch.autograd.grad(value, (location, scale), allow_unused=True)
        return value, *(torch.zeros(4, dtype=torch.float64) if slope is None else slope for slope in slopes)

    fixed = root_energy_width(0.26, 0.04)
    both = of(boundary_likelihood(LOW, HIGH, fixed, train_width=True))
    location = of(boundary_likelihood(LOW, HIGH, fixed))
    width = of(boundary_likelihood(LOW, HIGH, predicted_width))
    assert both[0] != location[0]
    torch.testing.assert_close(both[1], location[1])
    torch.testing.assert_close(both[2], torch.where(inside, width[2], 0.0))
    assert (width[2] != 0).all()


def test_noise_adds_in_quadrature() -> None:
    energy = torch.tensor([0.0, 1.0, 9.0])
    sigma = root_energy_width(0.3, 0.4)(PointEnergy(energy), energy)
    torch.testing.assert_close(sigma, torch.tensor([0.4, 0.5, math.sqrt(0.09 * 9 + 0.16)]))
