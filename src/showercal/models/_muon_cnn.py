"""The published network of the muon study: residual blocks on the grid of cells, joined with high-level features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from showercal.errors import RecipeError
from showercal.models._dense import Shapes, dense_layers
from showercal.models._distribution import EnergyDistribution
from showercal.models._heads import Head, HeadConfig, PointHeadConfig
from showercal.models._muon_blocks import MuonBlock, NormKind, SqueezeExcite, join

# Channels of the first block, beside the energy.
_N_FIRST = 8
# Times that the grid is halved.
_N_HALVINGS = 4


class MuonCnnConfig(BaseModel):
    """Residual blocks on one voxels input, whose first field is the energy of the cells; other inputs join after them.

    The defaults are published: 636,570 parameters with 50 x 32 x 32 cells and 28 features.

    Args:
        n_blocks: At each of the four resolutions.
        growth: Factor of the channels from one resolution to the next.
        widths: Units of the dense layers.
        norm: ``running`` as published, ``nominal`` for ordinary batch normalisation, or ``none``.
        use_squeeze_excite: Weigh channels by what all cells say.
        use_shortcut: Add the residuals to what goes into a block.
        use_energy_path: Hand the sums of the energy through all blocks as a channel of their own.
        use_pooling: Keep the largest and the mean value of each channel; otherwise the values of all cells.
        head: From the outputs to a distribution.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Literal["muon_cnn"] = "muon_cnn"
    n_blocks: int = Field(default=3, ge=1)
    growth: float = Field(default=1.5, ge=1)
    widths: tuple[int, ...] = (80, 80, 80)
    norm: NormKind = "running"
    use_squeeze_excite: bool = True
    use_shortcut: bool = True
    use_energy_path: bool = True
    use_pooling: bool = True
    head: HeadConfig = PointHeadConfig()


class MuonCnn(nn.Module):
    """Blocks that halve the grid four times (see `MuonBlock`), then dense layers with swish on all that is known.

    Args:
        config: Options.
        shapes: Shape of each input for one event; exactly one is a grid (F, L, X, Y).
        head: From the outputs to a distribution.

    Raises:
        RecipeError: If there is not exactly one grid, or it is one cell thin.

    References:
        J. Kieseler, G. Strong, F. Chiandotto, T. Dorigo, L. Layer, Eur. Phys. J. C 82 (2022) 79.
    """

    def __init__(self, config: MuonCnnConfig, shapes: Shapes, head: Head) -> None:
        super().__init__()
        grids = [name for name, shape in shapes.items() if len(shape) == 4]
        if len(grids) != 1:
            raise RecipeError(f"a muon_cnn needs exactly one voxels input; got {len(grids)} among {sorted(shapes)}")
        self.grid = grids[0]
        self.others = sorted(set(shapes) - {self.grid})
        self.use_energy_path, self.use_pooling = config.use_energy_path, config.use_pooling

        n_channels, *size = shapes[self.grid]
        if min(size) < 2:
            raise RecipeError(f"a muon_cnn joins cells in pairs: it needs 2 or more along each axis; got {tuple(size)}")
        blocks: list[MuonBlock] = []
        for _ in range(_N_HALVINGS):
            size = [n // 2 + 1 for n in size]
            for place in range(config.n_blocks):
                is_first = not blocks
                n_out = n_channels if place > 0 else _N_FIRST if is_first else int(config.growth * n_channels)
                block = MuonBlock(
                    n_channels,
                    n_out,
                    stride=1 if place > 0 else 2,
                    is_first=is_first,
                    norm=config.norm,
                    use_squeeze_excite=config.use_squeeze_excite,
                    use_shortcut=config.use_shortcut,
                )
                blocks.append(block)
                n_channels = n_out + config.use_energy_path
        self.blocks = nn.ModuleList(blocks)
        n_of_grid = n_channels * (2 if config.use_pooling else int(torch.Size(size).numel()))
        n_others = sum(int(torch.Size(shapes[name]).numel()) for name in self.others)
        self.layers = dense_layers(n_others + n_of_grid, config.widths, head.n_outputs, nn.SiLU)
        self.head = head
        _initialise(self, self.layers[-1])

    def forward(self, features: Mapping[str, Tensor]) -> EnergyDistribution:
        """Features, the grid (B, F, L, X, Y) among them, -> distribution of B events."""
        of_grid = self.of_grid(features[self.grid])
        joined = torch.cat([*(features[name].flatten(1) for name in self.others), of_grid], 1)
        # the last layer gives GeV, as published: what goes in are energies of cells, so that with outputs in units of
        # the spread of the true energies, some TeV, every step of a training would be as many times too long
        distribution: EnergyDistribution = self.head(self.layers(joined) / self.head.energy_std)
        return distribution

    def of_grid(self, grid: Tensor) -> Tensor:
        """Grid (B, F, L, X, Y) -> what the blocks make of it, (B, ...)."""
        grid = grid.movedim(1, -1).contiguous()
        energy, hidden = (grid[..., :1], grid[..., 1:]) if self.use_energy_path else (None, grid)
        for block in self.blocks:
            energy, hidden = block(energy, hidden)
        if not self.use_pooling:
            return join(energy, hidden.float()).flatten(1)
        known = [part.float() for part in (energy, hidden) if part is not None]
        return torch.cat([*(part.amax((1, 2, 3)) for part in known), *(part.mean((1, 2, 3)) for part in known)], 1)


def _initialise(network: nn.Module, last: nn.Module) -> None:
    """Kaiming-normal weights before a swish, Xavier-normal ones before a sigmoid or nothing, and zero biases."""
    before_no_swish = {last, *(part.second for part in network.modules() if isinstance(part, SqueezeExcite))}
    for layer in network.modules():
        if isinstance(layer, nn.Conv3d | nn.Linear):
            if layer in before_no_swish:
                nn.init.xavier_normal_(layer.weight)
            else:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
