"""Finds where a JPEG picture ends, by walking its segments (ITU-T T.81, annex B)."""

from __future__ import annotations

import re

_SOI = b"\xff\xd8\xff"
_EOI, _SOS = 0xD9, 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOFn carry the size
# In coded data FF is followed by 00 (stuffing), by D0..D7 (restart) or by FF (fill).
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


class NotJpeg(ValueError):
    """These bytes are no JPEG picture."""


class JpegWalk:
    """Walks one picture that may still grow; goes on where it stopped.

    `size` is (width, height) as soon as its header has been seen.
    """

    def __init__(self, start: int = 0) -> None:
        self._at = start + 2
        self._in_scan = False
        self._scans = 0
        self.size: tuple[int, int] | None = None

    def end(self, data: bytes | bytearray) -> int | None:
        """Offset behind the picture, None while it is incomplete; raises NotJpeg."""
        while self._skip_scan(data) and self._at + 2 <= len(data):
            marker = data[self._at + 1]
            if data[self._at] != 0xFF:
                raise NotJpeg("no marker where one must be")
            if marker == 0xFF:
                self._at += 1
            elif marker == _EOI and self._scans:
                return self._at + 2
            elif not self._skip_segment(data, marker):
                return None
        return None

    def _skip_scan(self, data: bytes | bytearray) -> bool:
        if self._in_scan:
            found = _MARKER.search(data, self._at)
            self._at = found.start() if found else max(self._at, len(data) - 1)
            self._in_scan = found is None
        return not self._in_scan

    def _skip_segment(self, data: bytes | bytearray, marker: int) -> bool:
        if marker < 0xC0 or 0xD0 <= marker <= _EOI:
            raise NotJpeg(f"marker {marker:02x} must not stand here")
        if self._at + (9 if marker in _FRAMES else 4) > len(data):
            return False
        length = int.from_bytes(data[self._at + 2 : self._at + 4], "big")
        if length < 2:
            raise NotJpeg("a segment of impossible length")
        if marker in _FRAMES:
            height = int.from_bytes(data[self._at + 5 : self._at + 7], "big")
            self.size = int.from_bytes(data[self._at + 7 : self._at + 9], "big"), height
        self._at += 2 + length
        self._in_scan = marker == _SOS
        self._scans += self._in_scan
        return True


class JpegScanner:
    """Cuts whole JPEG pictures out of a byte stream, whatever stands between them.

    Neither lengths nor boundaries of the stream are trusted: a picture begins at its start marker
    and ends where its own structure says. One that breaks off is given up at the first impossible
    byte and the search goes on one byte behind its start. At most `max_bytes` are kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._data = bytearray()
        self._walk: JpegWalk | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes of the stream; return the pictures that they complete."""
        self._data += data
        pictures: list[bytes] = []
        while self._find_start():
            picture = self._next()
            if picture is None:
                break
            if picture:
                pictures.append(picture)
        return pictures

    def _find_start(self) -> bool:
        if self._walk is None:
            start = self._data.find(_SOI)
            # The last two bytes may be the beginning of a start marker.
            del self._data[: start if start >= 0 else max(0, len(self._data) - 2)]
            self._walk = JpegWalk() if start >= 0 else None
        return self._walk is not None

    def _next(self) -> bytes | None:
        """A picture, b"" for a start that was given up, None when more bytes are needed."""
        assert self._walk is not None
        try:
            end = self._walk.end(self._data)
        except NotJpeg:
            end = 0
        if end is None and len(self._data) <= self._max_bytes:
            return None
        picture = bytes(self._data[: end or 0])
        del self._data[: end or 1]
        self._walk = None
        return picture if len(picture) <= self._max_bytes else b""
