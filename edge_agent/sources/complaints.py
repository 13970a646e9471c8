"""Faults that may come in floods: every one is counted, few are logged."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_EVERY = 60.0  # seconds between two lines


class Complaints:
    """Logs the first fault of a source at once, and from then on at most one line a minute."""

    def __init__(
        self, log: logging.Logger, source: str, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._source = source
        self._now = now
        self._logged_at: float | None = None
        self._since = 0
        self.count = 0

    def tell(self, fault: str) -> None:
        """Count a fault; `fault` says what is wrong, without secrets."""
        self.count += 1
        self._since += 1
        now = self._now()
        if self._logged_at is not None and now - self._logged_at < _EVERY:
            return
        more = f" (and {self._since - 1} more before)" if self._since > 1 else ""
        self._log.warning("source %s: %s%s", self._source, fault, more)
        self._logged_at, self._since = now, 0
