"""Times of rows that only rise, and the places where something is missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_agent.sources.cells import Column

_USUAL_INTERVALS = 5.0  # between two rows, from which on something is missing
_LEARNT_FROM = 1000  # rows


class Timeline:
    """Turns times as they were noted into the seconds of a timeline.

    The first row is at `start`. A clock that steps back does not take the timeline back: it goes
    on one usual interval (the median of the first rows) later. Something is missing before a row
    where the clock stepped back, or that is more than `max_gap` seconds (None: five usual
    intervals, known from `least` intervals on) after the one before it.
    """

    def __init__(
        self,
        max_gap: float | None = None,
        start: float = 0.0,
        least: int = 1,
        after_gap: bool = False,
    ) -> None:
        self._max_gap = max_gap
        self._least = least
        self._usual: float | None = None
        self._steps: list[float] = []
        self._last_noted = 0.0
        self._end: float | None = None
        self._offset = 0.0
        self._start = start
        self._break_next = after_gap

    @property
    def end(self) -> float | None:
        """Where the newest row is; None before the first."""
        return self._end

    @property
    def offset(self) -> float:
        """What to add to a time noted now."""
        return self._offset

    def begin_again(self, start: float | None = None) -> None:
        """The next row comes after a gap, at `start` or else one usual interval later."""
        if self._end is not None:
            later = self._end + (self._usual or 0.0)
            self._start = later if start is None else max(later, start)
            self._end = None
            self._break_next = True

    def place(self, noted: Column) -> tuple[Column, NDArray[np.intp]]:
        """Times of these rows (at least one), and the indices before which something is missing."""
        end = self._end
        first = end is None
        if first:
            self._offset = self._start - float(noted[0])
            self._last_noted = float(noted[0])
        steps = np.diff(noted, prepend=self._last_noted)
        self._learn(steps[1:] if first else steps)
        back = steps < 0.0
        breaks = back | (steps > self._limit())
        if first:
            breaks[0], self._break_next = self._break_next, False
        times = noted + self._offset
        if back.any():
            leaps = np.cumsum(np.where(back, (self._usual or 0.0) - steps, 0.0))
            times += leaps
            self._offset += float(leaps[-1])
        # Only rounding can make a time fall here.
        times = np.maximum.accumulate(np.maximum(times, self._start if end is None else end))
        self._last_noted = float(noted[-1])
        self._end = float(times[-1])
        return times, np.flatnonzero(breaks)

    def _limit(self) -> float:
        if self._max_gap is not None:
            return self._max_gap
        return np.inf if self._usual is None else _USUAL_INTERVALS * self._usual

    def _learn(self, steps: Column) -> None:
        if self._usual is None:
            self._steps += steps[steps > 0.0][:_LEARNT_FROM].tolist()
            if len(self._steps) >= self._least:
                self._usual = float(np.median(self._steps))
                self._steps.clear()
