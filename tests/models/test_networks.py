"""The published networks: parameter counts, and the fast convolutions against PyTorch's own."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from showercal.errors import NoWidthError, RecipeError
from showercal.models import NormalEnergy, PointEnergy, build_network
from showercal.models._heads import NormalHeadConfig
from showercal.models._lit_layers import convolution_pair
from showercal.models._networks import ConvNetConfig, DenseNetConfig, valid_convolution
from showercal.training._regressor import count_parameters

NORMAL = NormalHeadConfig()
SANDWICH = {"grid": (1, 17, 8, 8)}


@pytest.mark.parametrize(("config", "n_parameters"), [(DenseNetConfig(), 659_465), (ConvNetConfig(), 78_414)])
def test_published_parameter_counts(config: DenseNetConfig | ConvNetConfig, n_parameters: int) -> None:
    # S. Schnake, thesis 2019
    assert count_parameters(build_network(config, SANDWICH, 5.0, 2.9)) == n_parameters


def sparse_grid(seed: int, *shape: int, lit: float = 0.03) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=draws, dtype=torch.float64) * (torch.rand(shape, generator=draws) < lit)


@pytest.mark.parametrize("lit", [0.0, 0.02, 1.0])
@pytest.mark.parametrize("channels", [1, 2])
def test_convolution_pair_is_exact(channels: int, lit: float) -> None:
    torch.manual_seed(1)
    first = nn.Conv3d(channels, 4, 3, padding=1).double()
    second = nn.Conv3d(4, 3, 3).double()
    grid = sparse_grid(2, 5, channels, 6, 8, 7, lit=lit)
    grid[0] = 0
    grid[1, :, 0, 0, 0] = grid[1, :, -1, -1, -1] = 1.0  # corners
    fast = convolution_pair(grid, first, second)
    slow = second(functional.relu(first(grid))).permute(0, 2, 3, 4, 1)
    torch.testing.assert_close(fast, slow, rtol=1e-12, atol=1e-12)
    parameters = [*first.parameters(), *second.parameters()]
    weight = torch.randn(slow.shape, dtype=torch.float64)
    for a, b in zip(
        torch.autograd.grad((fast * weight).sum(), parameters),
        torch.autograd.grad((slow * weight).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_valid_convolution_is_exact() -> None:
    torch.manual_seed(1)
    convolution = nn.Conv3d(3, 2, 5).double()
    grid = torch.randn(2, 3, 9, 6, 7, dtype=torch.float64)
    fast = valid_convolution(grid.permute(0, 2, 3, 4, 1), convolution)
    torch.testing.assert_close(fast, convolution(grid).permute(0, 2, 3, 4, 1), rtol=1e-12, atol=1e-12)


def test_convnet_equals_its_plain_form() -> None:
    torch.manual_seed(1)
    network = build_network(ConvNetConfig(), SANDWICH, 5.0, 2.9).double()
    grid = sparse_grid(3, 6, 1, 17, 8, 8)
    hidden = grid
    for convolution in (network.first, network.second, network.third):
        hidden = functional.relu(convolution(hidden))
    raw = network.layers(hidden.permute(0, 2, 3, 4, 1).flatten(1))
    torch.testing.assert_close(network({"grid": grid}).mean, network.head(raw).mean)


@pytest.mark.parametrize("config", [DenseNetConfig(head=NORMAL), ConvNetConfig(head=NORMAL)])
def test_global_features_join_and_reach_the_output(config: DenseNetConfig | ConvNetConfig) -> None:
    torch.manual_seed(1)
    network = build_network(config, {**SANDWICH, "moments": (3,)}, 5.0, 2.9)
    moments = torch.randn(4, 3, requires_grad=True)
    distribution = network({"grid": sparse_grid(4, 4, 1, 17, 8, 8).float(), "moments": moments})
    assert isinstance(distribution, NormalEnergy)
    assert (distribution.scale > 0).all()
    distribution.mean.sum().backward()
    assert moments.grad is not None
    assert (moments.grad != 0).any(1).all()


def test_point_has_no_density() -> None:
    with pytest.raises(NoWidthError, match="no density"):
        PointEnergy(torch.zeros(3)).log_prob(torch.zeros(3))


def test_normal_density_is_that_of_torch() -> None:
    energy, location, scale = torch.rand(3, 7).double() + 0.1
    expected = torch.distributions.Normal(location, scale).log_prob(energy)
    torch.testing.assert_close(NormalEnergy(location, scale).log_prob(energy), expected)


def test_refusals() -> None:
    with pytest.raises(RecipeError, match="exactly one voxels input; got 0"):
        build_network(ConvNetConfig(), {"moments": (3,)}, 0.0, 1.0)
    with pytest.raises(RecipeError, match=r"at least 7 cells along each axis; got \(4, 8, 8\)"):
        build_network(ConvNetConfig(), {"grid": (1, 4, 8, 8)}, 0.0, 1.0)
