"""A text file that grows, read from its end on, as log files do."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from edge_agent.errors import SourceUnavailable
from edge_agent.sources.ports import PIECE

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.1  # seconds
_PIECES = 16  # read at one look


class TailPort:
    """What is written to a file from now on; a file that is replaced or cut is read from its start.

    Where the file is missing for a while, by rotation, it is waited for.
    """

    every: float | None = _LOOK_EVERY
    joins_midway = False

    def __init__(self, path: Path) -> None:
        self.shown = f"file {path}"
        self._path = path
        self._file: BinaryIO | None = None
        self._stream = 0

    def open(self) -> None:
        """Go to its end; raises SourceUnavailable."""
        self.close()
        try:
            self._file = self._path.open("rb")
            self._file.seek(0, os.SEEK_END)
        except OSError as error:
            text = f"{self.shown} cannot be opened: {error.strerror}"
            raise SourceUnavailable(text, "check file and who may read it") from error

    def fds(self) -> Sequence[int]:
        """Nothing: the system cannot tell that a file grows."""
        return ()

    def take(self, ready: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """What was written since the last look; an empty piece where another file begins."""
        del ready
        if self._file is None:
            return
        if self._is_cut():
            yield self._stream, b""
            self._file.seek(0)
        for _ in range(_PIECES):
            piece = self._file.read(PIECE)
            if not piece:
                yield from self._follow()
                return
            yield self._stream, piece

    def close(self) -> None:
        """Close it."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _is_cut(self) -> bool:
        assert self._file is not None
        return os.fstat(self._file.fileno()).st_size < self._file.tell()

    def _follow(self) -> Iterator[tuple[int, bytes]]:
        """Go over to the file that has the name now, if it is another; the old one is read up."""
        assert self._file is not None
        with contextlib.suppress(FileNotFoundError):
            if not os.path.samestat(self._path.stat(), os.fstat(self._file.fileno())):
                new = self._path.open("rb")
                yield self._stream, b""
                self._file.close()
                self._file, self._stream = new, self._stream + 1
