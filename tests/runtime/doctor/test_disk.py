"""The disk of the state: room, speed, and whether it can be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.runtime.doctor.disk import DiskFacts, judge_disk, measure_disk

_MIB = 2**20


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
    ("facts", "state", "found", "fix"),
    [
        (DiskFacts(Path("/s"), 900 * _MIB, False, 0.01), "OK", "900 MiB free", ""),
        (DiskFacts(Path("/s"), 900 * _MIB, True, None), "FAIL", "read-only", "remount,rw"),
        (DiskFacts(Path("/s"), 9 * _MIB, False, 0.01), "FAIL", "9 MiB free", "du -xh /s"),
        (DiskFacts(Path("/s"), 9 * _MIB, False, None, "full"), "FAIL", "9 MiB free", "make room"),
        (
            DiskFacts(Path("/s"), 900 * _MIB, False, None, "Permission denied"),
            "FAIL", "Permission denied", "sudo chown edge /s",
        ),
        (DiskFacts(Path("/s"), 50 * _MIB, False, 0.01), "WARN", "may take 64 MiB", "25MiB"),
        (DiskFacts(Path("/s"), 900 * _MIB, False, 0.5), "WARN", "in 500.0 ms: slow", "A1"),
    ],
)  # fmt: skip
def test_verdicts(facts: DiskFacts, state: str, found: str, fix: str) -> None:
    """Each state of a disk, for an outbox of 64 MiB and the user edge."""
    finding = judge_disk(facts, 64 * _MIB, "edge")
    assert finding.state == state
    assert found in finding.found
    assert fix in finding.fix
