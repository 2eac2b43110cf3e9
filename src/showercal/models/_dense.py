"""Dense layers, and how the weights of networks begin."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

Shapes = Mapping[str, tuple[int, ...]]


def dense_layers(
    n_inputs: int, widths: tuple[int, ...], n_outputs: int, activation: type[nn.Module] = nn.ReLU
) -> nn.Sequential:
    """Linear layers with an activation between them; the last one is linear."""
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(n_inputs, width), activation()]
        n_inputs = width
    stack = nn.Sequential(*layers, nn.Linear(n_inputs, n_outputs))
    initialise(stack)
    return stack


def initialise(module: nn.Module) -> None:
    """Glorot-uniform weights and zero biases, as in the published networks (the default of Keras)."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv3d):
            nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
