"""Writes small real ONNX files, so that tests need no library of it."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_KINDS = {"float32": 1, "int64": 7, "float16": 10, "float64": 11}


def varint(value: int) -> bytes:
    """A whole number, a negative one in ten bytes."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def field(number: int, value: bytes | str | float) -> bytes:
    """One field of a message; a float has four bytes."""
    if isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        return varint(number << 3 | 2) + varint(len(data)) + data
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 5) + struct.pack("<f", value)


def tensor(name: str, values: Array) -> bytes:
    """A TensorProto with raw data."""
    dims = b"".join(field(1, side) for side in values.shape)
    kind = field(2, _KINDS[values.dtype.name])
    return dims + kind + field(8, name) + field(9, np.ascontiguousarray(values).tobytes())


def attribute(name: str, value: Any) -> bytes:
    """An AttributeProto: a number, a text, whole numbers or a tensor."""
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, 2)
    if isinstance(value, float):
        return field(1, name) + field(2, value) + field(20, 1)
    if isinstance(value, str):
        return field(1, name) + field(4, value) + field(20, 3)
    if isinstance(value, np.ndarray):
        return field(1, name) + field(5, tensor("", value)) + field(20, 4)
    packed = b"".join(map(varint, value))
    return field(1, name) + field(8, packed) + field(20, 7)


def node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> bytes:
    """A NodeProto of one output."""
    named = b"".join(field(1, name) for name in inputs)
    given = b"".join(field(5, attribute(name, value)) for name, value in attributes.items())
    return named + field(2, output) + field(3, output) + field(4, kind) + given


def value_info(name: str, shape: Sequence[int | str]) -> bytes:
    """A ValueInfoProto of float32; a text is a side that is not fixed."""
    dims = b"".join(field(1, field(1 if isinstance(side, int) else 2, side)) for side in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))


def write_onnx(
    path: Path,
    nodes: Sequence[bytes],
    constants: Mapping[str, Array],
    shape: Sequence[int | str],
    output: str = "y",
) -> Path:
    """A ModelProto with the input "x" of this shape."""
    graph = b"".join(field(1, each) for each in nodes) + field(2, "graph")
    graph += b"".join(field(5, tensor(name, values)) for name, values in constants.items())
    graph += field(11, value_info("x", shape)) + field(12, value_info(output, ()))
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(2, 17)))
    return path
