"""Keeps what a native library prints away from the user, and for the one who needs it."""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

_MAX_BYTES = 64 << 10
_STDERR = 2
_LIBRARY_LINE = re.compile(rb"(INFO|WARNING|ERROR|VERBOSE): |[IWEF]\d{4} \d\d:")
_lock = threading.Lock()


@contextmanager
def native_stderr(said: list[str]) -> Iterator[None]:
    """Divert file descriptor 2 within the block; TFLite's lines go to `said` and the debug log.

    The descriptor belongs to the whole process: lines that are not in TFLite's form, such as those
    of other threads' logging, are written to the real stderr afterwards.
    """
    with _lock, tempfile.TemporaryFile() as file:
        _flush()
        try:
            real = os.dup(_STDERR)
        except OSError:  # a daemon may run without stderr
            yield
            return
        os.dup2(file.fileno(), _STDERR)
        try:
            yield
        finally:
            _flush()
            os.dup2(real, _STDERR)
            os.close(real)
            file.seek(0)
            said += _sort(file.read(_MAX_BYTES))


def _flush() -> None:
    if sys.stderr is not None and not sys.stderr.closed:
        sys.stderr.flush()


def _sort(content: bytes) -> list[str]:
    """Lines of the library; all others go on to stderr."""
    said = []
    for line in content.splitlines(keepends=True):
        if _LIBRARY_LINE.match(line):
            said.append(line.decode("utf-8", "replace").strip())
            log.debug("native: %s", said[-1])
        else:
            os.write(_STDERR, line)
    return said
