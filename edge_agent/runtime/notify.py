"""Tells systemd how the agent does: ready, alive, what it is at. See sd_notify(3).

Without `NOTIFY_SOCKET` in the environment nothing is sent.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

_log = logging.getLogger(__name__)

_BEATS = 20  # pings within the time after which systemd gives up: a hang shows soon after it began
_STATUS_EVERY = 5.0  # s
_EXTENSION = 30.0  # s by which a start may go on, asked for again as long as models open
_LONGEST_START = 600.0  # s


class Systemd:
    """The service manager, if there is one."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._limit = _watchdog(environ)
        self._started = time.monotonic()
        self._is_ready = False
        self._beat_due = 0.0
        self._status_due = 0.0
        self._extended = 0.0

    @property
    def supervises(self) -> bool:
        """Whether it would start the agent again, as soon as it ends by a fault."""
        return bool(self._address)

    @property
    def beat_every(self) -> float | None:
        """Seconds between two pings; None where no watchdog waits for them."""
        return self._limit / _BEATS if self._limit is not None else None

    def look(self, ready: bool, alive: bool, status: Callable[[], str]) -> None:
        """Tell what is due: `ready` once all has begun, `alive` while there is progress.

        `status` is asked when a line about it is due.
        """
        if not self._address:
            return
        now = time.monotonic()
        lines = []
        if ready and not self._is_ready:
            self._is_ready = True
            lines.append("READY=1")
        elif not self._is_ready:
            lines += self._extension(now)
        if alive and self.beat_every is not None and now >= self._beat_due:
            self._beat_due = now + self.beat_every
            lines.append("WATCHDOG=1")
        if now >= self._status_due:
            self._status_due = now + _STATUS_EVERY
            lines.append(f"STATUS={status()}")
        self._send(lines)

    def reloading(self) -> None:
        """Tell that the configuration is read anew."""
        self._is_ready = False
        self._send(["RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}"])

    def stopping(self) -> None:
        """Tell that the agent ends."""
        self._send(["STOPPING=1"])

    def _extension(self, now: float) -> list[str]:
        """A large model on a slow card may take longer than the unit allows, but not for ever."""
        if now < self._extended or now - self._started > _LONGEST_START:
            return []
        self._extended = now + _EXTENSION / 3
        return [f"EXTEND_TIMEOUT_USEC={int(_EXTENSION * 1e6)}"]

    def _send(self, lines: list[str]) -> None:
        if not self._address or not lines:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            _log.debug("cannot tell systemd %s: %s", lines, error)


def _address(text: str) -> str:
    """Path of the socket; one that begins with @ is in the abstract name space."""
    return f"\0{text[1:]}" if text.startswith("@") else text


def _watchdog(environ: Mapping[str, str]) -> float | None:
    """Seconds that systemd waits for a ping; None where it does not, or waits for another."""
    try:
        limit = int(environ.get("WATCHDOG_USEC", "0")) / 1e6
        pid = int(environ.get("WATCHDOG_PID", str(os.getpid())))
    except ValueError:
        return None
    return limit if limit > 0 and pid == os.getpid() else None
