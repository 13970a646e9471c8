"""The time, injected so that a replay or a test can bring its own."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


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
