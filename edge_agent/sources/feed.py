"""Lines as they come from a port, taken in bursts, with a wait that another thread can end."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from dataclasses import dataclass

from edge_agent.errors import SourceError, SourceUnavailable
from edge_agent.sources.guard import Guard
from edge_agent.sources.linebuffer import LineBuffer
from edge_agent.sources.ports import EndOfStream, Port

log = logging.getLogger(__name__)

_GATHER = 0.02  # seconds that a burst may take to come in
_MAX_BURST = 2**18  # bytes
_TOLD_EVERY = 60.0  # seconds between two words on the same trouble


@dataclass(frozen=True, slots=True)
class Line:
    """A line as bytes without its end, and the monotonic seconds at which it came."""

    data: bytes
    arrived: float


class Wake:
    """Ends a poll of another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fd: int | None = None

    def open(self) -> int:
        """What to poll."""
        with self._lock:
            if self._fd is None:
                self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            return self._fd

    def ring(self) -> None:
        """End the wait, and each one until it is closed."""
        with self._lock:
            if self._fd is not None:
                os.eventfd_write(self._fd, 1)

    def close(self) -> None:
        """Give the descriptor back."""
        with self._lock:
            fd, self._fd = self._fd, None
            if fd is not None:
                os.close(fd)


class Feed:
    """Reads one port. `max_line` is the longest line in bytes; longer ones are thrown away."""

    def __init__(self, port: Port, max_line: int) -> None:
        self.shown = port.shown
        self._port = port
        self._max_line = max_line
        self._buffers: dict[int, LineBuffer] = {}
        self._wake = Wake()
        self._guard = Guard(self._release)
        self._guard.closing.set()
        self._told = -_TOLD_EVERY
        self._ended = False
        self._failure: SourceError | None = None

    @property
    def closing(self) -> bool:
        """Whether it is to be closed."""
        return self._guard.closing.is_set()

    def open(self) -> None:
        """Open the port; raises SourceError."""
        self.close()
        self._guard.reopen()
        with self._guard.use():
            self._buffers.clear()
            self._ended = False
            self._failure = None
            self._wake.open()
            self._port.open()

    def lines(self, until: float | None) -> list[Line] | None:
        """Lines that have come, none where none comes until that moment (monotonic seconds).

        It waits for the first of them, and then some milliseconds for those right behind it.
        None at the end of the stream, or when `close()` ended the wait. Raises SourceError, but
        only after the lines that came before it.
        """
        found: list[Line] = []
        size = 0
        with self._guard.use() as allowed:
            if not allowed:
                return None
            while self._wait(until):
                size += self._take(found)
                now = time.monotonic()
                if found:
                    gathered = found[0].arrived + _GATHER
                    until = gathered if until is None else min(until, gathered)
                if size > _MAX_BURST or (until is not None and now >= until):
                    break
        if self.closing or (self._ended and not found):
            return None
        if self._failure is not None and not found:
            raise self._failure
        return found

    def close(self) -> None:
        """End a running wait and close the port."""
        self._guard.closing.set()
        self._wake.ring()
        self._guard.close()

    def _wait(self, until: float | None) -> bool:
        """Wait for something to take; False when the time is up, or there will be nothing."""
        if self._ended or self._failure is not None:
            return False
        every = self._port.every
        left = None if until is None else max(0.0, until - time.monotonic())
        if every is not None:
            left = every if left is None else min(every, left)
        poll = select.poll()
        poll.register(self._wake.open(), select.POLLIN)
        for fd in self._port.fds():
            poll.register(fd, select.POLLIN)
        self._ready = [fd for fd, _ in poll.poll(None if left is None else left * 1e3)]
        return not self.closing and (bool(self._ready) or every is not None)

    def _take(self, found: list[Line]) -> int:
        """Add the lines that are complete; bytes that were read."""
        size = 0
        try:
            for stream, piece in self._port.take(self._ready):
                size += len(piece)
                self._add(found, stream, piece)
        except EndOfStream:
            self._ended = True
            for buffer in self._buffers.values():
                found += [Line(data, time.monotonic()) for data in buffer.flush()]
        except SourceError as error:
            self._failure = error
        except OSError as error:
            text = f"{self.shown} failed: {error.strerror or error}"
            self._failure = SourceUnavailable(text, "it is opened again by itself")
        return size

    def _add(self, found: list[Line], stream: int, piece: bytes) -> None:
        buffer = self._buffers.get(stream)
        if buffer is None:
            buffer = LineBuffer(self._max_line, self._port.joins_midway)
            self._buffers[stream] = buffer
        before = buffer.too_long
        lines = buffer.feed(piece)
        if not piece:
            lines = self._buffers.pop(stream).flush()
        if buffer.too_long > before:
            self._tell_too_long()
        now = time.monotonic()
        found += [Line(data, now) for data in lines]

    def _tell_too_long(self) -> None:
        if time.monotonic() - self._told >= _TOLD_EVERY:
            self._told = time.monotonic()
            log.warning(
                "%s sends a line of more than %d bytes; it is thrown away",
                self.shown, self._max_line,
            )  # fmt: skip

    def _release(self) -> None:
        self._port.close()
        self._buffers.clear()
        self._wake.close()
