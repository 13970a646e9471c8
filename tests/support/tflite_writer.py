"""Writes small real .tflite files, so that tests need neither test data nor a training library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.modelfile import writing
from edge_agent.engines.modelfile.schema import BUILTIN_OPERATORS, TENSOR_TYPES

Table = writing.Fields

ADD_OPTIONS, SVDF_OPTIONS, CALL_ONCE_OPTIONS, VAR_HANDLE_OPTIONS = 11, 6, 103, 111


@dataclass
class TensorDef:
    """A tensor; `data` makes it a constant, `scale` with `zero_point` quantised."""

    name: str
    shape: Sequence[int]
    dtype: str = "FLOAT32"
    data: NDArray[Any] | bytes | None = None
    scale: Sequence[float] = ()
    zero_point: Sequence[int] = ()
    dimension: int = 0
    signature: Sequence[int] = ()
    is_variable: bool = False


@dataclass
class OpDef:
    """An operator; a name that is not TFLite's makes it a custom one."""

    name: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options_type: int = 0
    options: Table | None = None
    custom_options: bytes = b""
    intermediates: Sequence[int] = ()


@dataclass
class GraphDef:
    """A subgraph."""

    tensors: Sequence[TensorDef]
    operators: Sequence[OpDef]
    inputs: Sequence[int]
    outputs: Sequence[int]


def flatbuffer(root: Table, identifier: bytes = b"TFL3") -> bytes:
    """The bytes of a flatbuffer with this root table."""
    return writing.flatbuffer(root, identifier)


def model(
    graphs: GraphDef | Sequence[GraphDef],
    metadata: dict[str, bytes] | None = None,
    description: str = "made for a test",
    version: int = 3,
) -> bytes:
    """The bytes of a .tflite file."""
    graphs = [graphs] if isinstance(graphs, GraphDef) else list(graphs)
    buffers: list[Table] = [{}]
    names = list(dict.fromkeys(op.name for graph in graphs for op in graph.operators))
    subgraphs = [_subgraph(graph, names, buffers) for graph in graphs]
    entries = []
    for name, data in (metadata or {}).items():
        entries.append({0: name, 1: ("<I", len(buffers))})
        buffers.append({0: data})
    return flatbuffer(
        {
            0: ("<I", version),
            1: [_code(name) for name in names],
            2: subgraphs,
            3: description,
            4: buffers,
            6: entries,
        }
    )


def _code(name: str) -> Table:
    if name not in BUILTIN_OPERATORS:
        return {0: ("<b", 32), 1: name, 2: ("<i", 1), 3: ("<i", 32)}
    number = BUILTIN_OPERATORS.index(name)
    return {0: ("<b", min(number, 127)), 2: ("<i", 1), 3: ("<i", number)}


def _subgraph(graph: GraphDef, names: list[str], buffers: list[Table]) -> Table:
    return {
        0: [_tensor(tensor, buffers) for tensor in graph.tensors],
        1: np.array(graph.inputs, np.int32),
        2: np.array(graph.outputs, np.int32),
        3: [
            {
                0: ("<I", names.index(op.name)),
                1: np.array(op.inputs, np.int32),
                2: np.array(op.outputs, np.int32),
                3: ("<B", op.options_type),
                4: op.options,
                5: op.custom_options or None,
                8: np.array(op.intermediates, np.int32) if op.intermediates else None,
            }
            for op in graph.operators
        ],
        4: "main",
    }


def _tensor(tensor: TensorDef, buffers: list[Table]) -> Table:
    buffer = 0
    if tensor.data is not None:
        data = tensor.data if isinstance(tensor.data, bytes) else tensor.data.tobytes()
        buffer = len(buffers)
        buffers.append({0: data})
    quantization: Table = {
        2: np.array(tensor.scale, np.float32),
        3: np.array(tensor.zero_point, np.int64),
        6: ("<i", tensor.dimension),
    }
    kinds = [kind.name for kind in TENSOR_TYPES]
    return {
        0: np.array(tensor.shape, np.int32),
        1: ("<b", kinds.index(tensor.dtype)),
        2: ("<I", buffer),
        3: tensor.name,
        4: quantization if tensor.scale else None,
        5: ("<?", tensor.is_variable),
        7: np.array(tensor.signature, np.int32) if tensor.signature else None,
    }


def add_graph(shape: Sequence[int] = (1, 4), signature: Sequence[int] = ()) -> GraphDef:
    """Give x + 1 in float."""
    return GraphDef(
        [
            TensorDef("x", shape, signature=signature),
            TensorDef("one", (1,), data=np.ones(1, np.float32)),
            TensorDef("y", shape, signature=signature),
        ],
        [OpDef("ADD", (0, 1), (2,), ADD_OPTIONS, {})],
        inputs=(0,),
        outputs=(2,),
    )


def int8_add_graph() -> GraphDef:
    """Give a + b on int8 with scale 0.5 and zero point 3, and a second output: b itself."""
    quantised = {"dtype": "INT8", "scale": [0.5], "zero_point": [3]}
    tensors = [TensorDef(name, (1, 2, 3), **quantised) for name in ("a", "b", "sum")]  # type: ignore[arg-type]
    return GraphDef(tensors, [OpDef("ADD", (0, 1), (2,), ADD_OPTIONS, {})], (0, 1), (2, 1))


def sum_graph(sum_in: str = "sum_in", sum_out: str = "sum_out") -> GraphDef:
    """A picture on int8 in, out come the sum of all pictures so far and the last one doubled."""
    names = ("picture", sum_in, sum_out, "doubled")
    tensors = [TensorDef(name, (1, 2, 2, 3), "INT8", scale=[1.0], zero_point=[0]) for name in names]
    adds = [
        OpDef("ADD", (0, 1), (2,), ADD_OPTIONS, {}),
        OpDef("ADD", (0, 0), (3,), ADD_OPTIONS, {}),
    ]
    return GraphDef(tensors, adds, (0, 1), (3, 2))


def where_graph() -> GraphDef:
    """Indices of the true elements: an output whose shape depends on the input."""
    return GraphDef(
        [TensorDef("mask", (4,), "BOOL"), TensorDef("hits", (1, 1), "INT64", signature=(-1, 1))],
        [OpDef("WHERE", (0,), (1,))],
        inputs=(0,),
        outputs=(1,),
    )


def custom_graph(name: str, options: bytes = b"") -> GraphDef:
    """One custom operator between a float input and a float output."""
    return GraphDef(
        [TensorDef("x", (1, 4)), TensorDef("y", (1, 4))],
        [OpDef(name, (0,), (1,), custom_options=options)],
        inputs=(0,),
        outputs=(1,),
    )


def memory_graph() -> GraphDef:
    """Give x now + x before (SVDF), with its state in a variable tensor."""
    one = np.ones((1, 1), np.float32)
    return GraphDef(
        [
            TensorDef("x", (1, 1)),
            TensorDef("feature", (1, 1), data=one),
            TensorDef("time", (1, 2), data=np.ones((1, 2), np.float32)),
            TensorDef("state", (1, 2), is_variable=True),
            TensorDef("y", (1, 1)),
        ],
        [OpDef("SVDF", (0, 1, 2, -1, 3), (4,), SVDF_OPTIONS, {0: ("<i", 1)})],
        inputs=(0,),
        outputs=(4,),
    )


def counter_graphs(shape: Sequence[int] = (1,)) -> list[GraphDef]:
    """Give the sum of all x so far, kept in a resource variable that CALL_ONCE sets to zero."""
    handle = OpDef("VAR_HANDLE", (), (0,), VAR_HANDLE_OPTIONS, {0: "", 1: "sum"})
    resource = TensorDef("handle", (), "RESOURCE")
    zero = TensorDef("zero", shape, data=np.zeros(shape, np.float32))
    init = GraphDef([resource, zero], [handle, OpDef("ASSIGN_VARIABLE", (0, 1), ())], (), ())
    main = GraphDef(
        [resource, *(TensorDef(name, shape) for name in ("x", "old", "y"))],
        [
            OpDef("CALL_ONCE", (), (), CALL_ONCE_OPTIONS, {0: ("<i", 1)}),
            handle,
            OpDef("READ_VARIABLE", (0,), (2,)),
            OpDef("ADD", (2, 1), (3,), ADD_OPTIONS, {}),
            OpDef("ASSIGN_VARIABLE", (0, 3), ()),
        ],
        inputs=(1,),
        outputs=(3,),
    )
    return [main, init]


def write_model(path: Path, graphs: GraphDef | Sequence[GraphDef], **more: Any) -> Path:
    """Write a .tflite file and return its path."""
    path.write_bytes(model(graphs, **more))
    return path
