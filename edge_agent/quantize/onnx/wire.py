"""The wire format of protocol buffers, as far as ONNX files need it.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_SIGN = 1 << 63
_WRAP = 1 << 64


class Message:
    """The fields of a message by number, each with its values in order: numbers or bytes.

    Raises ValueError where the bytes are no message.
    """

    def __init__(self, data: memoryview) -> None:
        self._fields: dict[int, list[Any]] = {}
        at = 0
        while at < len(data):
            key, at = _varint(data, at)
            value, at = _value(data, at, key & 7)
            self._fields.setdefault(key >> 3, []).append(value)

    def messages(self, field: int) -> list[Message]:
        """Messages inside."""
        return [Message(_bytes(value)) for value in self._fields.get(field, ())]

    def message(self, field: int) -> Message:
        """The message inside, an empty one where there is none."""
        return (self.messages(field) or [Message(memoryview(b""))])[-1]

    def text(self, field: int) -> str:
        """A text, empty where there is none."""
        return (self.texts(field) or [""])[-1]

    def texts(self, field: int) -> list[str]:
        """Texts."""
        return [bytes(_bytes(value)).decode() for value in self._fields.get(field, ())]

    def data(self, field: int) -> memoryview | None:
        """Bytes, None where there are none."""
        found = self._fields.get(field)
        return _bytes(found[-1]) if found else None

    def number(self, field: int, default: int = 0) -> int:
        """A whole number with a sign."""
        numbers = self.numbers(field)
        return numbers[-1] if numbers else default

    def numbers(self, field: int) -> list[int]:
        """Whole numbers, packed or one by one."""
        found: list[int] = []
        for value in self._fields.get(field, ()):
            if isinstance(value, int):
                found.append(_signed(value))
                continue
            at, packed = 0, _bytes(value)
            while at < len(packed):
                number, at = _varint(packed, at)
                found.append(_signed(number))
        return found

    def floats(self, field: int) -> NDArray[np.float32]:
        """Numbers of four bytes, packed or one by one."""
        parts = [bytes(_bytes(value)) for value in self._fields.get(field, ())]
        return np.frombuffer(b"".join(parts), "<f4")


def _bytes(value: Any) -> memoryview:
    if not isinstance(value, memoryview):
        raise TypeError("a number where bytes should be")
    return value


def _signed(value: int) -> int:
    return value - _WRAP if value & _SIGN else value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number that is too long")


def _value(data: memoryview, at: int, kind: int) -> tuple[Any, int]:
    if kind == _VARINT:
        return _varint(data, at)
    if kind == _BYTES:
        size, at = _varint(data, at)
    elif kind in (_EIGHT, _FOUR):
        size = 8 if kind == _EIGHT else 4
    else:
        raise ValueError(f"wire type {kind}")
    if at + size > len(data):
        raise ValueError("it is cut off")
    return data[at : at + size], at + size


def float_of(value: memoryview | None) -> float:
    """A float of four bytes, 0 where there is none."""
    return 0.0 if value is None else float(struct.unpack("<f", value)[0])
