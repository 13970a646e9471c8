"""A program as a .tflite file: the other half of `reading.py`.

Notes of the maker (labels, mean and std, task) go into a zip archive at the end of the file, as
`metadata.json` and `labels.txt`, where this project and the usual tools look for them.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edge_agent.engines.modelfile import schema
from edge_agent.engines.modelfile.flexbuffer_writing import flexbuffer_map
from edge_agent.engines.modelfile.writing import Fields, flatbuffer
from edge_agent.engines.numpy.npz import Notes
from edge_agent.engines.numpy.options import write_options
from edge_agent.engines.numpy.program import Graph, Operator, Program, Tensor

_KINDS = {
    np.dtype(kind.dtype): place
    for place, kind in reversed(list(enumerate(schema.TENSOR_TYPES)))
    if kind.bits >= 8
}
_RESOURCE = [kind.name for kind in schema.TENSOR_TYPES].index("RESOURCE")
_INT8_VERSIONS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "QUANTIZE": 1}
_NAMES = """
    RESHAPE SQUEEZE EXPAND_DIMS HARD_SWISH PRELU SHAPE ELU DEPTH_TO_SPACE RELU_N1_TO_1 RELU_0_TO_1
"""
_ONE_VERSION = frozenset(_NAMES.split())
"""Operators whose first version takes int8 already: lite/tools/versioning/op_version.cc."""


def write_tflite(program: Program, notes: Notes) -> bytes:
    """The bytes of a .tflite file that holds the program and its notes."""
    buffers: list[Fields] = [{}]
    codes: dict[tuple[str, int], int] = {}
    graphs = [_graph(graph, codes, buffers) for graph in program.graphs]
    root: Fields = {
        0: ("<I", schema.VERSION),
        1: [_code(name, version) for name, version in codes],
        2: graphs,
        3: notes.description or program.name,
        4: buffers,
    }
    return flatbuffer(root, schema.IDENTIFIER) + _archive(notes)


def _archive(notes: Notes) -> bytes:
    """The zip archive at the end; nothing where there are no notes."""
    files = {}
    if notes.labels:
        files["labels.txt"] = "\n".join(notes.labels) + "\n"
    if notes.metadata:
        files["metadata.json"] = json.dumps(dict(notes.metadata))
    if not files:
        return b""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)  # ZipInfo: no time of day in it
    return written.getvalue()


def _code(name: str, version: int) -> Fields:
    """OperatorCode: the number stands twice, in one byte for old readers and in four."""
    if name not in schema.BUILTIN_OPERATORS:
        return {0: ("<b", schema.CUSTOM), 1: name, 2: ("<i", version), 3: ("<i", schema.CUSTOM)}
    number = schema.BUILTIN_OPERATORS.index(name)
    return {0: ("<b", min(number, schema.PLACEHOLDER)), 2: ("<i", version), 3: ("<i", number)}


def _version(operator: Operator, tensors: Sequence[Tensor]) -> int:
    """The version at which the operator takes the types that it has here."""
    name = operator.name
    used = [tensors[index] for index in (*operator.inputs, *operator.outputs) if index >= 0]
    is_int8 = [tensor.dtype == np.int8 for tensor in used]
    if name == "QUANTIZE" and all(is_int8):
        return 2
    if name in schema.BUILTIN_OPERATORS and any(is_int8) and name not in _ONE_VERSION:
        return _INT8_VERSIONS.get(name, 2)
    return 1


def _graph(graph: Graph, codes: dict[tuple[str, int], int], buffers: list[Fields]) -> Fields:
    return {
        0: [_tensor(tensor, buffers) for tensor in graph.tensors],
        1: np.array(graph.inputs, np.int32),
        2: np.array(graph.outputs, np.int32),
        3: [_operator(operator, graph.tensors, codes) for operator in graph.operators],
        4: "main",
    }


def _operator(
    operator: Operator, tensors: Sequence[Tensor], codes: dict[tuple[str, int], int]
) -> Fields:
    key = (operator.name, _version(operator, tensors))
    number, options = write_options(operator.name, operator.options)
    is_custom = operator.name not in schema.BUILTIN_OPERATORS
    between = np.array(operator.intermediates, np.int32) if operator.intermediates else None
    return {
        0: ("<I", codes.setdefault(key, len(codes))),
        1: np.array(operator.inputs, np.int32),
        2: np.array(operator.outputs, np.int32),
        3: ("<B", number),
        4: options,
        5: flexbuffer_map(_numbers(operator.options)) if is_custom else None,
        8: between,
    }


def _numbers(options: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in options.items() if isinstance(value, int | float)}


def _tensor(tensor: Tensor, buffers: list[Fields]) -> Fields:
    buffer = 0
    if tensor.constant is not None:
        buffer = len(buffers)
        buffers.append({0: np.ascontiguousarray(tensor.constant).tobytes()})
    quantization: Fields | None = None
    if tensor.scale is not None and tensor.zero_point is not None:
        quantization = {2: tensor.scale, 3: tensor.zero_point, 6: ("<i", tensor.dimension)}
    return {
        0: np.array(tensor.shape, np.int32),
        1: ("<b", _KINDS.get(tensor.dtype, _RESOURCE)),
        2: ("<I", buffer),
        3: tensor.name,
        4: quantization,
        5: ("<?", tensor.is_variable),
    }
