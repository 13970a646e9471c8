"""Cuts a stream of rows into windows, without copying what overlaps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_agent.preprocess.signal.base import Block
from edge_agent.preprocess.signal.checks import need

Stack = NDArray[np.float32]
"""Windows x rows x channels."""

Pad = Literal["none", "zero", "edge"]

_ROOM = 4096  # rows that are taken in at once: the rest moves to the front that seldom


class Windows:
    """Windows of `length` rows that begin every `hop` rows; a hop above the length leaves gaps.

    `pad` says what stands for rows that there are not. With "none" every window is whole. With
    "zero" or "edge" (the first row again) the first window already comes after `hop` rows, filled
    up in front, and `flush` fills up the last one at its end ("edge" repeats the last row there).

    Rows are copied once, into a buffer; windows are views of it.
    """

    def __init__(self, length: int, hop: int, channels: int, pad: Pad = "none") -> None:
        need(length >= 1, "length", f"{length} rows", "a window has 1 row at least")
        need(hop >= 1, "hop", f"{hop} rows", "the next window begins 1 row later at least")
        need(channels >= 1, "channels", f"{channels}", "a row has 1 number at least")
        self.length, self.hop, self.channels = length, hop, channels
        self._pad = pad
        self._rows = np.zeros((2 * length + _ROOM, channels), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget the rows: the next one is number 0."""
        self._first = 0  # number of the row that the next window begins with
        self._start = 0  # where in the buffer it begins: beyond the end while rows are left out
        self._end = 0
        self._begun = False

    def push(self, block: Block) -> Iterator[tuple[int, Block]]:
        """The windows that are full now, each with the number of its first row since `reset`.

        The number is negative where padding is in front. A window is valid until the next one is
        asked for and must not be written to. Take all of them before the next `push`.
        """
        for first, stack in self.stacks(block):
            yield from self._each(first, stack)

    def stacks(self, block: Block) -> Iterator[tuple[int, Stack]]:
        """The same windows, all that are in the buffer at once, with the first one's first row."""
        if not self._begun and len(block):
            self._begin(block)
        taken = 0
        while taken < len(block):
            taken += self._take(block[taken:])
            yield from self._full()

    def flush(self) -> Iterator[tuple[int, Block]]:
        """At the end of the stream: the rows that were in no window yet, filled up, if padded.

        The stream has to be `reset` then.
        """
        # What overlaps was in the window before, or is padding in front.
        fresh = self._end - self._start - max(0, self.length - self.hop)
        if self._pad == "none" or fresh <= 0:
            return
        self._make_room()
        last = self._rows[self._end - 1].copy() if self._pad == "edge" else 0.0
        self._rows[self._end : self._start + self.length] = last
        self._end = self._start + self.length
        for first, stack in self._full():
            yield from self._each(first, stack)

    def _each(self, first: int, stack: Stack) -> Iterator[tuple[int, Block]]:
        for number, window in enumerate(stack):
            yield first + number * self.hop, window

    def _begin(self, block: Block) -> None:
        """Padding in front of the first row."""
        self._begun = True
        if self._pad != "none" and self.hop < self.length:
            self._end = self.length - self.hop
            self._first = -self._end
            self._rows[: self._end] = block[0] if self._pad == "edge" else 0.0

    def _take(self, block: Block) -> int:
        """Put what fits into the buffer, or leave out rows between windows; how many."""
        gap = self._start - self._end
        if gap > 0:
            dropped = min(gap, len(block))
            self._start -= dropped
            return dropped
        if self._end == len(self._rows):
            self._make_room()
        count = min(len(block), len(self._rows) - self._end)
        self._rows[self._end : self._end + count] = block[:count]
        self._end += count
        return count

    def _make_room(self) -> None:
        """Move what the next window needs to the front; it is shorter than a window."""
        kept = self._end - self._start
        self._rows[:kept] = self._rows[self._start : self._end]
        self._start, self._end = 0, kept

    def _full(self) -> Iterator[tuple[int, Stack]]:
        """The windows that are whole in the buffer, none or one stack of them."""
        count = (self._end - self._start - self.length) // self.hop + 1
        if count < 1:
            return
        first, start = self._first, self._start
        self._first += count * self.hop
        self._start += count * self.hop
        row, number = self._rows.strides
        shape, strides = (count, self.length, self.channels), (row * self.hop, row, number)
        yield first, np.ndarray(shape, np.float32, self._rows, start * row, strides)
