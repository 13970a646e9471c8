"""Builds the checked `Model` from the tables of a .tflite file."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edge_agent.engines.modelfile.flatbuffer import (
    BOOL,
    I8,
    I32,
    U8,
    U32,
    U64,
    FlatBuffer,
    Table,
)
from edge_agent.engines.modelfile.graph import (
    MAX_TENSOR_BYTES,
    Model,
    Operator,
    Quantization,
    Signature,
    Subgraph,
    Tensor,
)
from edge_agent.engines.modelfile.schema import (
    CUSTOM,
    IDENTIFIER,
    PLACEHOLDER,
    TENSOR_TYPES,
    VECTOR_OPTIONS,
    VERSION,
    TensorType,
    operator_name,
)
from edge_agent.errors import ModelError

MAX_RANK = 16

_INT32 = np.dtype("<i4")
_INT64 = np.dtype("<i8")
_FLOAT32 = np.dtype("<f4")
_BYTE = np.dtype("u1")


def parse_model(data: memoryview, what: str) -> Model:
    """The model in the bytes of a .tflite file; `what` names it in errors.

    Raises ModelError where anything is out of range or at odds with itself.
    """
    file = FlatBuffer(data, what)
    if data[4:8] != IDENTIFIER:
        cure = "give a .tflite file, or download or export it again"
        raise ModelError(f"{what} is not a TFLite model", cure)
    root = file.root("header")
    root.where = ""
    version = root.number(0, U32)
    if version != VERSION:
        file.fail("header", f"schema version {version}, only {VERSION} is known")
    buffers = [_buffer(file, table) for table in root.tables(4, "buffer")]
    codes = [_code(table) for table in root.tables(1, "operator code")]
    subgraphs = tuple(_subgraph(table, buffers, codes) for table in root.tables(2, "subgraph"))
    if not subgraphs:
        file.fail("header", "there is no graph in it")
    signatures = tuple(_signature(table, subgraphs) for table in root.tables(7, "signature"))
    metadata = dict(_metadata(table, buffers) for table in root.tables(6, "metadata"))
    return Model(root.text(3, "description"), subgraphs, metadata, signatures)


def _buffer(file: FlatBuffer, table: Table) -> memoryview:
    """Bytes of one buffer: inside the flatbuffer, or behind it in files of over 2 GB."""
    offset, size = table.number(1, U64), table.number(2, U64)
    if offset > 1 and size > 1:
        return file.span(offset, size, table.where)
    return table.vector(0, _BYTE, "data").data


def _code(table: Table) -> tuple[str, bool, int]:
    """Name of an operator, whether it is custom, and its version."""
    old, new = table.number(0, I8), table.number(3, I32)
    code = max(old, new) if old <= PLACEHOLDER else new
    name = table.text(1, "custom code") if code == CUSTOM else operator_name(code)
    return name or "CUSTOM", code == CUSTOM, table.number(2, I32, 1)


def _indices(table: Table, slot: int, name: str, count: int, lowest: int) -> tuple[int, ...]:
    """Tensor indices from `lowest` to below `count`."""
    values = table.vector(slot, _INT32, name)
    table.charge(values.size // 16)
    if values.size and (values.min() < lowest or values.max() >= count):
        wrong = next(v for v in values.tolist() if not lowest <= v < count)
        table.fail(f"{name} names tensor {wrong}, there are {count}")
    return tuple(values.tolist())


def _subgraph(
    table: Table, buffers: Sequence[memoryview], codes: Sequence[tuple[str, bool, int]]
) -> Subgraph:
    tensors = tuple(_tensor(entry, buffers) for entry in table.tables(0, "tensor"))
    inputs = _indices(table, 1, "inputs", len(tensors), 0)
    outputs = _indices(table, 2, "outputs", len(tensors), 0)
    tables = table.tables(3, "operator")
    operators = tuple(_operator(entry, codes, len(tensors)) for entry in tables)
    subgraph = Subgraph(table.text(4, "name"), tensors, inputs, outputs, operators)
    _check_order(subgraph, table, tables)
    return subgraph


def _check_order(subgraph: Subgraph, table: Table, operators: Sequence[Table]) -> None:
    """Every tensor must hold a value before it is read: runtimes do not look and crash."""
    ready = [
        tensor.data is not None or tensor.is_variable or not math.prod(tensor.shape)
        for tensor in subgraph.tensors
    ]
    for index in subgraph.inputs:
        ready[index] = True
    for operator, entry in zip(subgraph.operators, operators, strict=True):
        for index in operator.inputs:
            if index >= 0 and not ready[index]:
                entry.fail(f"{operator.name} reads tensor {index} before anything writes it")
        for index in operator.outputs:
            if index >= 0:
                ready[index] = True
    for index in subgraph.outputs:
        if not ready[index]:
            table.fail(f"nothing writes its output, tensor {index}")


def _tensor(table: Table, buffers: Sequence[memoryview]) -> Tensor:
    number = table.number(1, I8)
    if not 0 <= number < len(TENSOR_TYPES):
        table.fail(f"element type {number} is not known")
    kind = TENSOR_TYPES[number]
    shape = _shape(table, 0, "shape")
    signature = _shape(table, 7, "shape signature") or shape
    if len(signature) != len(shape):
        table.fail(f"its shape {shape} and its signature {signature} do not fit")
    index = table.number(2, U32)
    if index >= len(buffers) and index:
        table.fail(f"it names buffer {index}, there are {len(buffers)}")
    data = buffers[index] if index < len(buffers) and len(buffers[index]) else None
    is_sparse = table.table(6, "sparsity") is not None
    _check_size(table, shape, kind, data, is_sparse)
    return Tensor(
        table.text(3, "name"),
        shape,
        signature,
        kind,
        data,
        _quantization(table, shape),
        table.number(5, BOOL, False),
        is_sparse,
    )


def _shape(table: Table, slot: int, name: str) -> tuple[int, ...]:
    values = table.vector(slot, _INT32, name)
    if values.size > MAX_RANK:
        table.fail(f"{name} of {values.size} dimensions (at most {MAX_RANK})")
    if values.size and values.min() < -1:
        table.fail(f"{name} {values.tolist()} has a negative dimension")
    return tuple(values.tolist())


def _check_size(
    table: Table,
    shape: tuple[int, ...],
    kind: TensorType,
    data: memoryview | None,
    is_sparse: bool,
) -> None:
    """A constant has the bytes its shape needs; anything else stays within the limit."""
    needed = (math.prod(max(size, 1) if size else 0 for size in shape) * kind.bits + 7) // 8
    if data is None or is_sparse:
        if needed > MAX_TENSOR_BYTES:
            table.fail(f"{needed} bytes for shape {shape} (at most {MAX_TENSOR_BYTES})")
    elif kind.bits and len(data) != needed:
        table.fail(f"shape {shape} of {kind.name} needs {needed} bytes, it has {len(data)}")


def _quantization(table: Table, shape: tuple[int, ...]) -> Quantization | None:
    details = table.table(4, "quantization")
    if details is None:
        return None
    scale = details.vector(2, _FLOAT32, "scale")
    zero_point = details.vector(3, _INT64, "zero point")
    dimension = details.number(6, I32)
    if not scale.size:
        return None
    details.charge(scale.size // 256)
    if not zero_point.size:
        zero_point = np.zeros(scale.size, np.int64)
    if zero_point.size not in (1, scale.size):
        details.fail(f"{scale.size} scales and {zero_point.size} zero points")
    if not np.isfinite(scale).all() or scale.min() < 0:
        details.fail("a scale is negative or not a number")
    if scale.size > 1 and not (0 <= dimension < len(shape) and shape[dimension] == scale.size):
        details.fail(f"{scale.size} scales for dimension {dimension} of shape {shape}")
    if scale.size == 1 and not scale[0]:
        return None
    return Quantization(scale, np.broadcast_to(zero_point, scale.shape), dimension)


def _operator(table: Table, codes: Sequence[tuple[str, bool, int]], tensors: int) -> Operator:
    index = table.number(0, U32)
    if index >= len(codes):
        table.fail(f"it names operator code {index}, there are {len(codes)}")
    name, is_custom, version = codes[index]
    kind, options = _options(table)
    return Operator(
        name,
        is_custom,
        version,
        _indices(table, 1, "inputs", tensors, -1),
        _indices(table, 2, "outputs", tensors, -1),
        _indices(table, 8, "intermediates", tensors, -1),
        kind,
        options,
        table.vector(5, _BYTE, "custom options").data,
    )


def _options(table: Table) -> tuple[int, Table | None]:
    """The builtin options and their type, from the older or the newer of the two unions."""
    kind = table.number(3, U8)
    options = table.table(4, "options")
    newer = table.table(12, "options")
    for entry in (options, newer):
        if entry is not None:
            entry.check()
    if options is not None and kind in VECTOR_OPTIONS:
        options.vector(VECTOR_OPTIONS[kind], _INT32, "options")
    return (kind, options) if newer is None else (table.number(11, U8), newer)


def _signature(table: Table, subgraphs: Sequence[Subgraph]) -> Signature:
    index = table.number(4, U32)
    if index >= len(subgraphs):
        table.fail(f"it names subgraph {index}, there are {len(subgraphs)}")
    count = len(subgraphs[index].tensors)
    names = [
        {entry.text(0, "name"): _tensor_index(entry, count) for entry in table.tables(slot, what)}
        for slot, what in ((0, "input"), (1, "output"))
    ]
    return Signature(table.text(2, "key"), index, *names)


def _tensor_index(table: Table, count: int) -> int:
    index: int = table.number(1, U32)
    if index >= count:
        table.fail(f"it names tensor {index}, there are {count}")
    return index


def _metadata(table: Table, buffers: Sequence[memoryview]) -> tuple[str, memoryview]:
    index = table.number(1, U32)
    if index >= len(buffers):
        table.fail(f"it names buffer {index}, there are {len(buffers)}")
    return table.text(0, "name"), buffers[index]
