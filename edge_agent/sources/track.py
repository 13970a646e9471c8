"""The newest rows of one signal, looked up by time."""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_agent.frame import Frame


class Last(NamedTuple):
    """A row (float32, one number a channel) and its age in seconds."""

    channels: tuple[str, ...]
    row: NDArray[np.float32]
    age: float


class Track:
    """Keeps the rows of the last `span` seconds, and the newest whatever its age.

    One thread puts blocks in, another looks rows up.
    """

    def __init__(self, span: float) -> None:
        self._span = span
        self._lock = threading.Lock()
        self._blocks: deque[tuple[NDArray[np.float64], NDArray[np.float32]]] = deque()
        self.channels: tuple[str, ...] | None = None
        self.problem = "it has given nothing yet"
        self._shift: float | None = None

    def put(self, frame: Frame) -> None:
        """Take a block; a frame that is none, or has other channels than before, is a problem."""
        signal = frame.signal
        if signal is None:
            self.problem = "it gives pictures or text, not numbers"
            return
        with self._lock:
            if self.channels not in (None, signal.channels):
                self._blocks.clear()
            self.channels = signal.channels
            times = self._on_our_clock(frame, signal.times)
            self._blocks.append((times, frame.data))
            # What is older than the span is looked up only where nothing newer is there.
            while len(self._blocks) > 1 and self._blocks[1][0][0] < times[-1] - self._span:
                self._blocks.popleft()

    def at(
        self, moments: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]] | None:
        """The last row at or before each moment, and its age in seconds; infinite for none.

        None before the first block.
        """
        with self._lock:
            blocks = list(self._blocks)
        if not blocks:
            return None
        times = np.concatenate([times for times, _ in blocks])
        rows = np.concatenate([rows for _, rows in blocks])
        places = np.searchsorted(times, moments, side="right") - 1
        found = rows[places.clip(0)]
        ages = np.where(places >= 0, moments - times[places.clip(0)], np.inf)
        found[places < 0] = np.nan
        return found, ages

    def last(self, moment: float) -> Last | None:
        """The last row at or before a moment; None where there is none."""
        with self._lock:
            for times, rows in reversed(self._blocks):
                place = int(np.searchsorted(times, moment, side="right")) - 1
                if place >= 0 and self.channels is not None:
                    return Last(self.channels, rows[place], moment - float(times[place]))
        return None

    def _on_our_clock(self, frame: Frame, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """The times by the monotonic clock: those of a recording begin where it was begun."""
        if frame.media_time is None:
            return times
        if self._shift is None or frame.seq == 0:  # it was opened, maybe anew
            self._shift = frame.monotonic_ns / 1e9 - frame.timeline
        return times + self._shift
