"""Where lines come from: what all ports do, FIFOs and the standard input."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from edge_agent.errors import SourceUnavailable, SourceUnusable

PIECE = 64 * 1024  # bytes read at once


class EndOfStream(Exception):
    """The stream has come to its regular end; there will be nothing more."""


class Port(Protocol):
    """Something that gives bytes; one that is closed can be opened again.

    `shown` is how it is called in messages. `every` is how often to look, in seconds, where the
    system cannot tell that something has come; else None. `joins_midway` is True where the first
    bytes may be the end of a line.
    """

    shown: str
    every: float | None
    joins_midway: bool

    def open(self) -> None:
        """Open it; raises SourceError."""

    def fds(self) -> Sequence[int]:
        """What to wait for; it changes as others connect."""

    def take(self, ready: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Pieces of bytes that have come, each with the number of its stream, without waiting.

        An empty piece is the end of one stream among several. Raises SourceError, EndOfStream
        and OSError.
        """

    def close(self) -> None:
        """Close it; safe twice."""


class FifoPort:
    """A named pipe; its writers may come and go."""

    every: float | None = None
    joins_midway = False

    def __init__(self, path: Path) -> None:
        self.shown = f"FIFO {path}"
        self._path = path
        self._fd: int | None = None

    def open(self) -> None:
        """Open it for writing too, so that it does not end when a writer goes."""
        try:
            if not stat.S_ISFIFO(self._path.stat().st_mode):
                cure = "for a file use type: csv or text, for a device serial:"
                raise SourceUnusable(f"{self._path} is no FIFO", cure)
            self._fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK)
        except FileNotFoundError:
            text = f"{self.shown} does not exist"
            raise SourceUnavailable(text, f"mkfifo {self._path}") from None
        except PermissionError:
            text = f"no permission to use {self.shown}"
            raise SourceUnavailable(text, "give this user read and write access") from None

    def fds(self) -> Sequence[int]:
        """The pipe."""
        return () if self._fd is None else (self._fd,)

    def take(self, ready: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """What was written."""
        for fd in ready:
            with contextlib.suppress(BlockingIOError):
                yield fd, os.read(fd, PIECE)

    def close(self) -> None:
        """Close it."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


class StdinPort:
    """The standard input; the source ends with it."""

    every: float | None = None
    joins_midway = False
    shown = "standard input"

    def __init__(self, fd: int = 0) -> None:
        self._fd = fd

    def open(self) -> None:
        """Raises SourceUnusable where there is none."""
        try:
            os.fstat(self._fd)
        except OSError:
            raise SourceUnusable("there is no standard input", "start it from a shell") from None

    def fds(self) -> Sequence[int]:
        """The standard input."""
        return (self._fd,)

    def take(self, ready: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """What was typed or piped in."""
        for fd in ready:
            piece = os.read(fd, PIECE)
            if not piece:
                raise EndOfStream
            yield fd, piece

    def close(self) -> None:
        """It stays open: it is not ours."""
