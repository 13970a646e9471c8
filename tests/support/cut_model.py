"""Takes the last operator off a .tflite file: its inputs become the outputs of the model."""

from __future__ import annotations

import struct


def without_last_operator(data: bytes) -> bytes:
    """The same file with some numbers changed in place; the operator's own bytes stay unused."""
    out = bytearray(data)
    subgraph = _target(out, _target(out, _field(out, _target(out, 0), 2)) + 4)
    operators = _target(out, _field(out, subgraph, 3))
    (count,) = struct.unpack_from("<I", out, operators)
    last = _target(out, operators + 4 * count)
    inputs = _target(out, _field(out, last, 1))
    (number,) = struct.unpack_from("<I", out, inputs)
    tensors = struct.unpack_from(f"<{number}i", out, inputs + 4)
    outputs = _target(out, _field(out, subgraph, 2))
    assert number <= struct.unpack_from("<I", out, outputs)[0], "there is no room for the outputs"
    struct.pack_into(f"<I{number}i", out, outputs, number, *tensors)
    struct.pack_into("<I", out, operators, count - 1)
    return bytes(out)


def _target(data: bytearray, at: int) -> int:
    return at + int(struct.unpack_from("<I", data, at)[0])


def _field(data: bytearray, table: int, slot: int) -> int:
    """Where a field of a table stands, which must be there."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    offset = int(struct.unpack_from("<H", data, vtable + 4 + 2 * slot)[0])
    assert offset, "the field is absent"
    return table + offset
