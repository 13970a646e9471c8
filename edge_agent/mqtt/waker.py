"""Makes a thread that waits in poll() return."""

from __future__ import annotations

import os
from contextlib import suppress


class Waker:
    """A pipe whose reading end one thread polls and any thread may make readable."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        """What to poll."""
        return self._read

    def wake(self) -> None:
        """Make the pipe readable; never blocks. A full pipe is readable already."""
        with suppress(BlockingIOError):
            os.write(self._write, b"1")

    def clear(self) -> None:
        """Make it wait again."""
        with suppress(BlockingIOError):
            os.read(self._read, 65536)

    def __del__(self) -> None:
        # Closed with the last reference: a late wake() must never write to a reused number.
        os.close(self._read)
        os.close(self._write)
