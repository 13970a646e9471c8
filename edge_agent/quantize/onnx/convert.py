"""From an ONNX graph to a program: what each kind of node becomes.

The model's input is turned as all tensors are: pictures go in with channels last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from edge_agent.engines.numpy.program import Option, Program
from edge_agent.errors import ModelError
from edge_agent.quantize.onnx.building import Builder, Value, turned
from edge_agent.quantize.onnx.model import Node, Unsupported, read_model

_PLAIN: dict[str, Option] = {"activation": 0}


def read_onnx(path: Path) -> Program:
    """The program of an ONNX file; raises ModelError that names the node that is not known."""
    model = read_model(path)
    converter = Builder(model, path.name)
    for node in model.nodes:
        where = f"node {node.place} ({node.kind}, {node.outputs[0] if node.outputs else ''})"
        try:
            _NODES.get(node.kind, _unknown)(converter, node)
        except Unsupported as error:
            raise ModelError(
                f"{path}: {where}: {error}", f"known are {', '.join(sorted(_NODES))}"
            ) from error
        except (ValueError, IndexError, KeyError, TypeError) as error:
            raise ModelError(f"{path}: {where} does not fit its tensors: {error}") from error
    return converter.finish()


def _unknown(build: Builder, node: Node) -> None:
    del build, node
    raise Unsupported("it is not known")


def _conv(build: Builder, node: Node) -> None:
    x, weights = build.value(node, 0), build.constant(node, 1)
    if len(x.shape) == 3:
        weights = weights[:, :, np.newaxis]
    count, depth, height, width = weights.shape
    groups, channels = node.whole("group", 1), x.shape[1]
    bias = build.constant(node, 2) if len(node.inputs) > 2 else np.zeros(count, np.float32)
    options, x, spread = build.window(node, x, (height, width))
    b = build.draft.constant(f"{node.outputs[0]}_bias", bias.astype(np.float32))
    if groups == 1 and depth == channels:
        name, filters = "CONV_2D", weights.transpose(0, 2, 3, 1)
    elif groups == channels and depth == 1:
        name, filters = "DEPTHWISE_CONV_2D", weights[:, 0].transpose(1, 2, 0)[np.newaxis]
        options["multiplier"] = count // channels
    else:
        raise Unsupported(f"{groups} groups for {channels} channels")
    w = build.draft.constant(f"{node.outputs[0]}_weights", filters.astype(np.float32))
    build.apply(node, name, (x.tensor, w, b), (1, count, *spread), {**options, **_PLAIN})


def _pool(build: Builder, node: Node) -> None:
    x = build.value(node, 0)
    if node.whole("ceil_mode", 0):
        raise Unsupported("ceil_mode")
    size = node.several("kernel_shape", [])
    height, width = (1, size[0]) if len(x.shape) == 3 else (size[0], size[1])
    options, after, spread = build.window(node, x, (height, width))
    is_average = node.kind == "AveragePool"
    if after != x and (not is_average or not node.whole("count_include_pad", 0)):
        raise Unsupported("this padding; only that of TensorFlow's SAME, or none")
    more: dict[str, Option] = {"filter_h": height, "filter_w": width}
    name = "AVERAGE_POOL_2D" if is_average else "MAX_POOL_2D"
    shape = (1, x.shape[1], *spread)
    options = {k: v for k, v in options.items() if not k.startswith("dilation")}
    build.apply(node, name, (after.tensor,), shape, {**options, **more, **_PLAIN})


def _global_pool(build: Builder, node: Node) -> None:
    x = build.value(node, 0)
    if len(x.shape) not in (3, 4):
        raise Unsupported(f"an input of shape {x.shape}")
    axes = build.draft.constant(f"{node.outputs[0]}_axes", np.array([1, 2], np.int32))
    name = "MEAN" if node.kind in ("GlobalAveragePool", "ReduceMean") else "REDUCE_MAX"
    keeps = node.kind != "ReduceMean" or bool(node.whole("keepdims", 1))
    if node.kind == "ReduceMean":
        given = node.several("axes", [])
        given = given or (build.constant(node, 1).tolist() if len(node.inputs) > 1 else [])
        if {axis % len(x.shape) for axis in given} != set(range(2, len(x.shape))):
            raise Unsupported(f"the mean over axes {given}")
    shape = (*x.shape[:2], *([1] * (len(x.shape) - 2) if keeps else []))
    build.apply(node, name, (x.tensor, axes), shape, {"keep_dims": keeps})


def _flatten(build: Builder, node: Node) -> None:
    """Flatten, or a Reshape to one row: in ONNX's order, channels first."""
    x = build.value(node, 0)
    count = int(np.prod(x.shape))
    if node.kind == "Flatten" and node.whole("axis", 1) != 1:
        raise Unsupported("an axis other than 1")
    if node.kind == "Reshape":
        goal = build.constant(node, 1).reshape(-1).tolist()
        if len(goal) != 2 or goal[0] not in (1, 0, -1) or goal[1] not in (-1, count):
            raise Unsupported(f"the shape {goal}; only one row is known")
    index = x.tensor
    if len(x.shape) > 2 and int(np.prod(x.shape[2:])) > 1 and x.shape[1] > 1:
        order = build.draft.constant(f"{node.outputs[0]}_order", np.array([0, 3, 1, 2], np.int32))
        _, rows, columns, channels = turned(x.shape)
        index = build.draft.tensor(f"{node.outputs[0]}_first", (1, channels, rows, columns))
        build.draft.apply("TRANSPOSE", (x.tensor, order), (index,))
    target = build.draft.constant(f"{node.outputs[0]}_shape", np.array([1, count], np.int32))
    build.apply(node, "RESHAPE", (index, target), (1, count), {"new_shape": (1, count)})


def _dense(build: Builder, node: Node) -> None:
    x, weights = build.value(node, 0), build.constant(node, 1)
    if node.whole("transA", 0) or (node.real("alpha", 1.0), node.real("beta", 1.0)) != (1, 1):
        raise Unsupported("transA, alpha or beta")
    if len(x.shape) != 2 or weights.ndim != 2:
        raise Unsupported(f"{x.shape} times {weights.shape}")
    rows = weights if node.whole("transB", 0) else weights.T
    bias = build.constant(node, 2).reshape(-1) if len(node.inputs) > 2 else np.zeros(len(rows))
    w = build.draft.constant(f"{node.outputs[0]}_weights", rows.astype(np.float32))
    b = build.draft.constant(f"{node.outputs[0]}_bias", bias.astype(np.float32))
    build.apply(node, "FULLY_CONNECTED", (x.tensor, w, b), (1, len(rows)), _PLAIN)


def _batch_norm(build: Builder, node: Node) -> None:
    x = build.value(node, 0)
    gamma, beta, mean, variance = (
        build.constant(node, place).astype(np.float64) for place in range(1, 5)
    )
    factor = gamma / np.sqrt(variance + node.real("epsilon", 1e-5))
    scaled = build.draft.tensor(f"{node.outputs[0]}_scaled", turned(x.shape))
    rows = [
        build.draft.constant(f"{node.outputs[0]}_{name}", row.astype(np.float32))
        for name, row in (("factor", factor), ("offset", beta - mean * factor))
    ]
    build.draft.apply("MUL", (x.tensor, rows[0]), (scaled,), _PLAIN)
    build.apply(node, "ADD", (scaled, rows[1]), x.shape, _PLAIN)


def _pair(build: Builder, node: Node) -> None:
    known = [name for name in node.inputs if name in build.values]
    if not known:
        raise Unsupported("two constants")
    shape = build.values[known[0]].shape
    indices = [_side(build, name, shape) for name in node.inputs]
    build.apply(node, node.kind.upper(), indices, shape, _PLAIN)


def _side(build: Builder, name: str, shape: tuple[int, ...]) -> int:
    """One side of a sum or product: computed, or a constant for every channel."""
    if name in build.values:
        if build.values[name].shape != shape:
            raise Unsupported(f"{build.values[name].shape} with {shape}")
        return build.values[name].tensor
    values = build.constants[name]
    axis = values.ndim - (len(shape) - 1)
    is_row = values.size == 1 or (0 <= axis < values.ndim and values.shape[axis] == values.size)
    if not is_row or values.size not in (1, shape[1]):
        raise Unsupported(f"a constant of shape {values.shape} with {shape}")
    return build.draft.constant(name, values.reshape(-1).astype(np.float32))


def _concat(build: Builder, node: Node) -> None:
    given = [build.values[name] for name in node.inputs]
    rank = len(given[0].shape)
    if node.whole("axis", 1) % rank != 1:
        raise Unsupported("an axis other than that of the channels")
    channels = sum(value.shape[1] for value in given)
    shape = (1, channels, *given[0].shape[2:])
    options: dict[str, Option] = {"axis": 1 if rank == 2 else 3, **_PLAIN}
    build.apply(node, "CONCATENATION", [value.tensor for value in given], shape, options)


def _clip(build: Builder, node: Node) -> None:
    ends = [node.real("min", -np.inf), node.real("max", np.inf)]
    for place, name in enumerate(node.inputs[1:3]):
        if name:
            ends[place] = float(build.constants[name].reshape(()))
    names = {(0.0, 6.0): "RELU6", (0.0, np.inf): "RELU", (-1.0, 1.0): "RELU_N1_TO_1"}
    if tuple(ends) not in names:
        raise Unsupported(f"limits {ends}")
    build.same(node, names[ends[0], ends[1]], {})


def _function(build: Builder, node: Node) -> None:
    options: dict[str, Option] = {}
    if node.kind == "Softmax":
        x = build.value(node, 0)
        if len(x.shape) != 2 or node.whole("axis", -1) % 2 != 1:
            raise Unsupported("an axis other than that of a row")
        options = {"beta": 1.0}
    elif node.kind == "LeakyRelu":
        options = {"alpha": node.real("alpha", 0.01)}
    build.same(node, _FUNCTIONS[node.kind], options)


def _squeeze(build: Builder, node: Node) -> None:
    """Axes of one that come or go: in a picture of one row, or behind the channels."""
    x = build.value(node, 0)
    given = node.several("axes", [])
    axes = given or (build.constant(node, 1).reshape(-1).tolist() if len(node.inputs) > 1 else [])
    if node.kind == "Unsqueeze" and len(x.shape) == 3 and axes in ([2], [-2]):
        build.values[node.outputs[0]] = Value(x.tensor, (1, x.shape[1], 1, x.shape[2]))
        return
    goes = {axis % len(x.shape) for axis in axes}
    shape = tuple(side for axis, side in enumerate(x.shape) if axis not in goes)
    is_known = node.kind == "Squeeze" and all(x.shape[axis] == 1 for axis in goes)
    if is_known and len(x.shape) == 4 and goes == {2}:
        build.values[node.outputs[0]] = Value(x.tensor, shape)
        return
    if not is_known or shape != x.shape[:2]:
        raise Unsupported(f"axes {axes} of {x.shape}")
    target = build.draft.constant(f"{node.outputs[0]}_shape", np.array(shape, np.int32))
    build.apply(node, "RESHAPE", (x.tensor, target), shape, {"new_shape": shape})


def _alias(build: Builder, node: Node) -> None:
    build.values[node.outputs[0]] = build.value(node, 0)


def _constant(build: Builder, node: Node) -> None:
    value = node.attributes.get("value")
    if not isinstance(value, np.ndarray):
        raise Unsupported("a constant that is no tensor")
    build.constants[node.outputs[0]] = value


_FUNCTIONS = {
    "Relu": "RELU", "Sigmoid": "LOGISTIC", "Tanh": "TANH", "HardSwish": "HARD_SWISH", "Elu": "ELU",
    "LeakyRelu": "LEAKY_RELU", "Softmax": "SOFTMAX",
}  # fmt: skip
_NODES: Mapping[str, Callable[[Builder, Node], None]] = {
    **dict.fromkeys(_FUNCTIONS, _function),
    **dict.fromkeys(("Add", "Sub", "Mul"), _pair),
    **dict.fromkeys(("MaxPool", "AveragePool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "ReduceMean"), _global_pool),
    **dict.fromkeys(("Flatten", "Reshape"), _flatten),
    **dict.fromkeys(("Gemm", "MatMul"), _dense),
    **dict.fromkeys(("Squeeze", "Unsqueeze"), _squeeze),
    **dict.fromkeys(("Identity", "Dropout"), _alias),
    "Conv": _conv,
    "BatchNormalization": _batch_norm,
    "Concat": _concat,
    "Clip": _clip,
    "Constant": _constant,
}
