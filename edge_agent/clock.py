"""The time, injected so that a replay or a test can bring its own."""

from __future__ import annotations

import ctypes
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIME_ERROR = 5  # answer of adjtimex(2) while the clock is not synchronised
_TIMEX_BYTES = 512  # more than the 208 bytes of struct timex on any architecture
_SYNC_KEPT = 30.0  # seconds for which an answer is used again


class Clock(Protocol):
    """Wall time for people, monotonic time for durations."""

    def wall(self) -> float:
        """Seconds since the epoch (UTC); may jump when the clock is set."""

    def monotonic_ns(self) -> int:
        """Nanoseconds since an arbitrary start; never goes back."""


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The clocks of this machine."""

    def wall(self) -> float:
        """Seconds since the epoch (UTC)."""
        return time.time()

    def monotonic_ns(self) -> int:
        """Nanoseconds on the monotonic clock."""
        return time.monotonic_ns()


def boot_id() -> str:
    """Id of this boot of the machine, the epoch of its monotonic clock; random where unknown."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return str(uuid.uuid4())


class _SyncState:
    """The kernel's word on whether NTP keeps the clock, asked now and then."""

    def __init__(self) -> None:
        self._asked = -_SYNC_KEPT
        self._answer = False

    def get(self) -> bool:
        if time.monotonic() - self._asked >= _SYNC_KEPT:
            self._answer = self._ask()
            self._asked = time.monotonic()
        return self._answer

    @staticmethod
    def _ask() -> bool:
        try:
            # All zero: modes = 0 only reads.
            state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
        except (OSError, AttributeError):
            return False
        return 0 <= int(state) < _TIME_ERROR


_sync_state = _SyncState()


def clock_synchronized() -> bool:
    """Whether the wall clock is kept by NTP, as adjtimex(2) tells; at most 30 s old."""
    return _sync_state.get()
