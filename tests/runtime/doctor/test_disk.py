"""The disk of the state: room, speed, and whether it can be written."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.config.load import config_from_values
from edge_agent.runtime.doctor.disk import DiskFacts, judge_disk, measure_disk
from tests.runtime.doctor.conftest import minimal
from tests.support.cures import do

_MIB = 2**20
_NOBODY = 65534


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user without rights for a moment."""
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_good_disk_is_measured_without_a_trace(tmp_path: Path) -> None:
    """A folder that is not made yet is looked at one above, and stays so."""
    facts = measure_disk(tmp_path / "not" / "there")
    assert facts.place == tmp_path
    assert facts.sync is not None
    assert facts.free > 0
    assert list(tmp_path.iterdir()) == []
    finding = judge_disk(facts, 1, "edge")
    assert (finding.state, str(tmp_path) in finding.found) == ("OK", True)


def test_a_folder_that_cannot_be_written() -> None:
    """/proc takes no files, not even from root."""
    facts = measure_disk(Path("/proc/nowhere"))
    assert (facts.place, facts.sync) == (Path("/proc"), None)
    assert judge_disk(facts, 1, "edge").state == "FAIL"


@pytest.mark.parametrize(
    ("free", "sync", "error", "state", "found", "fix"),
    [
        (900, 0.01, 0, "OK", "900 MiB free", ""),
        (900, None, errno.EROFS, "FAIL", "read-only", "remount,rw"),
        (9, 0.01, 0, "FAIL", "9 MiB free", "make room: sudo du -xh /s"),
        (9, None, errno.ENOSPC, "FAIL", "9 MiB free", "make room"),
        (900, None, errno.ENOSPC, "FAIL", "No space left", "too many files, remove some: sudo du"),
        (900, None, errno.EACCES, "FAIL", "Permission denied", "sudo install -d -o edge '/s/a b'"),
        (900, None, errno.EIO, "FAIL", "Input/output error", "to a new card"),
        (50, 0.01, 0, "WARN", "may take 64 MiB", "25MiB"),
        (900, 0.5, 0, "WARN", "in 500.0 ms: slow", "A1"),
    ],
)
def test_verdicts(
    free: int, sync: float | None, error: int, state: str, found: str, fix: str
) -> None:
    """Each state of a disk, for an outbox of 64 MiB and the user edge."""
    read_only = error == errno.EROFS
    facts = DiskFacts(Path("/s/a b"), Path("/s"), free * _MIB, read_only, sync, error)
    finding = judge_disk(facts, 64 * _MIB, "edge")
    assert finding.state == state
    assert found in finding.found
    assert fix in finding.fix


def test_the_cure_of_a_shut_folder_works() -> None:
    """A folder of root's, and one that is not made yet, are this user's after it."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else")
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        (Path(place) / "made").mkdir()
        for folder in (Path(place) / "made", Path(place) / "new"):
            with nobody():
                finding = judge_disk(measure_disk(folder), 1, "nobody")
            assert (finding.state, "Permission denied" in finding.found) == ("FAIL", True)
            do(finding.fix.partition(", or ")[0])
            with nobody():
                assert judge_disk(measure_disk(folder), 1, "nobody").state == "OK"
            assert Path(place).stat().st_uid == 0


def test_the_cure_of_an_outbox_that_may_grow_too_large() -> None:
    """With the size that it names the disk is large enough."""
    facts = DiskFacts(Path("/s"), Path("/s"), 50 * _MIB, False, 0.01)
    size = judge_disk(facts, 64 * _MIB, "edge").fix.rpartition("outbox.max_bytes to ")[2]
    values = {"outbox": {"max_bytes": size}, **minimal()}
    wanted = config_from_values(values, Path("/")).outbox.max_bytes
    assert judge_disk(facts, wanted, "edge").state == "OK"
    assert judge_disk(replace(facts, free=wanted - 1), wanted, "edge").state != "OK"
