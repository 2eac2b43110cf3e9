"""Losses against formulas written out, and their optimum on samples."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from showercal.errors import NoWidthError
from showercal.losses import (
    Loss,
    LossConfig,
    build_loss,
    distance_correlation,
    fit_width,
    mutual_information,
    predicted_width,
    quantile,
)
from showercal.models import GaussianAnsatzEnergy, NormalEnergy, PointEnergy, QuantileEnergy


def loss(**options: object) -> Loss:
    return build_loss(TypeAdapter(LossConfig).validate_python(options))


@pytest.fixture
def errors() -> Iterator[torch.Tensor]:
    yield torch.tensor([-40.0, -0.3, 0.0, 0.2, 1.5], dtype=torch.float64)


def test_point_losses_are_their_formulas(errors: torch.Tensor) -> None:
    truth = torch.full_like(errors, 50.0)
    pred = PointEnergy(truth + errors)
    e = errors.numpy()
    expected = {
        ("mse",): e**2,
        ("mae",): abs(e),
        ("huber", "delta", 0.5): np.where(abs(e) < 0.5, e**2 / 2, 0.5 * (abs(e) - 0.25)),
        ("log_cosh", "scale", 2.0): np.log(np.cosh(e / 2.0)),
    }
    for (kind, *option), value in expected.items():
        options = dict(zip(option[::2], option[1::2], strict=True))
        np.testing.assert_allclose(loss(kind=kind, **options)(pred, truth), value, rtol=1e-12, atol=1e-15, err_msg=kind)


def test_log_cosh_does_not_overflow() -> None:
    pred = PointEnergy(torch.tensor([1e4], requires_grad=True))
    value = loss(kind="log_cosh")(pred, torch.zeros(1))
    value.backward()
    assert float(value.detach()) == pytest.approx(1e4 - math.log(2))
    assert pred.energy.grad is not None
    assert float(pred.energy.grad) == pytest.approx(1.0)


def test_quantile_loss_is_smallest_at_the_quantiles() -> None:
    truth = torch.from_numpy(np.random.default_rng(2).exponential(2.0, 40_000))
    levels = torch.tensor([[0.1, 0.5, 0.9]], dtype=torch.float64)

    def at(energies: list[float]) -> float:
        energy = torch.tensor([energies], dtype=torch.float64).expand(len(truth), -1)
        return float(quantile(QuantileEnergy(levels.expand_as(energy), energy), truth).mean())

    right = [-2.0 * math.log(1 - q) for q in (0.1, 0.5, 0.9)]
    best = at(right)
    for k in range(3):
        for shift in (-0.15, 0.15):
            assert at([e + shift * (i == k) for i, e in enumerate(right)]) > best


def test_losses_that_need_another_head_say_so() -> None:
    point, truth = PointEnergy(torch.ones(3)), torch.ones(3)
    for name, refused in (
        ("quantiles", lambda: quantile(point, truth)),
        ("gaussian_ansatz", lambda: mutual_information(4)(point, truth)),
        ("normal", lambda: predicted_width(point, truth)),
    ):
        with pytest.raises(NoWidthError, match=name):
            refused()


def test_fitted_width_finds_the_terms() -> None:
    rng = np.random.default_rng(3)
    truth = rng.uniform(0.01, 10, 200_000)
    pred = truth + 0.2 + rng.standard_normal(len(truth)) * (0.25 * np.sqrt(truth) + 0.02 * truth)
    energy = torch.tensor([1.0, 9.0])
    width = fit_width(truth, pred)(NormalEnergy(energy, energy), energy)
    torch.testing.assert_close(width, torch.tensor([0.27, 0.93]), rtol=0.01, atol=0)


@pytest.mark.parametrize("n_energies", [4, 256])
def test_mutual_information_of_a_normal_pair(n_energies: int) -> None:
    """For a bivariate normal the best T is known, and the bound reaches -ln(1 - rho^2) / 2 with many energies."""
    rho, B = 0.8, 16384
    rng = np.random.default_rng(4)
    x, noise = rng.standard_normal((2, B))
    z = rho * x + math.sqrt(1 - rho**2) * noise
    x, z = torch.from_numpy(x), torch.from_numpy(z)
    # log p(z|x) / p(z) is -(z - x / rho)^2 / (2 width^2) but for a function of x
    width = math.sqrt(1 - rho**2) / rho

    def bound(location: torch.Tensor, scale: float) -> float:
        distribution = GaussianAnsatzEnergy(location, torch.ones(B), lambda e: torch.full_like(e, scale))
        return -float(mutual_information(n_energies)(distribution, z).mean())

    best, known = bound(x / rho, width), -0.5 * math.log(1 - rho**2)
    assert best < known + 0.02  # 16,384 events tell it to 0.006
    if n_energies == 256:
        assert best == pytest.approx(known, abs=0.03)
    # also of few energies: the likelihood is best, not rho x, the mean under the spectrum
    for location, scale in ((0.9 * x / rho, width), (x / rho, 1.2 * width), (x / rho, 0.8 * width), (rho * x, width)):
        assert bound(location, scale) < best


@pytest.mark.parametrize("rho", [0.0, 0.5, 1.0])
def test_distance_correlation_of_a_normal_pair(rho: float) -> None:
    """Closed form of Szekely, Rizzo, Bakirov, Ann. Statist. 35 (2007) 2769, theorem 7."""
    rng = np.random.default_rng(5)
    x, noise = torch.from_numpy(rng.standard_normal((2, 3000)))
    y = rho * x + math.sqrt(1 - rho**2) * noise
    top = rho * math.asin(rho) + math.sqrt(1 - rho**2) - rho * math.asin(rho / 2) - math.sqrt(4 - rho**2) + 1
    expected = top / (1 + math.pi / 3 - math.sqrt(3))
    # its standard error here is 0.001 for rho = 0 and 0.012 for rho = 0.5 (from 50 draws)
    assert float(distance_correlation(x, y)) == pytest.approx(expected, abs=0.004 if rho in (0, 1) else 0.04)


def test_distance_correlation_is_unbiased_in_small_batches() -> None:
    draws = torch.randn(400, 2, 32, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    values = torch.stack([distance_correlation(a, b) for a, b in draws])
    assert abs(float(values.mean())) < 3 * float(values.std()) / math.sqrt(400)
