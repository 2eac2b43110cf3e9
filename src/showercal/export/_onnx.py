"""A module of tensor operations as an ONNX model."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from showercal.errors import ExportError
from showercal.models import TREE_ENSEMBLE

if TYPE_CHECKING:
    import onnx

OPSET: Final = 18
TREES_OPSET: Final = 3  # of ai.onnx.ml: the first with thresholds and leaves in float64

# What PyTorch's exporter says of itself in every export, whatever the module.
_KNOWN: Final[tuple[tuple[type[Warning], str], ...]] = (
    (FutureWarning, r"`isinstance\(treespec, LeafSpec\)` is deprecated"),
    # all fields of cells have H values, and one name is enough
    (UserWarning, "# The axis name: H will not be used, since it shares the same shape constraints"),
    # levels that become constants of the graph
    (UserWarning, "Attempted to insert a get_attr Node with no underlying reference in the owning GraphModule"),
)
# where it tells that torchvision is not installed
_LOGGER: Final = "torch.onnx._internal.exporter._registration"


def to_onnx(
    graph: nn.Module,
    inputs: Mapping[str, NDArray[Any]],
    axes: Mapping[str, tuple[str | int, ...]],
    outputs: list[str],
    metadata: Mapping[str, str],
) -> onnx.ModelProto:
    """Trace a module and write it as a checked ONNX model, the same bytes every time.

    Args:
        graph: Its forward takes the inputs in their order.
        inputs: Example of each input.
        axes: Axes of each input: a name where its length is free, a number where it is not.
        outputs: Names of what it returns.
        metadata: Texts to be written into the file.

    Raises:
        ExportError: If an operation has no form in ONNX, or the number of events became a constant.
    """
    import onnx

    sizes: dict[str, Any] = {"B": torch.export.Dim("B"), "H": torch.export.Dim("H")}
    sizes["B + 1"] = sizes["B"] + 1
    shapes = tuple({n: sizes[axis] for n, axis in enumerate(axes[name]) if isinstance(axis, str)} for name in inputs)
    try:
        with _quiet():
            program = torch.onnx.export(
                graph.eval(),
                tuple(torch.from_numpy(np.array(values)) for values in inputs.values()),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=outputs,
                dynamic_shapes={"fields": shapes},
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as fault:
        raise ExportError(f"this method cannot be written as ONNX: {fault}") from fault
    assert program is not None
    model = program.model_proto
    _check_free(model)
    _embed_trees(model)
    _tidy(model)
    model.producer_name, model.producer_version = "showercal", metadata["showercal.version"]
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the known remarks of the exporter; others are shown."""
    logger = logging.getLogger(_LOGGER)
    logger.addFilter(_is_news)
    try:
        with warnings.catch_warnings():
            for category, message in _KNOWN:
                warnings.filterwarnings("ignore", message, category)
            yield
    finally:
        logger.removeFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("torchvision is not installed")


def _check_free(model: onnx.ModelProto) -> None:
    """Refuse a graph that gives as many events as it was traced with, whatever it gets."""
    for output in model.graph.output:
        n_events = output.type.tensor_type.shape.dim[0].dim_value
        if n_events:
            raise ExportError(
                f"output {output.name!r} of this method always has {n_events} events; its modules must take sizes from "
                "tensor.shape, which stay free in a graph, not from len(tensor)"
            )


def _embed_trees(model: onnx.ModelProto) -> None:
    """Put the tree operator of ONNX where a `TreeEnsemble` stands; its numbers become attributes, in float64."""
    from onnx import helper, numpy_helper

    domain, _, operator = TREE_ENSEMBLE.partition("::")
    graph = model.graph
    arrays = {one.name: one for one in graph.initializer}
    for place, node in enumerate(graph.node):
        if (node.domain, node.op_type) != (domain, operator):
            continue
        names = node.input[1:]
        trees = _tree_attributes(*(numpy_helper.to_array(arrays[name]) for name in names))
        graph.node[place].CopyFrom(
            helper.make_node(
                "TreeEnsembleRegressor", node.input[:1], node.output, name=node.name, domain="ai.onnx.ml", **trees
            )
        )
        for name in names:
            graph.initializer.remove(arrays[name])
        del model.opset_import[:]
        model.opset_import.extend([helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", TREES_OPSET)])


def _tree_attributes(
    root: NDArray[Any],
    feature: NDArray[Any],
    threshold: NDArray[Any],
    left: NDArray[Any],
    right: NDArray[Any],
    value: NDArray[Any],
) -> dict[str, Any]:
    """Attributes of the operator; nodes are numbered within their tree."""
    from onnx import numpy_helper

    node = np.arange(len(feature))
    tree = np.searchsorted(root, node, side="right") - 1
    first = root[tree]
    is_leaf = left == node
    return {
        "n_targets": 1,
        "nodes_treeids": tree,
        "nodes_nodeids": node - first,
        "nodes_featureids": feature,
        "nodes_modes": np.where(is_leaf, "LEAF", "BRANCH_LEQ").tolist(),
        "nodes_values_as_tensor": numpy_helper.from_array(threshold),
        "nodes_truenodeids": np.where(is_leaf, 0, left - first),
        "nodes_falsenodeids": np.where(is_leaf, 0, right - first),
        "target_treeids": tree[is_leaf],
        "target_nodeids": (node - first)[is_leaf],
        "target_ids": np.zeros(is_leaf.sum(), dtype=np.int64),
        "target_weights_as_tensor": numpy_helper.from_array(value[is_leaf]),
    }


def _tidy(model: onnx.ModelProto) -> None:
    """Leave out what the tracing notes of the source code: it names paths and does not stay the same."""
    graph = model.graph
    for item in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
