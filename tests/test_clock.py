"""The time, and whether it can be trusted."""

from __future__ import annotations

import ctypes
import time
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_agent import clock
from edge_agent.clock import SystemClock, boot_id, clock_synchronized


def test_system_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wall and monotonic time are those of the machine, each from its own clock."""
    monkeypatch.setattr(time, "time", lambda: 1.75e9)
    monkeypatch.setattr(time, "monotonic_ns", lambda: 123456789)
    assert SystemClock().wall() == 1.75e9
    assert SystemClock().monotonic_ns() == 123456789


def test_boot_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's word, without its line end."""
    file = tmp_path / "boot_id"
    file.write_text("6c1f0f1e-7a9e-4f62-9f0e-0123456789ab\n")
    monkeypatch.setattr(clock, "_BOOT_ID", file)
    assert boot_id() == "6c1f0f1e-7a9e-4f62-9f0e-0123456789ab"


def test_boot_id_where_it_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is a random one, different each time."""
    monkeypatch.setattr(clock, "_BOOT_ID", tmp_path / "missing")
    first, second = boot_id(), boot_id()
    assert first != second
    assert str(uuid.UUID(first)) == first


class Kernel:
    """Answers adjtimex(2), and counts how often it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: int) -> None:
        self.answer = answer
        self.asked = 0
        self.now = 100.0
        monkeypatch.setattr(ctypes, "CDLL", self._library)
        monkeypatch.setattr(clock, "_sync_state", clock._SyncState())
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def _library(self, name: str | None) -> Any:
        assert name is None
        return SimpleNamespace(adjtimex=self._adjtimex)

    def _adjtimex(self, state: Any) -> int:
        assert bytes(state) == bytes(len(state))  # modes = 0: only read
        assert len(state) >= 208
        self.asked += 1
        return self.answer


@pytest.mark.parametrize(
    ("answer", "synchronised"), [(0, True), (1, True), (4, True), (5, False), (-1, False)]
)
def test_synchronised(monkeypatch: pytest.MonkeyPatch, answer: int, synchronised: bool) -> None:
    """Every state but TIME_ERROR is one of a clock that NTP keeps, and an error is none."""
    Kernel(monkeypatch, answer)
    assert clock_synchronized() is synchronised


@pytest.mark.parametrize("start", [0.0, 100.0])
def test_asked_now_and_then(monkeypatch: pytest.MonkeyPatch, start: float) -> None:
    """An answer is used for 30 s, then the kernel is asked again; right after boot too."""
    kernel = Kernel(monkeypatch, 5)
    answers = []
    for kernel.now in (start, start + 1, start + 29.9, start + 30, start + 31):
        answers.append((clock_synchronized(), kernel.asked))
        kernel.answer = 0
    assert answers == [(False, 1), (False, 1), (False, 1), (True, 2), (True, 2)]


@pytest.mark.parametrize("error", [OSError("no libc"), AttributeError("adjtimex")])
def test_without_adjtimex(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Where the call does not exist the clock counts as not kept."""

    def library(_: str | None) -> Any:
        raise error

    Kernel(monkeypatch, 0)
    monkeypatch.setattr(ctypes, "CDLL", library)
    assert clock_synchronized() is False


def test_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real call answers without an error."""
    monkeypatch.setattr(clock, "_sync_state", clock._SyncState())
    assert isinstance(clock_synchronized(), bool)
