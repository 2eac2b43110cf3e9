"""Fitted trees as a module: walked by tensor operations here, by one operator in an exported graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from showercal.errors import ModelFileError
from showercal.models._distribution import PointEnergy

# Stands in an exported graph until export puts the operator of ONNX there, whose float64 numbers have to be attributes.
TREE_ENSEMBLE: Final = "showercal::TreeEnsemble"


class TreeEnsemble(nn.Module):
    """Sum of regression trees: left where feature <= threshold; the nodes of all trees lie end to end.

    Args:
        trees: ``tree_info`` of LightGBM's dump of a model.

    Raises:
        ModelFileError: If a decision is of another kind, as after training on missing values.
    """

    def __init__(self, trees: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        roots: list[int] = []
        nodes = _Nodes()
        self.depth = 0
        for tree in trees:
            roots.append(len(nodes.feature))
            self.depth = max(self.depth, nodes.add(tree["tree_structure"]))
        self.register_buffer("root", torch.tensor(roots))
        for name in ("feature", "left", "right"):
            self.register_buffer(name, torch.tensor(getattr(nodes, name)))
        for name in ("threshold", "value"):
            self.register_buffer(name, torch.tensor(getattr(nodes, name), dtype=torch.float64))

    def forward(self, features: Mapping[str, Tensor]) -> PointEnergy:
        """Tables (B, F) -> energies; the columns of the trees are the tables side by side, in their order."""
        table = torch.cat(list(features.values()), 1).double()
        root, feature, threshold, left, right, value = (
            self.get_buffer(name) for name in ("root", "feature", "threshold", "left", "right", "value")
        )
        if torch.onnx.is_in_onnx_export():
            inputs = (table, root, feature, threshold, left, right, value)
            energy = torch.onnx.ops.symbolic(TREE_ENSEMBLE, inputs, dtype=torch.float32, shape=(table.shape[0], 1))
            return PointEnergy(energy[:, 0])
        node = root.expand(table.shape[0], -1)
        for _ in range(self.depth):
            is_left = table.gather(1, feature[node]) <= threshold[node]
            node = torch.where(is_left, left[node], right[node])
        return PointEnergy(value[node].sum(1))


class _Nodes:
    """Nodes as lists; a leaf leads to itself."""

    def __init__(self) -> None:
        self.feature: list[int] = []
        self.left: list[int] = []
        self.right: list[int] = []
        self.threshold: list[float] = []
        self.value: list[float] = []

    def add(self, node: Mapping[str, Any]) -> int:
        """Append a node and all below it; returns how many decisions lie on the longest way down."""
        at = len(self.feature)
        self.feature.append(node.get("split_feature", 0))
        self.threshold.append(node.get("threshold", 0.0))
        self.value.append(node.get("leaf_value", 0.0))
        self.left.append(at)
        self.right.append(at)
        if "split_feature" not in node:
            return 0
        if node["decision_type"] != "<=" or node["missing_type"] != "None":
            raise ModelFileError(
                f"trees can be exported whose decisions are feature <= threshold; got {node['decision_type']!r} with "
                f"missing values as {node['missing_type']!r}: train on events without missing values"
            )
        self.left[at] = len(self.feature)
        depth_left = self.add(node["left_child"])
        self.right[at] = len(self.feature)
        return 1 + max(depth_left, self.add(node["right_child"]))
