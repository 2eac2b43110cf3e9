"""The muon network: published sizes, energy that no block loses, and every option of the ablation."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from showercal.errors import RecipeError
from showercal.models import MuonCnn, MuonCnnConfig, RunningNorm, build_network
from showercal.models._muon_blocks import MuonBlock, SqueezeExcite, energy_sums
from showercal.training._regressor import count_parameters

BLOCK = (50, 32, 32)
SMALL = (9, 6, 7)
# published: Kieseler et al., EPJC 82 (2022) 79, and the code that goes with it
OF_BLOCKS = (2_330, 4_457, 5_492, 18_576, 15_831, 17_734, 56_307, 45_972, 49_177, 151_107, 120_566, 125_820)
OPTIONS: dict[str, dict[str, Any]] = {
    "published": {},
    "no_squeeze_excite": {"use_squeeze_excite": False},
    "nominal": {"norm": "nominal"},
    "no_norm": {"norm": "none"},
    "no_shortcut": {"use_shortcut": False},
    "no_energy_path": {"use_energy_path": False},
    "no_pooling": {"use_pooling": False},
}


def build(size: tuple[int, ...] = SMALL, n_features: int = 3, seed: int = 1, **options: Any) -> MuonCnn:
    torch.manual_seed(seed)
    shapes = {"grid": (1, *size), **({"features": (n_features,)} if n_features else {})}
    network = build_network(MuonCnnConfig(**options), shapes, 3000.0, 2000.0)
    assert isinstance(network, MuonCnn)
    return network


def inputs(n_events: int, size: tuple[int, ...] = SMALL, n_features: int = 3, seed: int = 2) -> dict[str, Tensor]:
    """Grids of which one cell in ten is lit, in GeV."""
    draws = torch.Generator().manual_seed(seed)
    grid = torch.rand(n_events, 1, *size, generator=draws)
    grid = torch.where(torch.rand(grid.shape, generator=draws) < 0.1, grid, 0.0)
    return {"grid": grid, "features": torch.randn(n_events, n_features, generator=draws)}


@pytest.mark.parametrize(("n_features", "n_parameters"), [(28, 636_570), (3, 634_570), (0, 634_330)])
def test_published_parameter_counts(n_features: int, n_parameters: int) -> None:
    network = build(BLOCK, n_features)
    assert count_parameters(network) == n_parameters
    assert tuple(count_parameters(block) for block in network.blocks) == OF_BLOCKS


def test_published_sizes_after_each_block() -> None:
    network = build(BLOCK).eval()
    energy, hidden = torch.zeros(1, *BLOCK, 1), torch.zeros(1, *BLOCK, 0)
    shapes = []
    with torch.no_grad():
        for block in network.blocks:
            energy, hidden = block(energy, hidden)
            shapes.append((*energy.shape[1:4], 1 + hidden.shape[-1]))
    channels = (9, 10, 11, 17, 18, 19, 29, 30, 31, 47, 48, 49)
    sizes = [size for size in ((26, 17, 17), (14, 9, 9), (8, 5, 5), (5, 3, 3)) for _ in range(3)]
    assert shapes == [(*size, n) for size, n in zip(sizes, channels, strict=True)]


@pytest.mark.parametrize("size", [(50, 32, 32), (17, 8, 8), (9, 6, 7), (5, 2, 3)])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_no_block_loses_energy(size: tuple[int, ...], precision: torch.dtype) -> None:
    """At even and odd sizes, and when the network computes in half precision."""
    network, grid = build(size).eval(), inputs(2, size)["grid"]
    grid[:, :, 0, 0, 0] = grid[:, :, -1, -1, -1] = 7.0  # corners
    energy, hidden = grid.movedim(1, -1), torch.zeros(2, *size, 0)
    total = energy.sum((1, 2, 3, 4))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        for block in network.blocks:
            energy, hidden = block(energy, hidden)
            torch.testing.assert_close(energy.sum((1, 2, 3, 4)), total, rtol=1e-6, atol=0)


@pytest.mark.parametrize("size", [(6, 4, 4), (7, 5, 3), (2, 3, 2)])
def test_energy_sums_are_those_of_a_slow_loop(size: tuple[int, int, int]) -> None:
    energy = torch.rand(1, *size, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    expected = torch.zeros(1, *(n // 2 + 1 for n in size), 1, dtype=torch.float64)
    for z in range(size[0]):
        for x in range(size[1]):
            for y in range(size[2]):
                expected[0, (z + 1) // 2, (x + 1) // 2, (y + 1) // 2] += energy[0, z, x, y]
    torch.testing.assert_close(energy_sums(energy), expected, rtol=1e-14, atol=0)


def test_pooled_energy_is_the_sum_of_the_cells() -> None:
    """The largest values come first, the means second, the energy first in each."""
    network, features = build().eval(), inputs(4)
    pooled = network.of_grid(features["grid"])
    n = pooled.shape[1] // 2
    n_cells = torch.Size([2, 2, 2]).numel()
    torch.testing.assert_close(n_cells * pooled[:, n], features["grid"].sum((1, 2, 3, 4)))
    assert (pooled[:, :n] >= pooled[:, n:]).all()


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_trains_all_its_parameters(name: str) -> None:
    network = build(**OPTIONS[name])
    network(inputs(6)).mean.square().mean().backward()
    for label, parameter in network.named_parameters():
        assert parameter.grad is not None, label
        assert torch.isfinite(parameter.grad).all(), label
        assert (parameter.grad != 0).any(), label


@pytest.mark.parametrize("name", OPTIONS)
def test_events_of_a_batch_do_not_see_each_other_in_inference(name: str) -> None:
    network, features = build(**OPTIONS[name]), inputs(6)
    network(features)
    network.eval()
    with torch.no_grad():
        whole = network(features).mean
        for chosen in (torch.tensor([5, 2, 0, 4, 1, 3]), torch.tensor([3])):
            some = network({key: values[chosen] for key, values in features.items()}).mean
            torch.testing.assert_close(some, whole[chosen], rtol=1e-4, atol=1e-2)
    assert len(whole.unique()) == 6


def test_options_take_out_what_they_say() -> None:
    published = build()
    assert sum(isinstance(part, RunningNorm) for part in published.modules()) == 27
    assert sum(isinstance(part, SqueezeExcite) for part in published.modules()) == 12

    def kinds(**options: Any) -> set[type]:
        return {type(part) for part in build(**options).modules()}

    assert RunningNorm not in kinds(norm="nominal") | kinds(norm="none")
    assert any(issubclass(kind, nn.BatchNorm3d) for kind in kinds(norm="nominal"))
    assert SqueezeExcite not in kinds(use_squeeze_excite=False)
    # one channel less from each block on, and no energies beside them
    without = build(use_energy_path=False)
    assert [block.convolve[-1].second.out_features for block in without.blocks] == [8] * 3 + [12] * 3 + [18] * 3 + [
        27
    ] * 3
    assert build(use_pooling=False).layers[0].in_features == 3 + 49 * 2 * 2 * 2


def test_without_shortcut_only_the_residual_is_left() -> None:
    torch.manual_seed(4)
    options = {"stride": 1, "is_first": False, "norm": "none", "use_squeeze_excite": False}
    block = MuonBlock(3, 3, use_shortcut=True, **options)  # type: ignore[arg-type]
    alone = MuonBlock(3, 3, use_shortcut=False, **options)  # type: ignore[arg-type]
    alone.load_state_dict(block.state_dict())
    energy, hidden = torch.rand(2, 4, 4, 4, 1), torch.rand(2, 4, 4, 4, 2)
    with torch.no_grad():
        torch.testing.assert_close(block(energy, hidden)[1] - alone(energy, hidden)[1], torch.cat([energy, hidden], -1))


def test_the_last_layer_gives_energies() -> None:
    """Whatever spread the training energies have."""
    features, answers = inputs(4), []
    for spread in (2.0, 2000.0):
        torch.manual_seed(6)
        shapes = {"grid": (1, *SMALL), "features": (3,)}
        answers.append(build_network(MuonCnnConfig(), shapes, 3000.0, spread).eval()(features).mean.detach())
    torch.testing.assert_close(*answers, rtol=1e-5, atol=1e-3)
    assert float(answers[0].std()) > 0.1


def test_other_fields_of_the_cells_are_channels_beside_the_energy() -> None:
    torch.manual_seed(5)
    network = build_network(MuonCnnConfig(), {"grid": (2, *SMALL)}, 0.0, 1.0).eval()
    grid = torch.rand(3, 2, *SMALL)
    other = grid.clone()
    other[:, 1] += 1
    assert isinstance(network, MuonCnn)
    with torch.no_grad():
        pooled, changed = network.of_grid(grid), network.of_grid(other)
    n = pooled.shape[1] // 2
    torch.testing.assert_close(changed[:, n], pooled[:, n])
    assert (changed[:, n + 1 :] != pooled[:, n + 1 :]).any()


@pytest.mark.parametrize("size", [(17, 8, 8), (6, 5, 5)])
def test_half_precision_gives_nearly_the_same_gradients(size: tuple[int, ...]) -> None:
    """Also of kernels that are larger than the deepest grids, where bf16 alone would give others."""
    gradients = []
    for enabled in (False, True):
        network = build(size)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = network(inputs(25, size)).mean.sub(4000).square().mean()
        loss.backward()
        gradients.append([parameter.grad for parameter in network.parameters() if parameter.ndim == 5])
    for exact, half in zip(*gradients, strict=True):
        assert exact is not None
        assert half is not None
        assert float((exact - half).norm() / exact.norm()) < 0.35


def test_needs_one_grid_that_can_be_halved() -> None:
    with pytest.raises(RecipeError, match=r"needs 2 or more along each axis; got \(5, 1, 2\)"):
        build((5, 1, 2))
    with pytest.raises(RecipeError, match="a muon_cnn needs exactly one voxels input; got 0"):
        build_network(MuonCnnConfig(), {"features": (3,)}, 0.0, 1.0)
