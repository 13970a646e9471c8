"""Readings that are taken at a rate: the sampling clock, and what a failed reading means."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.clock import Clock
from edge_agent.errors import SourceUnavailable
from edge_agent.frame import Frame, Signal
from edge_agent.sources.base import Stamp

_BLOCK = 0.05  # seconds of readings that are handed over at once, where the rate is higher
_LATE = 0.02  # seconds by which a reading may be late without being missing


class ReadingFailed(Exception):
    """One value could not be read this time; the text says why."""


class Poller:
    """Takes rows of readings at `rate` a second and makes frames of them.

    A value that cannot be read is NaN. When none could be read for `timeout` seconds the source is
    gone; one that has just been opened gives no row before its first value. Readings that a slow or
    sleeping machine missed are not made up for: the next block is marked as a gap. `what` names the
    sensor in messages.
    """

    def __init__(self, what: str, rate: float, timeout: float, stamp: Stamp, clock: Clock) -> None:
        self._what = what
        self._rate = rate
        self._timeout = timeout
        self._stamp = stamp
        self._clock = clock
        self._rows_per_block = max(1, round(rate * _BLOCK))
        self.begin(())

    @property
    def patience(self) -> float:
        """Seconds that a frame may take."""
        return 3.0 * self._timeout + 2.0 * self._rows_per_block / self._rate + 30.0

    def begin(self, channels: Sequence[str]) -> None:
        """Start the clock for readings of these channels."""
        self._channels = tuple(channels)
        self._due: float | None = None
        self._is_heard = False
        self._good_at = self._now()
        self._stamp.opened()

    def frame(
        self, readers: Sequence[Callable[[], float]], closing: threading.Event
    ) -> Frame | None:
        """The next block, one column for each reader; None once `closing` is set.

        A reader raises ReadingFailed. Raises SourceUnavailable.
        """
        while True:
            rows, signal = self._block(readers, closing)
            if closing.is_set():
                return None
            if self._is_heard or np.isfinite(rows).any():
                self._is_heard = True
                return self._stamp.samples(rows, signal)

    def _block(
        self, readers: Sequence[Callable[[], float]], closing: threading.Event
    ) -> tuple[NDArray[np.float32], Signal]:
        """The next rows; they mean nothing once `closing` is set."""
        rows = np.empty((self._rows_per_block, len(readers)), np.float32)
        times = np.empty(self._rows_per_block)
        is_gap = False
        for index in range(self._rows_per_block):
            is_gap |= self._wait(closing)
            if closing.is_set():
                break
            rows[index] = self._row(readers)
            times[index] = max(self._now(), times[index - 1] + 1e-6 if index else -math.inf)
        return rows, Signal(self._channels, times, self._rate, is_gap)

    def _now(self) -> float:
        return self._clock.monotonic_ns() / 1e9

    def _wait(self, closing: threading.Event) -> bool:
        """Wait until the next reading is due; True where some were missed."""
        now, period = self._now(), 1.0 / self._rate
        if self._due is None:
            self._due = now
        late = now - self._due
        if missed := late > max(1.5 * period, _LATE):
            self._due += math.floor(late * self._rate) * period
        if self._due > now:
            closing.wait(self._due - now)
        self._due += period
        return missed

    def _row(self, readers: Sequence[Callable[[], float]]) -> list[float]:
        values, reason = [], "no number"
        for read in readers:
            try:
                values.append(read())
            except ReadingFailed as error:
                values.append(math.nan)
                reason = str(error)
        if any(math.isfinite(value) for value in values):
            self._good_at = self._now()
        elif self._now() - self._good_at >= self._timeout:
            text = f"{self._what} gives no number for {self._timeout:g} s: {reason}"
            raise SourceUnavailable(text, "check its wiring")
        return values
