"""The model as its file tells it: subgraphs, tensors, operators; typed, read-only, checked.

Whoever holds a `Model` may rely on this: every index is in range, every shape and constant agrees
with its element type, no tensor is larger than `MAX_TENSOR_BYTES`, and every operator reads only
what stands before it. What an operator's options mean is not checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.modelfile.flatbuffer import Table
from edge_agent.engines.modelfile.schema import TensorType
from edge_agent.model import TensorSpec

MAX_TENSOR_BYTES = 256 << 20
"""Limit of a tensor that the engine must allocate; constants are limited by the file itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantization:
    """`real = scale * (quantised - zero_point)`; one of each, or one per index of `dimension`."""

    scale: NDArray[np.float32]
    zero_point: NDArray[np.int64]
    dimension: int


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor. `signature` is its shape with -1 for what is not fixed.

    `data` holds the bytes of a constant, None where the tensor is computed.
    """

    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    type: TensorType
    data: memoryview | None
    quantization: Quantization | None
    is_variable: bool
    is_sparse: bool

    def constant(self) -> NDArray[Any]:
        """The dense constant of whole-byte elements as a read-only view of the file."""
        assert self.data is not None
        return np.frombuffer(self.data, self.type.dtype).reshape(self.shape)

    def spec(self) -> TensorSpec:
        """What users of the engine see; a free first dimension of several, the batch, is one."""
        shape = self.signature
        if len(shape) > 1 and shape[0] == -1:
            shape = (1, *shape[1:])
        scale: Any = None
        zero_point: Any = None
        if self.quantization is not None:
            scale, zero_point = self.quantization.scale.copy(), self.quantization.zero_point.copy()
            if scale.size == 1:
                scale, zero_point = float(scale[0]), int(zero_point[0])
        return TensorSpec(self.name, shape, self.type.dtype, scale, zero_point)


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """One step of a subgraph; tensors are given by index, -1 for an input that is left out.

    `name` is the TFLite name, or a custom operator's own. `options` are the builtin options as a
    raw table of the schema type `options_type`.
    """

    name: str
    is_custom: bool
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...]
    options_type: int
    options: Table | None
    custom_options: memoryview


@dataclass(frozen=True, slots=True, eq=False)
class Subgraph:
    """A graph in order of execution."""

    name: str
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """Names that the maker gave to the inputs and outputs of one subgraph, with tensor indices."""

    key: str
    subgraph: int
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A whole model; the first subgraph is the one that runs."""

    description: str
    subgraphs: tuple[Subgraph, ...]
    metadata: Mapping[str, memoryview]
    signatures: tuple[Signature, ...]

    @property
    def main(self) -> Subgraph:
        """The subgraph that runs."""
        return self.subgraphs[0]

    @property
    def has_variables(self) -> bool:
        """Whether a tensor of any subgraph keeps its value from run to run."""
        return any(tensor.is_variable for graph in self.subgraphs for tensor in graph.tensors)

    def operators(self) -> Iterator[Operator]:
        """All operators of all subgraphs."""
        for subgraph in self.subgraphs:
            yield from subgraph.operators
