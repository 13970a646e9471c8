"""Signals that end the agent, or make it read its configuration anew."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def stop_on_signals(on_hangup: Callable[[], None] | None = None) -> Iterator[threading.Event]:
    """An event that SIGTERM, SIGINT and SIGHUP set; a second signal acts as without us.

    With `on_hangup` SIGHUP calls that instead, each time; without it a SIGHUP that `nohup` has made
    harmless stays so. For the main thread alone.

    A handler interrupts that thread anywhere, also where it holds the lock of the event: another
    thread sets it, begun without a lock, or both would wait for ever. `on_hangup` must take none.
    """
    stop = threading.Event()
    before: dict[int, Any] = {}

    def handle(number: int, _frame: object) -> None:
        _thread.start_new_thread(stop.set, ())
        signal.signal(number, signal.SIG_DFL)

    taken: dict[int, Callable[[int, Any], None]] = dict.fromkeys(_STOPPING, handle)
    if on_hangup is not None:
        taken[signal.SIGHUP] = lambda _number, _frame: on_hangup()
    elif signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        del taken[signal.SIGHUP]
    for number, handler in taken.items():
        before[number] = signal.signal(number, handler)
    try:
        yield stop
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)
