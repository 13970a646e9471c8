"""Reads a flatbuffer that nobody has vouched for: every offset is checked before it is followed.

Format: https://flatbuffers.dev/internals/. Little endian. A table starts with the distance back to
its vtable (int32); the vtable holds its own length, the table's length, then for each slot the
field's distance from the table's start (uint16, 0 where absent). Strings, vectors and tables are
stored as the distance forward from the field (uint32).
"""

from __future__ import annotations

from struct import Struct
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ModelError

MAX_OBJECTS = 200_000
"""Offsets, tables and blocks of text that one file may make us read: a second or two of work.

The largest model that we have seen has 3,000.
"""

MAX_TEXT = 1 << 20
"""Bytes of one text."""

BOOL = Struct("<?")
I8 = Struct("<b")
U8 = Struct("<B")
U16 = Struct("<H")
I32 = Struct("<i")
U32 = Struct("<I")
U64 = Struct("<Q")
F32 = Struct("<f")

_TEXT_PER_OBJECT = 256


class FlatBuffer:
    """The bytes of one file (or of one part of it), and how much of its reading is left.

    `what` names it in errors. A file may point at the same table any number of times, so the
    number of objects read is limited, not only their depth.
    """

    def __init__(self, data: memoryview, what: str) -> None:
        self.data = data
        self.size = len(data)
        self._what = what
        self._left = MAX_OBJECTS

    def fail(self, where: str, problem: str) -> NoReturn:
        """Raise a ModelError that says what is wrong and where."""
        message = f"{self._what} is damaged or not supported: {where}: {problem}"
        raise ModelError(message, "download or export the model again")

    def charge(self, objects: int, where: str) -> None:
        """Count objects read; fails where a file asks for more than any real model has."""
        self._left -= objects
        if self._left < 0:
            self.fail(where, f"more than {MAX_OBJECTS} objects to read")

    def number(self, layout: Struct, at: int, where: str) -> Any:
        """The number at a position."""
        if not 0 <= at <= self.size - layout.size:
            self.fail(where, f"offset {at} is outside the {self.size} bytes of the file")
        return layout.unpack_from(self.data, at)[0]

    def span(self, at: int, length: int, where: str) -> memoryview:
        """`length` bytes from a position, without a copy."""
        if at < 0 or length < 0 or at + length > self.size:
            self.fail(where, f"{length} bytes at offset {at} do not fit into {self.size} bytes")
        return self.data[at : at + length]

    def root(self, where: str) -> Table:
        """The table that the file starts with."""
        return Table(self, self.number(U32, 0, where), where)


class Table:
    """One table; its fields are read by slot number, in the order of the schema's declarations."""

    __slots__ = ("_entries", "_file", "_start", "_vtable", "where")

    def __init__(self, file: FlatBuffer, start: int, where: str) -> None:
        file.charge(1, where)
        self._file = file
        self._start = start
        self.where = where
        self._vtable = start - file.number(I32, start, where)
        length = file.number(U16, self._vtable, where)
        file.span(self._vtable, length, where)
        if length < 4:
            file.fail(where, f"a table of fields of {length} bytes")
        self._entries = (length - 4) // 2

    def fail(self, problem: str) -> NoReturn:
        """Raise a ModelError about this table."""
        self._file.fail(self.where, problem)

    def charge(self, objects: int) -> None:
        """Count work done on this table's vectors against the file's limit."""
        self._file.charge(objects, self.where)

    def check(self) -> None:
        """Fail unless every field starts inside the file, for tables whose schema is not ours."""
        for slot in range(self._entries):
            at = self._at(slot)
            if at:
                self._file.number(U8, at, self.where)

    def _at(self, slot: int) -> int:
        """Position of a field, 0 where it is absent."""
        if slot >= self._entries:
            return 0
        distance = self._file.number(U16, self._vtable + 4 + 2 * slot, self.where)
        return self._start + distance if distance else 0

    def _target(self, slot: int, name: str) -> int:
        """Position that an offset field points at, 0 where it is absent."""
        at = self._at(slot)
        return at + int(self._file.number(U32, at, self._inside(name))) if at else 0

    def _inside(self, name: str) -> str:
        return f"{self.where}, {name}" if self.where else name

    def number(self, slot: int, layout: Struct, default: Any = 0) -> Any:
        """A number, or its default where it is absent."""
        at = self._at(slot)
        return self._file.number(layout, at, self.where) if at else default

    def table(self, slot: int, name: str) -> Table | None:
        """A table within this one."""
        at = self._target(slot, name)
        return Table(self._file, at, self._inside(name)) if at else None

    def tables(self, slot: int, name: str) -> list[Table]:
        """A vector of tables; empty where it is absent."""
        offsets = self.vector(slot, np.dtype("<u4"), name)
        if not offsets.size:
            return []
        self._file.charge(offsets.size, self._inside(name))
        first = self._target(slot, name) + 4
        prefix = self._inside(name)
        return [
            Table(self._file, first + 4 * i + offset, f"{prefix} {i}")
            for i, offset in enumerate(offsets.tolist())
        ]

    def vector(self, slot: int, dtype: np.dtype[Any], name: str) -> NDArray[Any]:
        """A vector of numbers as a read-only view; empty where it is absent."""
        at = self._target(slot, name)
        if not at:
            return np.empty(0, dtype)
        where = self._inside(name)
        count = self._file.number(U32, at, where)
        return np.frombuffer(self._file.span(at + 4, count * dtype.itemsize, where), dtype)

    def text(self, slot: int, name: str) -> str:
        """A text; empty where it is absent."""
        at = self._target(slot, name)
        if not at:
            return ""
        where = self._inside(name)
        length = self._file.number(U32, at, where)
        if length > MAX_TEXT:
            self._file.fail(where, f"a text of {length} bytes (at most {MAX_TEXT})")
        self._file.charge(length // _TEXT_PER_OBJECT, where)
        return bytes(self._file.span(at + 4, length, where)).decode("utf-8", "replace")
