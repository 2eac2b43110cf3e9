"""Residual blocks through which the energy passes unchanged, on grids with their channels last: (B, L, X, Y, C)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from showercal.models._running_norm import RunningNorm

NormKind = Literal["running", "nominal", "none"]


class MuonBlock(nn.Module):
    """Energy sums beside a residual: hidden' = shortcut(x) + excite(convolve(x)), where x is energy and hidden joined.

    With stride 2 the cells are joined 2x2x2, from one before the first cell on, and the energies of joined cells are
    added up: none is lost or weighed. With stride 1 the energy goes through as it is.

    The convolutions are norm, swish, convolution (kernel 4 with stride 2, else 3), norm, swish, convolution (kernel 3);
    in the first block of a network convolution, swish, norm, twice. The shortcut with stride 2 is swish, norm, mean
    over joined cells, convolution (kernel 1); in the first block only the last two.

    Args:
        n_in: Channels of x.
        n_out: Channels of hidden'.
        stride: 1 or 2.
        is_first: Whether it is the first of a network.
        norm: ``running`` (`RunningNorm`), ``nominal`` (ordinary batch normalisation) or ``none``.
        use_squeeze_excite: Whether channels are weighed by what all cells say.
        use_shortcut: Whether the residual is added to something.

    References:
        J. Kieseler, G. Strong, F. Chiandotto, T. Dorigo, L. Layer, Eur. Phys. J. C 82 (2022) 79.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        stride: Literal[1, 2],
        is_first: bool,
        norm: NormKind,
        use_squeeze_excite: bool,
        use_shortcut: bool,
    ) -> None:
        super().__init__()
        self.stride = stride
        kernel = 4 if stride == 2 else 3
        if is_first:
            convolve = [
                # energies of cells span orders of magnitude; on a CPU the gradient of one channel is also found faster
                _Convolution(n_in, n_out, kernel, stride, in_full_precision=True),
                nn.SiLU(),
                build_norm(norm, n_out),
                _Convolution(n_out, n_out, 3),
                nn.SiLU(),
                build_norm(norm, n_out),
            ]
        else:
            convolve = [
                build_norm(norm, n_in),
                nn.SiLU(),
                _Convolution(n_in, n_out, kernel, stride),
                build_norm(norm, n_out),
                nn.SiLU(),
                _Convolution(n_out, n_out, 3),
            ]
        if use_squeeze_excite:
            convolve.append(SqueezeExcite(n_out))
        self.convolve = nn.Sequential(*convolve)
        shortcut: list[nn.Module] = []
        if use_shortcut and stride == 2:
            before = [] if is_first else [nn.SiLU(), build_norm(norm, n_in)]
            shortcut = [*before, _MeanConvolution(n_in, n_out, bias=is_first)]
        self.shortcut = nn.Sequential(*shortcut) if use_shortcut else None

    def forward(self, energy: Tensor | None, hidden: Tensor) -> tuple[Tensor | None, Tensor]:
        """Energies (B, L, X, Y, 1), or None, and hidden channels (B, L, X, Y, C) -> the same after the block."""
        x = join(energy, hidden)
        residual = self.convolve(x)
        if self.shortcut is not None:
            residual = self.shortcut(x) + residual
        if energy is not None and self.stride == 2:
            energy = energy_sums(energy)
        return energy, residual


class SqueezeExcite(nn.Module):
    """Weighs the channels of an event by factors from the means of all of them.

    Args:
        n_channels: C.
        ratio: Channels per unit of the hidden layer.

    References:
        J. Hu, L. Shen, G. Sun, arXiv:1709.01507.
    """

    def __init__(self, n_channels: int, ratio: int = 4) -> None:
        super().__init__()
        n_hidden = max(2, n_channels // ratio)
        self.first, self.second = nn.Linear(n_channels, n_hidden), nn.Linear(n_hidden, n_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Grids (B, L, X, Y, C) -> the same, weighed."""
        factor = torch.sigmoid(self.second(functional.silu(self.first(x.mean((1, 2, 3))))))
        return x * factor[:, None, None, None].to(x.dtype)


class NominalNorm(nn.BatchNorm3d):
    """Ordinary batch normalisation of grids with their channels last."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(-1, 1)).movedim(1, -1)


class _Convolution(nn.Conv3d):
    """A convolution without bias; half of the kernel is padded on each side.

    Args:
        n_in, n_out, kernel, stride: Of the convolution.
        in_full_precision: Whatever autocast says.
    """

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int = 1, *, in_full_precision: bool = False) -> None:
        super().__init__(n_in, n_out, kernel, stride, kernel // 2, bias=False)
        self.in_full_precision = in_full_precision

    def forward(self, x: Tensor) -> Tensor:
        return _convolve(x, self.weight, None, self.stride[0], in_full_precision=self.in_full_precision)


class _MeanConvolution(nn.Conv3d):
    """The mean over 2x2x2 cells, then a convolution of kernel 1; padded cells count as zeros."""

    def __init__(self, n_in: int, n_out: int, *, bias: bool) -> None:
        super().__init__(n_in, n_out, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return _convolve(x, (self.weight / 8).expand(-1, -1, 2, 2, 2), self.bias, 2)


def _convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, *, in_full_precision: bool = False
) -> Tensor:
    """A convolution of (B, L, X, Y, C), half of whose kernel is padded on each side."""
    kernel, device = weight.shape[-1], x.device.type
    # oneDNN 3.12 gives wrong gradients in bf16 of kernels that are larger than the grid
    is_small = min(x.shape[1:4]) < kernel
    if torch.is_autocast_enabled(device) and (in_full_precision or is_small):
        with torch.autocast(device, enabled=False):
            return _convolve(x.to(weight.dtype), weight, bias, stride).to(torch.get_autocast_dtype(device))
    y = functional.conv3d(x.movedim(-1, 1), weight, bias, stride=stride, padding=kernel // 2)
    return y.movedim(1, -1).contiguous()


def energy_sums(energy: Tensor) -> Tensor:
    """Energies of 2x2x2 cells added up, from one before the first cell on: (B, L, X, Y, 1) -> (B, L // 2 + 1, ...)."""
    # the mean times 8 is the sum to the last digit, and has a form in ONNX
    return 8 * functional.avg_pool3d(energy[..., 0], 2, stride=2, padding=1)[..., None]


def join(energy: Tensor | None, hidden: Tensor) -> Tensor:
    """Channels of a block, the energy first, in the type of the hidden ones."""
    return hidden if energy is None else torch.cat([energy.to(hidden.dtype), hidden], -1)


def build_norm(kind: NormKind, n_channels: int) -> nn.Module:
    """The normalisation of a kind."""
    norms = {"running": RunningNorm, "nominal": NominalNorm}
    return norms[kind](n_channels) if kind in norms else nn.Identity()
