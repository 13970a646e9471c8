"""An ONNX file as nodes and constants; numbers of the fields: onnx/onnx.proto."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ModelError
from edge_agent.quantize.onnx.wire import Message, float_of

Array = NDArray[Any]
Attribute = int | float | str | list[int] | Array

_DTYPES = {1: "<f4", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8"}
_FLOAT, _INT, _TEXT, _TENSOR, _INTS = 1, 2, 3, 4, 7
_CURE = "export it again, with all weights inside the file"


class Unsupported(Exception):
    """A node that cannot be taken over; the text says why."""


@dataclass(frozen=True, slots=True)
class Node:
    """An operator; tensors are given by name, an empty one is left out."""

    place: int
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]

    def whole(self, name: str, default: int) -> int:
        """A whole number among the attributes."""
        value = self.attributes.get(name, default)
        return value if isinstance(value, int) else default

    def real(self, name: str, default: float) -> float:
        """A real number among the attributes."""
        value = self.attributes.get(name, default)
        return float(value) if isinstance(value, int | float) else default

    def several(self, name: str, default: list[int]) -> list[int]:
        """Whole numbers among the attributes."""
        value = self.attributes.get(name, default)
        return value if isinstance(value, list) else default

    def text(self, name: str) -> str:
        """A text among the attributes, empty where there is none."""
        value = self.attributes.get(name, "")
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """The graph; shapes of inputs have 0 for a side that is not fixed."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    inputs: Mapping[str, tuple[int, ...]]
    outputs: tuple[str, ...]


def read_model(path: Path) -> OnnxModel:
    """The model of a file; raises ModelError where it is damaged or has weights elsewhere."""
    try:
        graph = Message(memoryview(path.read_bytes())).message(7)
        constants = dict(map(_tensor, graph.messages(5)))
        nodes = tuple(_node(place, node) for place, node in enumerate(graph.messages(1)))
        inputs = dict(map(_input, graph.messages(11)))
        outputs = tuple(value.text(1) for value in graph.messages(12))
    except OSError as error:
        raise ModelError(f"model {path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, IndexError, KeyError, OverflowError) as error:
        raise ModelError(f"{path} is no ONNX model that can be read: {error}", _CURE) from error
    if not nodes or not outputs:
        raise ModelError(f"{path} is no ONNX model: there is no graph in it", _CURE)
    real = {name: shape for name, shape in inputs.items() if name not in constants}
    return OnnxModel(nodes, constants, real, outputs)


def _node(place: int, node: Message) -> Node:
    attributes = dict(map(_attribute, node.messages(5)))
    return Node(place, node.text(4), tuple(node.texts(1)), tuple(node.texts(2)), attributes)


def _attribute(attribute: Message) -> tuple[str, Attribute]:
    kind = attribute.number(20)
    readers: dict[int, Any] = {
        _FLOAT: lambda: float_of(attribute.data(2)),
        _INT: lambda: attribute.number(3),
        _TEXT: lambda: attribute.text(4),
        _TENSOR: lambda: _tensor(attribute.message(5))[1],
        _INTS: lambda: attribute.numbers(8),
    }
    value: Attribute = readers[kind]() if kind in readers else ""
    return attribute.text(1), value


def _tensor(tensor: Message) -> tuple[str, Array]:
    name, dims, kind = tensor.text(8), tensor.numbers(1), tensor.number(2)
    if tensor.number(14) == 1:
        raise ValueError(f"the values of {name!r} are in another file")
    if kind not in _DTYPES:
        raise ValueError(f"{name!r} has elements of type {kind}")
    dtype, raw = np.dtype(_DTYPES[kind]), tensor.data(9)
    values: Array
    if raw is not None:
        values = np.frombuffer(raw, dtype)
    elif kind == 1:
        values = tensor.floats(4)
    else:
        values = np.array(tensor.numbers(7 if kind == 7 else 5), dtype)
    return name, values.reshape(dims)


def _input(value: Message) -> tuple[str, tuple[int, ...]]:
    shape = value.message(2).message(1).message(2)
    return value.text(1), tuple(dim.number(1) for dim in shape.messages(1))
