"""Writes FlexBuffers as far as custom operators need them: see `flexbuffer.py` for the format."""

from __future__ import annotations

import struct
from collections.abc import Mapping

_INT, _FLOAT, _MAP, _BOOL = 1, 3, 9, 26
_FOUR_BYTES = 2


def flexbuffer_map(values: Mapping[str, float]) -> bytes:
    """A map of numbers and truth values, all of four bytes."""
    out = bytearray()
    places = {}
    for name in sorted(values):
        places[name] = len(out)
        out += name.encode() + b"\0"
    out += bytes(-len(out) % 4) + struct.pack("<I", len(values))
    keys = len(out)
    for name in sorted(values):
        out += struct.pack("<I", len(out) - places[name])
    out += struct.pack("<III", len(out) - keys, 4, len(values))
    start = len(out)
    kinds = []
    for name in sorted(values):
        kind, layout = _layout(values[name])
        out += struct.pack(layout, values[name])
        kinds.append(kind << 2 | _FOUR_BYTES)
    out += bytes(kinds) + bytes(-len(kinds) % 4)
    return bytes(out + struct.pack("<IBB", len(out) - start, _MAP << 2 | _FOUR_BYTES, 4))


def _layout(value: float) -> tuple[int, str]:
    if isinstance(value, bool):
        return _BOOL, "<I"
    return (_INT, "<i") if isinstance(value, int) else (_FLOAT, "<f")
