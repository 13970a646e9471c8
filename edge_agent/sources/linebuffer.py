"""Bytes that come in pieces, cut into lines of limited length."""

from __future__ import annotations


class LineBuffer:
    """Gives whole lines without their ends; what is longer than `limit` bytes is thrown away.

    `skip_first`: what comes before the first end of a line is thrown away too, since it may be
    half a line.
    """

    def __init__(self, limit: int, skip_first: bool = False) -> None:
        self._limit = limit
        self._rest = b""
        self._skipping = skip_first
        self.too_long = 0
        """Lines so far that were thrown away for their length."""

    def feed(self, data: bytes) -> list[bytes]:
        """Lines that end in this piece; empty ones are left out."""
        ends = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if not ends:
            self._keep(self._rest + data)
            return []
        lines = (self._rest + data[:ends]).splitlines()
        self._rest = b""
        if self._skipping:
            lines, self._skipping = lines[1:], False
        self._keep(data[ends:])
        good = [line for line in lines if len(line) <= self._limit]
        self.too_long += len(lines) - len(good)
        return [line for line in good if line]

    def flush(self) -> list[bytes]:
        """What is left at the end of a stream, as the last line."""
        rest, self._rest = self._rest, b""
        return [rest] if rest and not self._skipping else []

    def _keep(self, rest: bytes) -> None:
        if self._skipping:
            return
        if len(rest) > self._limit:
            self.too_long += 1
            self._skipping, rest = True, b""
        self._rest = rest
