"""Another program whose output is read with a limit to every wait."""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_CHUNK = 64 * 1024
_KEPT = 40  # lines of its messages
_LINE = 300  # characters of each
_LIBC = ctypes.CDLL(None)


def _die_with_parent() -> None:
    """Runs in the child: Linux kills it when the thread that started it ends, however that ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """A running program; `said` are its newest messages, which the reader may take out.

    All but `kill` belong to the thread that starts it. Raises OSError where it cannot be started.
    """

    def __init__(self, command: Sequence[str], feed: bytes = b"") -> None:
        self.said: deque[str] = deque(maxlen=_KEPT)
        self._waiting = bytearray()
        self._half_line = b""
        self._process = subprocess.Popen(  # noqa: S603 - the caller's own command line
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=os.environ | {"LC_ALL": "C"},  # its messages are read
            start_new_session=True,  # so that its own children end with it
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - it only makes one system call
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(feed)  # less than a pipe holds
        self._process.stdin.close()
        self._out = self._process.stdout.fileno()
        self._err = self._process.stderr.fileno()
        os.set_blocking(self._err, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)
        self._selector.register(self._err, selectors.EVENT_READ)

    def read(self, least: int, most: int, timeout: float) -> bytes:
        """`least` to `most` bytes, as many as are there; fewer at its end.

        Raises TimeoutError when they have not come within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while len(self._waiting) < least:
            left = deadline - time.monotonic()
            if left <= 0.0:
                raise TimeoutError
            ready = {key.fd for key, _ in self._selector.select(left)}
            if self._err in ready:
                self._listen()
            if self._out in ready:
                data = os.read(self._out, most - len(self._waiting))
                if not data:
                    break
                self._waiting += data
        given = bytes(self._waiting)
        self._waiting.clear()
        return given

    def give_back(self, rest: bytes) -> None:
        """Put the last bytes of a read before those of the next."""
        self._waiting[:0] = rest

    def ending(self, timeout: float = 1.0) -> int | None:
        """Its exit code once its output has ended, None if it runs on; reads its last words."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        while self._listen():
            pass
        return self._process.returncode

    def kill(self) -> None:
        """End it and its children at once; safe from any thread, and twice."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it and release everything."""
        self.kill()
        self._process.wait()
        self._selector.close()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _listen(self) -> bool:
        """Take in what it has said; False when there is no more for now."""
        try:
            data = os.read(self._err, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            with contextlib.suppress(KeyError):
                self._selector.unregister(self._err)
        *lines, half = (self._half_line + data).replace(b"\r", b"\n").split(b"\n")
        if half and not data:
            lines, half = [*lines, half], b""
        self._half_line = half[-_LINE:]
        self.said.extend(line.decode("utf-8", "replace")[:_LINE] for line in lines if line.strip())
        return bool(data)
