"""Means over the last few windows."""

from __future__ import annotations

from collections import deque


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
