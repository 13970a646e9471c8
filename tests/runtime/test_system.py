"""What the machine says of itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_agent.runtime import system


def says(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, text: str) -> None:
    """Let one of the kernel's files have this text."""
    file = folder / "kernel"
    file.write_text(text, encoding="ascii")
    monkeypatch.setattr(system, name, file)


def test_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The second number of statm is pages."""
    says(monkeypatch, tmp_path, "_STATM", "900 25 10 1 0 300 0\n")
    assert system.rss_bytes() == 25 * os.sysconf("SC_PAGE_SIZE")


def test_memory_of_this_process() -> None:
    """On Linux the number is there and is plausible for Python with NumPy."""
    assert 2**23 < system.rss_bytes() < 2**36


@pytest.mark.parametrize("text", ["", "900", "a b c"])
def test_memory_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    """A strange file gives zero."""
    says(monkeypatch, tmp_path, "_STATM", text)
    assert system.rss_bytes() == 0


def test_temperature(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The kernel tells thousandths of a degree."""
    says(monkeypatch, tmp_path, "_THERMAL", "48312\n")
    assert system.cpu_temperature() == 48.312


@pytest.mark.parametrize(
    ("flags", "now"), [("0", False), ("50000\n", False), ("50005\n", True), ("8", True)]
)
def test_throttled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str, now: bool) -> None:
    """Only the flags of the present count, not those of the past."""
    says(monkeypatch, tmp_path, "_THROTTLED", flags)
    assert system.throttled() is now


def test_strange_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is no number is unknown."""
    says(monkeypatch, tmp_path, "_THERMAL", "warm")
    says(monkeypatch, tmp_path, "_THROTTLED", "warm")
    assert (system.cpu_temperature(), system.throttled()) == (None, None)


def test_other_machines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the files are missing, nothing is claimed."""
    for name in ("_STATM", "_THERMAL", "_THROTTLED"):
        monkeypatch.setattr(system, name, tmp_path / "missing")
    assert (system.rss_bytes(), system.cpu_temperature(), system.throttled()) == (0, None, None)
