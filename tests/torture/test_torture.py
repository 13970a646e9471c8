"""A short form of the torture: each fault once or more, in company, with a real mosquitto."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.mqtt.broker import find_mosquitto
from tests.support.agent import ROOT
from tests.torture.faults import FAULTS

_NEEDS_A_DISK = "disk full"


def _figures(table: str) -> dict[str, int]:
    """The rows of the table."""
    return {what.strip(): int(n) for what, n in re.findall(r"^(.*\S) +(\d+)$", table, re.MULTILINE)}


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
def test_nothing_is_lost_whatever_is_done_to_it(tmp_path: Path) -> None:
    """Some hundred events over five cycles of all faults: all there, in order, no state stuck."""
    # A seed that deals every fault within five cycles, also without the one that needs root.
    command = [sys.executable, "-m", "tests.torture", "--cycles", "5", "--events", "600"]
    child = subprocess.run(
        [*command, "--seed", "83", "--keep", str(tmp_path / "kept")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
        check=False,
    )
    assert child.returncode == 0, child.stdout + child.stderr
    figures = _figures(child.stdout)
    assert figures["events made"] >= 600
    assert figures["missing"] == figures["out of order"] == figures["stuck states"] == 0
    left_out = re.findall(r"^left out: (.*) \(see", child.stdout, re.MULTILINE)
    assert set(left_out) <= {_NEEDS_A_DISK}
    assert all(figures[fault.name] for fault in FAULTS if fault.name not in left_out)
