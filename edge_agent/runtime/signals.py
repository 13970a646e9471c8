"""Signals that end the agent."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM, SIGINT and SIGHUP set; a second signal acts as without us.

    For the main thread alone.
    """
    stop = threading.Event()
    before: dict[int, Any] = {}

    def handle(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in _STOPPING:
        before[number] = signal.signal(number, handle)
    try:
        yield stop
    finally:
        for number in _STOPPING:
            signal.signal(number, before[number])
