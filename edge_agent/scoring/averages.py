"""Means over the last few windows, and where they must begin anew."""

from __future__ import annotations

from collections import deque

from edge_agent.frame import Frame


class MovingAverage:
    """The mean of the newest `length` numbers, of those that there are at the beginning."""

    def __init__(self, length: int) -> None:
        self._is_of_one = length == 1
        self._numbers: deque[float] = deque(maxlen=length)

    def add(self, number: float) -> float:
        """Take in a number; the mean with it."""
        if self._is_of_one:
            return number
        self._numbers.append(number)
        return sum(self._numbers) / len(self._numbers)

    def reset(self) -> None:
        """Forget all numbers."""
        self._numbers.clear()


class Breaks:
    """Sees where a window does not follow the one before: a gap in its signal is between them."""

    def __init__(self) -> None:
        self._part: int | None = None

    def before(self, frame: Frame) -> bool:
        """Whether there is one before this window; asked once for each."""
        if frame.place is None or frame.place.part == self._part:
            return False
        is_first, self._part = self._part is None, frame.place.part
        return not is_first
