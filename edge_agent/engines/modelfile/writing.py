"""Writes flatbuffers: the other half of `flatbuffer.py`."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

Fields = dict[int, Any]
"""A table by slot: ("<i", 5) is a number; else bytes, str, an array, Fields or a list of Fields.

A slot of None is left out.
"""

_ALIGNMENT = 16  # of bytes: TFLite reads constants in place, some kernels with vector loads


def flatbuffer(root: Fields, identifier: bytes) -> bytes:
    """The bytes of a flatbuffer with this root table and identifier of four bytes."""
    writer = _Writer()
    writer.out[4:8] = identifier
    writer.place(root, 0)
    return bytes(writer.out)


class _Writer:
    """Appends every part behind what points to it, so that offsets are never negative."""

    def __init__(self) -> None:
        self.out = bytearray(8)
        self._layouts: dict[bytes, int] = {}

    def place(self, value: Any, at: int) -> None:
        """Write a value and point the offset at `at` to it."""
        writers: dict[type, Any] = {dict: self._table, list: self._tables, str: self._text}
        start = writers.get(type(value), self._vector)(value)
        struct.pack_into("<I", self.out, at, start - at)

    def _align(self, size: int, extra: int = 0) -> None:
        self.out += bytes(-(len(self.out) + extra) % size)

    def _text(self, value: str) -> int:
        self._align(4)
        start = len(self.out)
        encoded = value.encode()
        self.out += struct.pack("<I", len(encoded)) + encoded + b"\0"
        return start

    def _vector(self, value: NDArray[Any] | bytes) -> int:
        if isinstance(value, bytes):
            data, alignment = value, _ALIGNMENT
        else:
            data, alignment = np.ascontiguousarray(value).tobytes(), max(4, value.dtype.itemsize)
        self._align(alignment, extra=4)
        start = len(self.out)
        self.out += struct.pack("<I", len(value)) + data
        return start

    def _tables(self, value: list[Fields]) -> int:
        self._align(4)
        start = len(self.out)
        self.out += struct.pack("<I", len(value)) + bytes(4 * len(value))
        for index, table in enumerate(value):
            self.place(table, start + 4 + 4 * index)
        return start

    def _layout(self, layout: bytes) -> int:
        """Where this description of a table stands; tables of one form share it."""
        if layout not in self._layouts:
            self._align(4)
            self._layouts[layout] = len(self.out)
            self.out += layout
        return self._layouts[layout]

    def _table(self, value: Fields) -> int:
        fields = {slot: entry for slot, entry in value.items() if entry is not None}
        slots = max(fields, default=-1) + 1
        places = {slot: 4 + 4 * index for index, slot in enumerate(sorted(fields))}
        entries = [places.get(slot, 0) for slot in range(slots)]
        vtable = self._layout(
            struct.pack(f"<{2 + slots}H", 4 + 2 * slots, 4 + 4 * len(fields), *entries)
        )
        self._align(4)
        start = len(self.out)
        self.out += struct.pack("<i", start - vtable) + bytes(4 * len(fields))
        for slot, entry in fields.items():
            if isinstance(entry, tuple):
                struct.pack_into(entry[0], self.out, start + places[slot], entry[1])
            else:
                self.place(entry, start + places[slot])
        return start
