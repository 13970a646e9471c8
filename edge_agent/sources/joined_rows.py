"""Several sources of numbers joined to one: rows at a common rate, aligned in time."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_agent.backoff import Backoff
from edge_agent.clock import Clock
from edge_agent.errors import SourceUnavailable
from edge_agent.frame import Frame, Signal
from edge_agent.sources.base import Source, Stamp, patience_for
from edge_agent.sources.guard import Guard
from edge_agent.sources.part_readers import PartReaders
from edge_agent.sources.track import Track

if TYPE_CHECKING:
    from edge_agent.sources.fusion import FusionOptions

_BLOCK = 0.05  # seconds of rows that are handed over at once, where the rate is higher
_LAG = 0.15  # seconds by which a block of a part may come after its first row
_BACKLOG = 1.0  # seconds of rows that are made up for; more is a gap


class JoinedRows:
    """Joins live sources of numbers; the channels are called PART.CHANNEL.

    Each part is read by a thread of its own, which opens it again after a failure. Every row has of
    each part the last values at or before its time, so none comes from the future; it is made a
    moment later (150 ms), when the blocks of all parts have come. The first row waits until each
    part has been heard once.
    """

    def __init__(
        self,
        name: str,
        options: FusionOptions,
        build: Callable[[], Mapping[str, Source]],
        clock: Clock,
        backoff: Callable[[], Backoff],
    ) -> None:
        """`build` makes the sources of the parts, anew each time; raises ValueError."""
        self.name = name
        self._options = options
        self._build = build
        self._clock = clock
        self._backoff = backoff
        self._stamp = Stamp(name, clock)
        self.patience = patience_for(options.timeout)
        for part, source in build().items():
            if not source.live:
                raise ValueError(f"part {part} is a recording at its fastest: set pace: real")
        self._tracks: dict[str, Track] = {}
        self._readers = PartReaders({}, {}, backoff)
        self._blocks: deque[tuple[NDArray[np.float32], Signal]] = deque()
        self._guard = Guard(self._release)

    def start(self) -> None:
        """Start to read the parts and wait for the first row; raises SourceUnavailable."""
        self._guard.reopen()
        with self._guard.use():
            self._release()
            self._begin()
            try:
                self._wait_for_row()
            except SourceUnavailable:
                self._release()
                raise

    def read(self) -> Frame | None:
        """Next rows; None once every part is a recording that has ended.

        Raises SourceUnavailable when no part has given a fresh value for long.
        """
        with self._guard.use() as allowed:
            if allowed:
                self._wait_for_row()
            if not allowed or not self._blocks or self._guard.closing.is_set():
                return None
            rows, signal = self._blocks.popleft()
            return self._stamp.samples(rows, signal)

    def stop(self) -> None:
        """End a running wait and all parts."""
        self._guard.close()

    def _begin(self) -> None:
        span = self._options.tolerance + _LAG + _BACKLOG
        sources = self._build()
        self._tracks = {part: Track(span) for part in sources}
        self._readers = PartReaders(sources, self._tracks, self._backoff)
        self._readers.start()
        self._next: float | None = None
        self._good_at = time.monotonic()
        self._channels: tuple[str, ...] = ()
        self._is_gap = False
        self._stamp.opened()

    def _wait_for_row(self) -> None:
        while not self._blocks and not self._guard.closing.is_set() and not self._readers.are_over:
            self._check()
            self._advance()

    def _check(self) -> None:
        """Raises SourceUnavailable after a long silence, RuntimeError for a fault of our own."""
        self._readers.check()
        timeout = self._options.timeout
        if time.monotonic() - self._good_at < timeout:
            return
        why = self._readers.reasons() or "no part is fresh"
        text = f"{self.name} has no row for {timeout:g} s: {why}"
        raise SourceUnavailable(text, "mend the part, or set missing and tolerance")

    def _advance(self) -> None:
        """Wait until the next rows are due and put them in line; none before all parts are there.

        Raises SourceUnavailable where a part has changed its channels.
        """
        moments, is_gap = self._due()
        self._guard.closing.wait(max(0.0, float(moments[-1]) + _LAG - self._now()))
        if self._guard.closing.is_set():
            return
        self._next = float(moments[-1]) + 1.0 / self._options.rate
        joined = self._join(moments)
        if joined is None:
            return
        rows, ages, channels = joined
        if self._channels not in ((), channels):
            raise SourceUnavailable(f"a part of {self.name} has other channels now", "look at it")
        self._channels = channels
        self._is_gap |= is_gap
        known = np.isfinite(ages).all(axis=0)  # False only before the first value of a part
        self._cut(moments[known], rows[known], ages[:, known])

    def _cut(
        self, moments: NDArray[np.float64], rows: NDArray[np.float32], ages: NDArray[np.float64]
    ) -> None:
        """Put the rows that are kept in line; where others were dropped, a gap is before them."""
        drops = self._options.missing == "drop"
        fresh = (ages <= self._options.tolerance).sum(axis=0)  # parts of each row
        kept = fresh >= (len(ages) if drops else 0)
        if (kept & (fresh > 0)).any():
            self._good_at = time.monotonic()
        if not len(moments):
            return
        changes = np.flatnonzero(np.diff(kept)) + 1
        for places in np.split(np.arange(len(kept)), changes):
            if kept[places[0]]:
                signal = Signal(self._channels, moments[places], self._options.rate, self._is_gap)
                self._blocks.append((rows[places], signal))
            self._is_gap = not kept[places[0]]

    def _due(self) -> tuple[NDArray[np.float64], bool]:
        """The moments of the next rows, and whether some before them were missed."""
        rate, now, is_gap = self._options.rate, self._now(), False
        if self._next is None:
            self._next = now - _LAG
        late = now - _LAG - self._next
        if late > max(_BACKLOG, 1.5 / rate):
            self._next += math.floor(late * rate) / rate
            is_gap = True
        count = max(1, round(_BLOCK * rate), math.floor(min(late, _BACKLOG) * rate))
        return self._next + np.arange(count) / rate, is_gap

    def _join(
        self, moments: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], tuple[str, ...]] | None:
        """Rows at these moments, the ages of their parts (parts x rows), the names of the columns.

        None before every part has given something.
        """
        columns: list[NDArray[np.float32]] = []
        names: list[str] = []
        ages: list[NDArray[np.float64]] = []
        for part, track in self._tracks.items():
            found = track.at(moments)
            if found is None or track.channels is None:
                return None
            rows, age = found
            if self._options.missing == "nan":
                rows[age > self._options.tolerance] = np.nan
            columns.append(rows)
            ages.append(age)
            names += [f"{part}.{channel}" for channel in track.channels]
        return np.concatenate(columns, axis=1), np.array(ages), tuple(names)

    def _now(self) -> float:
        return self._clock.monotonic_ns() / 1e9

    def _release(self) -> None:
        self._blocks.clear()
        self._readers.stop()
