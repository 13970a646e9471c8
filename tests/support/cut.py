"""Real models cut short: another tensor of theirs becomes the output."""

from __future__ import annotations

import struct
from pathlib import Path

from edge_agent.engines.modelfile.schema import BUILTIN_OPERATORS


def cut_at(source: Path, operator: str, target: Path) -> Path:
    """A copy of a .tflite file with one output: that of its last operator of that name."""
    data = bytearray(source.read_bytes())
    root = _follow(data, 0)
    codes = [_code(data, each) for each in _tables(data, _field(data, root, 1))]
    graph = _tables(data, _field(data, root, 2))[0]
    operators = _tables(data, _field(data, graph, 3))
    wanted = [each for each in operators if codes[_index(data, each)] == operator][-1]
    made = _follow(data, _field(data, wanted, 2))
    outputs = _follow(data, _field(data, graph, 2))
    assert struct.unpack_from("<I", data, outputs)[0] == 1
    data[outputs + 4 : outputs + 8] = data[made + 4 : made + 8]
    target.write_bytes(data)
    return target


def _follow(data: bytearray, at: int) -> int:
    return at + int(struct.unpack_from("<I", data, at)[0])


def _field(data: bytearray, table: int, slot: int) -> int:
    """Where a field lies; 0 where it is absent."""
    vtable = table - int(struct.unpack_from("<i", data, table)[0])
    if 4 + 2 * slot >= struct.unpack_from("<H", data, vtable)[0]:
        return 0
    offset = int(struct.unpack_from("<H", data, vtable + 4 + 2 * slot)[0])
    return table + offset if offset else 0


def _tables(data: bytearray, at: int) -> list[int]:
    start = _follow(data, at)
    count = struct.unpack_from("<I", data, start)[0]
    return [_follow(data, start + 4 + 4 * each) for each in range(count)]


def _index(data: bytearray, operator: int) -> int:
    at = _field(data, operator, 0)
    return int(struct.unpack_from("<I", data, at)[0]) if at else 0


def _code(data: bytearray, table: int) -> str:
    """Name of an operator code: the old field holds up to 127, the new one all."""
    old, new = _field(data, table, 0), _field(data, table, 3)
    number = struct.unpack_from("<b", data, old)[0] if old else 0
    if new:
        number = max(number, struct.unpack_from("<i", data, new)[0])
    return BUILTIN_OPERATORS[number]
