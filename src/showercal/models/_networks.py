"""The networks of the sandwich calorimeter, for grids of any size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from showercal.errors import RecipeError
from showercal.models._dense import Shapes, dense_layers, initialise
from showercal.models._distribution import EnergyDistribution
from showercal.models._heads import Frame, Head, HeadConfig, PointHeadConfig
from showercal.models._lit_layers import convolution_pair


class DenseNetConfig(BaseModel):
    """A fully connected network on all inputs, flattened and joined.

    The default widths are the published FCN: 659,465 parameters on the 1088 cells of the sandwich.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Literal["fcn"] = "fcn"
    widths: tuple[int, ...] = (500, 128, 128, 128, 128, 10)
    head: HeadConfig = PointHeadConfig()


class ConvNetConfig(BaseModel):
    """The published 3-D convolutional network: 78,414 parameters on the sandwich with one channel.

    ``channels`` are those of its three convolutions (3x3x3 same, 3x3x3 valid, 5x5x5 valid), ``widths`` of the dense
    layers. A second, dense input (global features) joins the flattened grid.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Literal["convnet"] = "convnet"
    channels: tuple[int, int, int] = (32, 10, 5)
    widths: tuple[int, ...] = (128, 128, 128, 10)
    head: HeadConfig = PointHeadConfig()


class DeepSetsConfig(BaseModel):
    """A network on the set of lit cells: dense layers on each, summed over the event, then dense layers.

    Args:
        hits: The input that is a set: points or neighbourhoods.
        start: A ``linear_energy`` input, from which the answer is measured in units of its error; None for none.
        hit_widths: Units of the layers on each cell.
        widths: Units of the layers on the sum and all other inputs.
        head: From the outputs to a distribution.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Literal["deep_sets"] = "deep_sets"
    hits: str
    start: str | None = None
    hit_widths: tuple[int, ...] = Field(default=(32, 32), min_length=2)
    widths: tuple[int, ...] = (48, 32)
    head: HeadConfig = PointHeadConfig()


class DenseNet(nn.Module):
    """Dense layers with ReLU on all inputs, flattened and joined in the order of their names.

    Args:
        shapes: Shape of each input for one event.
        widths: Units of the hidden layers.
        head: From the outputs to a distribution.

    References:
        S. Schnake, Universitaet Hamburg 2019 (FCN 500-128-128-128-128-10-1).
    """

    def __init__(self, shapes: Shapes, widths: tuple[int, ...], head: Head) -> None:
        super().__init__()
        self.inputs = sorted(shapes)
        n_inputs = sum(int(torch.Size(shapes[name]).numel()) for name in self.inputs)
        self.layers = dense_layers(n_inputs, widths, head.n_outputs)
        self.head = head

    def forward(self, features: Mapping[str, Tensor]) -> EnergyDistribution:
        """Features, each (B, ...), -> distribution of B events."""
        joined = torch.cat([features[name].flatten(1) for name in self.inputs], 1)
        distribution: EnergyDistribution = self.head(self.layers(joined))
        return distribution


class ConvNet(nn.Module):
    """Three 3-D convolutions on one grid, then dense layers, with ReLU; other inputs join after the convolutions.

    Args:
        shapes: Shape of each input for one event; exactly one is a grid (F, L, X, Y).
        channels: Of the three convolutions.
        widths: Units of the dense layers.
        head: From the outputs to a distribution.

    Raises:
        RecipeError: If there is not exactly one grid, or it is too small for the valid convolutions.

    References:
        S. Schnake, Universitaet Hamburg 2019, table "Deep Learning Model".
    """

    def __init__(self, shapes: Shapes, channels: tuple[int, int, int], widths: tuple[int, ...], head: Head) -> None:
        super().__init__()
        grids = [name for name, shape in shapes.items() if len(shape) == 4]
        if len(grids) != 1:
            raise RecipeError(f"a convnet needs exactly one voxels input; got {len(grids)} among {sorted(shapes)}")
        self.grid = grids[0]
        self.others = sorted(set(shapes) - {self.grid})
        n_channels, *size = shapes[self.grid]
        if min(size) < 7:
            raise RecipeError(
                f"the convnet's valid convolutions need at least 7 cells along each axis; got {tuple(size)}"
            )
        self.first = nn.Conv3d(n_channels, channels[0], 3, padding=1)
        self.second = nn.Conv3d(channels[0], channels[1], 3)
        self.third = nn.Conv3d(channels[1], channels[2], 5)
        n_flat = channels[2] * (size[0] - 6) * (size[1] - 6) * (size[2] - 6)
        n_others = sum(int(torch.Size(shapes[name]).numel()) for name in self.others)
        self.layers = dense_layers(n_flat + n_others, widths, head.n_outputs)
        self.head = head
        initialise(self)

    def forward(self, features: Mapping[str, Tensor]) -> EnergyDistribution:
        """Features, the grid (B, F, L, X, Y) among them, -> distribution of B events."""
        hidden = functional.relu(convolution_pair(features[self.grid], self.first, self.second))
        hidden = functional.relu(valid_convolution(hidden, self.third))
        joined = torch.cat([hidden.flatten(1), *(features[name].flatten(1) for name in self.others)], 1)
        distribution: EnergyDistribution = self.head(self.layers(joined))
        return distribution


class DeepSets(nn.Module):
    """Layers on each lit cell, a sum over the cells of each event, layers on the sum; SiLU between them.

    Every layer of the calorimeter has an offset of its own in the first layer, so that the same signal may mean more in
    one depth than in another. Sums are normalised over the batch, as they span several orders of magnitude.

    Args:
        shapes: Shape of each input for one event.
        hits: Name of the set.
        start: Name of the first guess and its error, shape (B, 2), [GeV]; None for none.
        hit_widths, widths: Units of the layers on cells and on events.
        head: From the outputs to a distribution.

    References:
        M. Zaheer et al., arXiv:1703.06114; P. Komiske, E. Metodiev, J. Thaler, arXiv:1810.05165 (energy flow networks).
    """

    def __init__(
        self,
        shapes: Shapes,
        hits: str,
        start: str | None,
        hit_widths: tuple[int, ...],
        widths: tuple[int, ...],
        head: Head,
    ) -> None:
        super().__init__()
        self.hits, self.start = hits, start
        self.others = sorted(set(shapes) - {hits, start})
        n_layers, n_values = shapes[hits]
        self.depth = nn.Embedding(n_layers, hit_widths[0])
        self.first = nn.Linear(n_values, hit_widths[0])
        self.second = dense_layers(hit_widths[0], hit_widths[1:-1], hit_widths[-1], nn.SiLU)
        self.norm = nn.BatchNorm1d(hit_widths[-1], affine=False, momentum=0.02)
        n_others = sum(int(torch.Size(shapes[name]).numel()) for name in self.others)
        self.layers = dense_layers(hit_widths[-1] + n_others, widths, head.n_outputs, nn.SiLU)
        self.head = head
        initialise(self)
        nn.init.zeros_(self.depth.weight)
        # the training begins at the first guess
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]

    def forward(self, features: Mapping[str, Tensor]) -> EnergyDistribution:
        """Features, the hits (H, F) with their event and layer among them, -> distribution of B events."""
        hidden = self.first(features[self.hits]) + self.depth(features[f"{self.hits}_layer"])
        hidden = functional.silu(self.second(functional.silu(hidden))).float()
        # not len(), which would become a constant in an exported graph
        total = hidden.new_zeros(features[f"{self.hits}_count"].shape[0], hidden.shape[1])
        total = self.norm(total.index_add(0, features[f"{self.hits}_event"], hidden))
        raw = self.layers(torch.cat([total, *(features[name].flatten(1) for name in self.others)], 1))
        frame = None if self.start is None else Frame(*features[self.start].tensor_split(2, 1))
        distribution: EnergyDistribution = self.head(raw, frame)
        return distribution


def valid_convolution(grid: Tensor, convolution: nn.Conv3d) -> Tensor:
    """A valid convolution whose kernel covers most of the grid across, as a product of matrices.

    Each layer of cells is one vector that is multiplied by the kernel laid out over all places it fits across; the
    products of neighbouring layers are then added. For the 6x6 grid and 5x5x5 kernel of the ConvNet this is three times
    faster than a general convolution.

    Args:
        grid: Shape (B, L, X, Y, C), channels last.
        convolution: C -> K channels, kernel k, no padding.

    Returns:
        Shape (B, L - k + 1, X - k + 1, Y - k + 1, K).
    """
    B, L, X, Y, C = grid.shape
    k, out = convolution.kernel_size[0], convolution.out_channels
    n_z, n_x, n_y = L - k + 1, X - k + 1, Y - k + 1
    assert convolution.bias is not None
    kernel = convolution.weight.permute(2, 3, 4, 1, 0)  # (dz, dx, dy, C, K)
    laid = [
        functional.pad(kernel, (0, 0, 0, 0, y, n_y - 1 - y, x, n_x - 1 - x)) for x in range(n_x) for y in range(n_y)
    ]
    matrix = torch.stack(laid, 4).permute(1, 2, 3, 0, 4, 5).reshape(X * Y * C, k * n_x * n_y * out)
    products = (grid.reshape(B * L, X * Y * C) @ matrix).view(B, L, k, n_x * n_y * out)
    total = torch.stack([products[:, dz : dz + n_z, dz] for dz in range(k)]).sum(0)
    return total.view(B, n_z, n_x, n_y, out) + convolution.bias
