"""Runs the checks all at once, each within its time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from time import monotonic

from edge_agent.runtime.doctor.finding import Check, Finding, fail

_log = logging.getLogger(__name__)

WHOLE = 18.0
"""Seconds after which all checks are over, whatever hangs."""


def examine(checks: Sequence[Check], whole: float = WHOLE) -> Iterator[tuple[str, Finding]]:
    """Name and finding of each check, in order, as soon as they are known."""
    until = monotonic() + whole
    started = [_Look(check, until) for check in checks]
    return ((look.name, look.finding()) for look in started)


class _Look:
    """A check at work; one that hangs keeps its thread, which does not keep the process."""

    def __init__(self, check: Check, until: float) -> None:
        self.name = check.name
        self._check = check
        self._limit = min(check.limit, until - monotonic())
        self._until = monotonic() + self._limit
        self._finding: Finding | None = None
        self._thread = threading.Thread(target=self._run, name=check.name, daemon=True)
        self._thread.start()

    def finding(self) -> Finding:
        """What it found; waits for it until its time is over."""
        self._thread.join(max(0.0, self._until - monotonic()))
        return self._finding or fail(f"no answer within {self._limit:.0f} s", self._check.stuck)

    def _run(self) -> None:
        try:
            self._finding = self._check.look()
        except Exception as error:  # noqa: BLE001 - the edge of a thread; it is logged and told
            _log.exception("the check %s", self.name)
            self._finding = fail(f"internal error: {error!r}", "report it with the lines above")
