"""Decodes FlexBuffers, the schema-less form in which TFLite keeps the options of custom operators.

Format: https://flatbuffers.dev/flatbuffers_internals/#flexbuffers. The root is at the end: value,
its packed type, its width. A packed type is `type << 2 | log2(width of the children)`. Offsets
point backwards, so a file cannot be followed in a circle; depth and number of values are limited
all the same, because many offsets may lead to one value.
"""

from __future__ import annotations

import struct
from typing import Any

from edge_agent.errors import ModelError

MAX_DEPTH = 16
MAX_VALUES = 20_000

_NULL, _INT, _UINT, _FLOAT, _KEY, _STRING = range(6)
_INDIRECT = {6: _INT, 7: _UINT, 8: _FLOAT}
_MAP, _VECTOR = 9, 10
_TYPED_VECTOR = {11: _INT, 12: _UINT, 13: _FLOAT, 14: _KEY, 15: _STRING, 36: 26}
_FIXED_VECTOR = range(16, 25)  # of 2, 3, 4 elements; int, uint, float in turn
_BLOB, _BOOL = 25, 26

_INTS = {1: "<b", 2: "<h", 4: "<i", 8: "<q"}
_UINTS = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
_FLOATS = {2: "<e", 4: "<f", 8: "<d"}


def decode_flexbuffer(data: bytes | memoryview, what: str) -> Any:
    """The value: numbers, texts, bytes, lists and dicts; ModelError where the bytes are damaged."""
    try:
        return _Reader(bytes(data)).root()
    except (IndexError, KeyError, struct.error, ValueError) as error:
        raise ModelError(f"{what} cannot be decoded: {error}", "export the model again") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = MAX_VALUES

    def root(self) -> Any:
        if len(self._data) < 3:
            raise ValueError("fewer than 3 bytes")
        packed, width = self._data[-2], self._data[-1]
        if width not in _INTS:
            raise ValueError(f"a root of {width} bytes")
        return self._value(len(self._data) - 2 - width, width, packed, 0)

    def _number(self, formats: dict[int, str], at: int, width: int) -> Any:
        if at < 0 or at + width > len(self._data):
            raise ValueError(f"offset {at} is outside its {len(self._data)} bytes")
        return struct.unpack_from(formats[width], self._data, at)[0]

    def _value(self, at: int, width: int, packed: int, depth: int) -> Any:
        """The value stored, or pointed at, at a position of its parent."""
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_VALUES} values or {MAX_DEPTH} levels")
        kind, child = packed >> 2, 1 << (packed & 3)
        if kind in (_NULL, _INT, _UINT, _FLOAT, _BOOL):
            return self._scalar(kind, at, width)
        target = at - self._number(_UINTS, at, width)
        if kind in _INDIRECT:
            return self._scalar(_INDIRECT[kind], target, child)
        if kind in (_KEY, _STRING, _BLOB):
            return self._bytes(kind, target, child)
        return self._collection(kind, target, child, depth + 1)

    def _scalar(self, kind: int, at: int, width: int) -> Any:
        if kind == _NULL:
            return None
        if kind == _BOOL:
            return bool(self._number(_UINTS, at, width))
        return self._number({_INT: _INTS, _UINT: _UINTS, _FLOAT: _FLOATS}[kind], at, width)

    def _bytes(self, kind: int, at: int, width: int) -> str | bytes:
        if kind == _KEY:
            if at < 0:
                raise ValueError(f"offset {at} is outside its {len(self._data)} bytes")
            return self._data[at : self._data.index(0, at)].decode("utf-8", "replace")
        size = self._number(_UINTS, at - width, width)
        if at + size > len(self._data):
            raise ValueError(f"{size} bytes at offset {at} do not fit")
        content = self._data[at : at + size]
        return content if kind == _BLOB else content.decode("utf-8", "replace")

    def _collection(self, kind: int, at: int, width: int, depth: int) -> Any:
        if kind in _FIXED_VECTOR:
            count, element = divmod(kind - _FIXED_VECTOR.start, 3)
            return self._typed(at, width, _INT + element, count + 2, depth)
        size = self._number(_UINTS, at - width, width)
        if size * width > len(self._data):
            raise ValueError(f"{size} elements at offset {at} do not fit")
        if kind in _TYPED_VECTOR:
            return self._typed(at, width, _TYPED_VECTOR[kind], size, depth)
        if kind == _VECTOR:
            return self._untyped(at, width, size, depth)
        if kind == _MAP:
            keys, values = self._keys(at, width, depth), self._untyped(at, width, size, depth)
            return dict(zip(keys, values, strict=True))
        raise ValueError(f"type {kind} is not known")

    def _typed(self, at: int, width: int, kind: int, size: int, depth: int) -> list[Any]:
        return [self._value(at + i * width, width, kind << 2, depth) for i in range(size)]

    def _untyped(self, at: int, width: int, size: int, depth: int) -> list[Any]:
        types = at + size * width
        return [
            self._value(at + i * width, width, self._number(_UINTS, types + i, 1), depth)
            for i in range(size)
        ]

    def _keys(self, at: int, width: int, depth: int) -> list[Any]:
        """Keys of a map: a vector of its own, whose place and width stand before the values."""
        keys = at - 3 * width - self._number(_UINTS, at - 3 * width, width)
        key_width = self._number(_UINTS, at - 2 * width, width)
        size = self._number(_UINTS, keys - key_width, key_width)
        if size * key_width > len(self._data):
            raise ValueError(f"{size} keys at offset {keys} do not fit")
        return self._typed(keys, key_width, _KEY, size, depth)
