"""Collects the program that an ONNX graph becomes, with channels last as the engines have them.

A tensor of four axes (batch, channels, rows, columns) becomes (batch, rows, columns, channels), one
of three (batch, channels, time) a picture of one row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.program import Option, Program
from edge_agent.errors import ModelError
from edge_agent.quantize.draft import Draft
from edge_agent.quantize.onnx.model import Node, OnnxModel, Unsupported
from edge_agent.quantize.onnx.sliding import slide

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Value:
    """A computed tensor: its index in the draft, and its shape in ONNX's order."""

    tensor: int
    shape: tuple[int, ...]


class Builder:
    """Values and constants by their ONNX names, and the draft.

    Raises ModelError where an input has no fixed shape of one sample.
    """

    def __init__(self, model: OnnxModel, name: str) -> None:
        self._name = name
        self.draft = Draft()
        self.constants = dict(model.constants)
        self.values: dict[str, Value] = {}
        self._inputs = []
        self._outputs = model.outputs
        for key, given in model.inputs.items():
            shape = (given[0] or 1, *given[1:])
            if len(shape) < 2 or shape[0] != 1 or min(shape) < 1:
                raise ModelError(
                    f"{name}: input {key!r} has no fixed shape of one sample: {given}",
                    "export it with a fixed input shape",
                )
            index = self.draft.tensor(key, turned(shape))
            self.values[key] = Value(index, shape)
            self._inputs.append(index)

    def finish(self) -> Program:
        """The program; raises ModelError where an output is missing."""
        missing = [name for name in self._outputs if name not in self.values]
        if missing:
            raise ModelError(f"{self._name}: nothing computes its output {missing[0]!r}")
        outputs = [self.values[name].tensor for name in self._outputs]
        return Program(self._name, (self.draft.finish(self._inputs, outputs),))

    def same(self, node: Node, name: str, options: Mapping[str, Option]) -> None:
        """An operator of one input that keeps its shape."""
        x = self.value(node, 0)
        self.apply(node, name, (x.tensor,), x.shape, options)

    def apply(
        self,
        node: Node,
        name: str,
        inputs: Sequence[int],
        shape: tuple[int, ...],
        options: Mapping[str, Option],
    ) -> None:
        """Append the operator that makes the first output of a node; `shape` is in ONNX's order."""
        index = self.draft.tensor(node.outputs[0], turned(shape))
        self.draft.apply(name, inputs, (index,), options)
        self.values[node.outputs[0]] = Value(index, shape)

    def value(self, node: Node, place: int) -> Value:
        """A computed input; raises Unsupported where it is none."""
        name = node.inputs[place]
        if name not in self.values:
            raise Unsupported(f"{name!r} is not computed by a node")
        return self.values[name]

    def constant(self, node: Node, place: int) -> Array:
        """A constant input; raises Unsupported where it is none."""
        name = node.inputs[place]
        if name not in self.constants:
            raise Unsupported(f"{name!r} is no constant")
        return self.constants[name]

    def window(
        self, node: Node, x: Value, size: tuple[int, int]
    ) -> tuple[dict[str, Option], Value, tuple[int, ...]]:
        """Options of a sliding window, its input (padded if need be), and what it spreads to."""
        is_time = len(x.shape) == 3
        found = slide(node, x.shape, size)
        if found.before is not None and found.after is not None:
            x = self.padded(node, x, found.before, found.after)
        if min(found.counts) < 1:
            raise Unsupported(f"a window of {size} for {x.shape}")
        return found.options, x, tuple(found.counts[1:] if is_time else found.counts)

    def padded(self, node: Node, x: Value, before: list[int], after: list[int]) -> Value:
        """Zeros around a tensor."""
        widths = np.array([(0, 0), *zip(before, after, strict=True), (0, 0)], np.int32)
        w = self.draft.constant(f"{node.outputs[0]}_zeros", widths)
        spread = [n + a + b for n, a, b in zip(turned(x.shape)[1:3], before, after, strict=True)]
        index = self.draft.tensor(f"{node.outputs[0]}_padded", (1, *spread, x.shape[1]))
        self.draft.apply("PAD", (x.tensor, w), (index,))
        return Value(index, (1, x.shape[1], *spread[-(len(x.shape) - 2) :]))


def turned(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape in the draft: channels last, time as a picture of one row."""
    if len(shape) == 3:
        return shape[0], 1, shape[2], shape[1]
    return (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape
