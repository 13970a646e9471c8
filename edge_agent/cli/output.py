"""What the commands print: tables, JSON lines, and progress for people who wait."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_REDRAW = 0.1  # seconds between two drawings of a progress bar
_BAR = 24


def print_json(value: Any) -> None:
    """One JSON value on one line of stdout."""
    print(json.dumps(value, ensure_ascii=False, allow_nan=False), flush=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines in columns; what looks like a number stands on the right."""
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [all(_is_number(cell) for cell in column[1:]) for column in columns]
    lines = []
    for cells in (header, ["-" * width for width in widths], *rows):
        padded = (
            cell.rjust(width) if on_right else cell.ljust(width)
            for cell, width, on_right in zip(cells, widths, right, strict=True)
        )
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _is_number(cell: str) -> bool:
    digits = cell.strip("+- %").replace(".", "", 1)
    return digits == "" or digits.isdecimal()


class Progress:
    """A bar on stderr, drawn only where a person looks at it."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = max(total, 1)
        self._done = 0
        self._drawn = 0.0
        self._visible = sys.stderr is not None and sys.stderr.isatty()

    def step(self, count: int = 1) -> None:
        """Note that so much more is done."""
        self._done += count
        now = time.monotonic()
        if self._visible and now - self._drawn >= _REDRAW:
            self._drawn = now
            filled = min(_BAR, _BAR * self._done // self._total)
            bar = "#" * filled + "." * (_BAR - filled)
            print(f"\r{self._what} [{bar}] {self._done}/{self._total}", end="", file=sys.stderr)

    def close(self) -> None:
        """Take the bar away."""
        if self._visible:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


@contextmanager
def progress(what: str, total: int) -> Iterator[Progress]:
    """A bar that is taken away at the end."""
    bar = Progress(what, total)
    try:
        yield bar
    finally:
        bar.close()
