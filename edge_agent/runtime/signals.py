"""Signals that end the agent, or make it read its configuration anew."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def stop_on_signals(on_hangup: Callable[[], None] | None = None) -> Iterator[threading.Event]:
    """An event that SIGTERM, SIGINT and SIGHUP set; a second signal acts as without us.

    With `on_hangup` SIGHUP calls that instead, each time. For the main thread alone.
    """
    stop = threading.Event()
    before: dict[int, Any] = {}

    def handle(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    def hang_up(_number: int, _frame: object) -> None:
        if on_hangup is not None:
            on_hangup()

    for number in _STOPPING:
        takes = hang_up if on_hangup is not None and number == signal.SIGHUP else handle
        before[number] = signal.signal(number, takes)
    try:
        yield stop
    finally:
        for number in _STOPPING:
            signal.signal(number, before[number])
