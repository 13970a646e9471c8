"""A serial port, through pyserial."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from edge_agent.errors import SourceError, SourceUnavailable, SourceUnusable
from edge_agent.sources.ports import PIECE

_MODE = re.compile(r"([5-8])([NEO])(1|1\.5|2)")


class SerialPort:
    """A serial port of this machine. `mode` is data bits, parity and stop bits, such as 8N1.

    Raises ValueError for a mode that is none.
    """

    every: float | None = None
    joins_midway = True

    def __init__(self, device: str, baud: int, mode: str) -> None:
        match = _MODE.fullmatch(mode.upper())
        if match is None:
            raise ValueError(
                f"mode must be data bits, parity and stop bits such as 8N1, not {mode!r}"
            )
        self.shown = f"serial port {device}"
        self._device = device
        self._settings = {
            "baudrate": baud,
            "bytesize": int(match[1]),
            "parity": match[2],
            "stopbits": float(match[3]),
        }
        self._serial: Any = None

    def open(self) -> None:
        """Open it for us alone; raises SourceError."""
        self.close()
        try:
            import serial  # noqa: PLC0415 - an extra
        except ImportError:
            cure = "pip install 'edge-agent[sensors]'"
            raise SourceUnusable("pyserial is not installed", cure) from None
        try:
            self._serial = serial.Serial(self._device, timeout=0, exclusive=True, **self._settings)
        except (OSError, ValueError) as error:
            raise self._explain(error) from error

    def fds(self) -> Sequence[int]:
        """The port."""
        return () if self._serial is None else (self._serial.fileno(),)

    def take(self, ready: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """What came; raises SourceUnavailable where the device is gone."""
        for fd in ready:
            try:
                piece = os.read(fd, PIECE)
            except BlockingIOError:
                continue
            except OSError:
                piece = b""
            if not piece:
                raise SourceUnavailable(f"{self.shown} is gone", "plug it in again")
            yield fd, piece

    def close(self) -> None:
        """Give it back."""
        port, self._serial = self._serial, None
        if port is not None:
            port.close()

    def _explain(self, error: Exception) -> SourceError:
        number = getattr(error, "errno", None)
        if number == errno.ENOENT:
            cure = "plug it in; those that are there: ls /dev/serial/by-id"
            return SourceUnavailable(f"{self.shown} does not exist", cure)
        if number in (errno.EACCES, errno.EPERM):
            cure = "sudo usermod -aG dialout $USER, then log in again"
            return SourceUnavailable(f"no permission to use {self.shown}", cure)
        if number in (errno.EBUSY, errno.EAGAIN):
            return SourceUnavailable(f"{self.shown} is in use", "another program has it: fuser -v")
        if isinstance(error, ValueError):
            return SourceUnusable(f"{self.shown}: {error}", "check baud and mode")
        return SourceUnavailable(f"{self.shown} cannot be opened: {error}", "check the device")
