"""Which models were on probation when the agent ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.modelstore import Entry, Manifest
from edge_agent.runtime.marks import Marks, marked

ENTRY = Entry(Manifest("door", "2", "door.tflite", "ab" * 32, 1), Path("door/2"), True)


def test_what_was_not_cleared_is_there_at_the_next_start(tmp_path: Path) -> None:
    """By model, until it is forgotten."""
    marks = Marks(tmp_path / "state" / "marks.json")
    marks.set("a", ENTRY)
    marks.set("b", ENTRY)
    marks.clear("a")
    after = Marks(tmp_path / "state" / "marks.json")
    assert after.read() == {"b": marked(ENTRY)}
    after.forget()
    assert Marks(tmp_path / "state" / "marks.json").read() == {}


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a": 1}'])
def test_a_damaged_file_says_nothing(tmp_path: Path, content: bytes) -> None:
    """Nothing was on probation."""
    (tmp_path / "m.json").write_bytes(content)
    assert Marks(tmp_path / "m.json").read() == {}


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    """What cannot be noted is told; what cannot be forgotten ends nobody."""
    (tmp_path / "file").touch()
    marks = Marks(tmp_path / "file" / "marks.json")
    with pytest.raises(OSError, match="file"):
        marks.set("a", ENTRY)
    marks.clear("a")
    marks.forget()
    assert marks.read() == {}


def test_without_a_folder() -> None:
    """It does no harm."""
    marks = Marks(None)
    marks.set("a", ENTRY)
    marks.forget()
    assert marks.read() == {}
