"""The flatbuffer reader and what it refuses."""

from __future__ import annotations

import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.engines.modelfile import flatbuffer as fb
from edge_agent.errors import ModelError
from tests.support.tflite_writer import flatbuffer

_SAMPLE = {
    0: ("<i", -5),
    1: "name",
    3: np.array([1, 2, 3], np.int32),
    4: [{0: ("<B", 7)}, {}],
    5: {0: ("<f", 0.5)},
}


def _root(data: bytes) -> fb.Table:
    return fb.FlatBuffer(memoryview(data), "sample").root("root")


def test_fields_of_a_table() -> None:
    """Numbers, texts, vectors, tables and vectors of tables come back as they were written."""
    root = _root(flatbuffer(_SAMPLE))
    assert root.number(0, fb.I32) == -5
    assert root.text(1, "name") == "name"
    assert root.vector(3, np.dtype("<i4"), "numbers").tolist() == [1, 2, 3]
    assert [entry.number(0, fb.U8, 9) for entry in root.tables(4, "entry")] == [7, 9]
    inner = root.table(5, "inner")
    assert inner is not None
    assert inner.number(0, fb.F32) == 0.5


def test_absent_fields_have_defaults() -> None:
    """A slot that is empty, or beyond the vtable, gives the default, an empty text or vector."""
    root = _root(flatbuffer(_SAMPLE))
    for slot in (2, 99):
        assert root.number(slot, fb.I32, 4) == 4
        assert root.text(slot, "x") == ""
        assert root.vector(slot, np.dtype("<i4"), "x").size == 0
        assert root.tables(slot, "x") == []
        assert root.table(slot, "x") is None


def test_vectors_are_views_of_the_file() -> None:
    """A vector is not copied, and cannot be written."""
    vector = _root(flatbuffer(_SAMPLE)).vector(3, np.dtype("<i4"), "numbers")
    assert not vector.flags.owndata
    assert not vector.flags.writeable


def test_same_table_named_too_often_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is limited even where every offset is good: many offsets may name one table."""
    data = flatbuffer({0: [{} for _ in range(60)]})
    monkeypatch.setattr(fb, "MAX_OBJECTS", 100)
    with pytest.raises(ModelError, match="entry 39: more than 100 objects"):
        _root(data).tables(0, "entry")
    monkeypatch.setattr(fb, "MAX_OBJECTS", 50)
    with pytest.raises(ModelError, match="entry: more than 50 objects"):
        _root(data).tables(0, "entry")


def test_text_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text may not be longer than any name is."""
    monkeypatch.setattr(fb, "MAX_TEXT", 3)
    with pytest.raises(ModelError, match="name: a text of 4 bytes"):
        _root(flatbuffer(_SAMPLE)).text(1, "name")


def test_error_names_place_and_offset() -> None:
    """An offset that leads outside tells the file, the field and the offset."""
    with pytest.raises(ModelError, match=r"sample .* root: offset 4000 is outside the \d+ bytes"):
        _root(struct.pack("<I", 4000) + flatbuffer(_SAMPLE)[4:])


@given(st.binary(max_size=200))
def test_any_bytes_give_values_or_a_model_error(data: bytes) -> None:
    """No bytes whatever raise anything but ModelError."""
    _read_everything(data)


@given(st.data())
def test_any_damage_gives_values_or_a_model_error(data: st.DataObject) -> None:
    """No change of one byte of a good file raises anything but ModelError."""
    good = bytearray(flatbuffer(_SAMPLE))
    good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    _read_everything(bytes(good))


def _read_everything(data: bytes) -> None:
    with suppress(ModelError):
        root = _root(data)
        root.check()
        root.number(0, fb.U64)
        root.text(1, "name")
        root.vector(3, np.dtype("<i4"), "numbers")
        for entry in root.tables(4, "entry"):
            entry.number(0, fb.U8)
        root.table(5, "inner")
