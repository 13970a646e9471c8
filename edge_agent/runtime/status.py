"""Whether a pipeline is online, and if not, why."""

from __future__ import annotations

import threading
from collections.abc import Callable

STARTING = "starting"
"""The reason of a part that has not reported yet."""


class PipelineStatus:
    """Online while nothing that it needs is out of order.

    Each part it needs ("source", "model", "pipeline") reports its own reason; the first standing
    one is shown. `on_change(online, reason)` is called when the answer changes.
    """

    def __init__(self, parts: tuple[str, ...], on_change: Callable[[bool, str], None]) -> None:
        self._troubles: dict[str, str | None] = dict.fromkeys(parts, STARTING)
        self._on_change = on_change
        self._lock = threading.Lock()
        self._told: tuple[bool, str] | None = None

    def fine(self, part: str) -> None:
        """Note that the part works."""
        self._set(part, None)

    def trouble(self, part: str, reason: str) -> None:
        """Note why the part does not work."""
        self._set(part, reason)

    def close(self) -> None:
        """Call `on_change` no more."""
        with self._lock:
            self._on_change = lambda _online, _reason: None

    @property
    def online(self) -> bool:
        """Whether every part works."""
        return self.reason == ""

    @property
    def reason(self) -> str:
        """Why it is offline; empty when it is online."""
        return next((reason for reason in self._troubles.values() if reason is not None), "")

    def trouble_of(self, part: str) -> str:
        """Why that part does not work; empty where it does or has not reported yet."""
        reason = self._troubles[part]
        return "" if reason in (None, STARTING) else str(reason)

    def _set(self, part: str, reason: str | None) -> None:
        with self._lock:
            self._troubles[part] = reason
            state = (self.online, self.reason)
            if state == self._told:
                return
            self._told = state
            self._on_change(*state)
