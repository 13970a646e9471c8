"""A thread for what can wait."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

_log = logging.getLogger(__name__)


class Keeper:
    """Calls `work` a while after it was poked, again for as long as that returns True.

    Without a poke it sleeps for good: an idle agent wakes neither processor nor disk.
    """

    def __init__(self, work: Callable[[], bool], delay: float = 1.0) -> None:
        self._work = work
        self._delay = delay
        self._poked = Event()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def poke(self) -> None:
        """There is something to do; cheap, and harmless at any time."""
        if not self._poked.is_set():
            self._poked.set()

    def stop(self, timeout: float = 2.0) -> None:
        """End after the work at hand; safe without `start` and twice."""
        self._stopping.set()
        self._poked.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            self._poked.wait()
            if self._stopping.wait(self._delay):
                return
            self._poked.clear()
            try:
                again = self._work()
            except Exception:  # noqa: BLE001 - the thread's edge: the outbox must stay in order
                _log.exception("fault in the outbox's own thread")
                again = True
            if again:
                self._poked.set()
