"""The outbox's file: who uses it, and whether it was damaged."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.errors import StateError
from edge_agent.outbox.sqlite import SqliteOutbox
from edge_agent.outbox.store import owner
from edge_agent.runtime.doctor.outbox import outbox
from tests.support.cures import do


def test_in_use_and_not(tmp_path: Path) -> None:
    """Asking does not disturb the one who uses it, nor the next."""
    path = tmp_path / "dev.outbox"
    assert outbox(path, "edge", "sudo me").state == "OK"
    assert list(tmp_path.iterdir()) == []
    for _ in range(2):
        with closing(SqliteOutbox(path)):
            assert owner(path) == f"process {os.getpid()}"
            assert "in use by the running agent" in outbox(path, "edge", "sudo me").found
        assert owner(path) is None
        assert "no agent runs here" in outbox(path, "edge", "sudo me").found


def test_a_damaged_one_is_told(tmp_path: Path) -> None:
    """What the agent set aside at its start is told until it is removed, as the cure says."""
    path = tmp_path / "dev.outbox"
    path.write_bytes(b"no database" * 999)
    SqliteOutbox(path).close()
    finding = outbox(path, "edge", "sudo me")
    assert (finding.state, "was damaged" in finding.found) == ("WARN", True)
    do(finding.fix.partition("then remove it: ")[2])
    assert outbox(path, "edge", "sudo me").state == "OK"


def test_a_folder_that_nobody_may_look_into(tmp_path: Path) -> None:
    """A file in place of the folder: nothing can be told, and nobody falls over it."""
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "dev.outbox"
    with pytest.raises(StateError):
        owner(path)
    finding = outbox(path, "edge", "sudo me")
    assert (finding.state, finding.fix) == ("SKIP", "sudo me")
