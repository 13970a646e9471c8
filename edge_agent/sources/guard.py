"""Closing a device that another thread may be reading."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Guard:
    """Releases a device once nobody uses it: at once, or when its running user is done.

    Most device libraries crash or hang when a device is closed during a read. `closing` is set
    from `close()` on, so waits can end with it.
    """

    def __init__(self, release: Callable[[], None]) -> None:
        self._release = release
        self._lock = threading.Lock()
        self.closing = threading.Event()

    def reopen(self) -> None:
        """Allow use again after `close()`."""
        self.closing.clear()

    @contextmanager
    def use(self) -> Iterator[bool]:
        """Use the device inside this; False when it is to be closed."""
        try:
            with self._lock:
                yield not self.closing.is_set()
        finally:
            self._release_if_closing()

    def close(self) -> None:
        """Ask for the release; does not wait."""
        self.closing.set()
        self._release_if_closing()

    def _release_if_closing(self) -> None:
        # Closer and user both come here after the mark is set: one of them gets the lock.
        if self.closing.is_set() and self._lock.acquire(blocking=False):
            try:
                self._release()
            finally:
                self._lock.release()
