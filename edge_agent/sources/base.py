"""What every source of frames does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent import options
from edge_agent.clock import Clock, SystemClock
from edge_agent.frame import Frame, Signal

SYSTEM_CLOCK: Clock = SystemClock()
"""The clock of sources that are given none."""

Image = NDArray[np.uint8]
"""Height x width x 3, uint8, BGR."""

Medium = Literal["picture", "signal", "text"]
"""What the frames of a source are."""

_NO_DATA: NDArray[Any] = np.empty(0, np.float32)


class Source(Protocol):
    """One source of frames; `SourceReader` drives it from its own thread.

    `live` is True where frames that nobody takes are replaced by newer ones, False where the
    source waits for its reader and no frame is lost. One whose frames are no pictures has an
    attribute `medium`; one that gives a frame only when something happens, and may be quiet for
    days, has `may_be_quiet` and is online once it is open. A class is built as
    `XSource(name, options, clock=SystemClock())`; that checks the options alone (ValueError).
    """

    Options: ClassVar[type[options.Options]]
    live: bool
    name: str

    def __init__(self, name: str, options: Any) -> None: ...

    @property
    def patience(self) -> float | None:
        """Seconds after which a `start` or `read` hangs; None where it may wait for ever."""

    def start(self) -> None:
        """Open the source, also again after `stop()`.

        Raises SourceUnavailable (trying again may help) or SourceUnusable (it will not).
        """

    def read(self) -> Frame | None:
        """Next frame; None at the end of a recording, or when `stop()` ended the wait.

        Live sources wait at most their read timeout. Raises SourceError.
        """

    def stop(self) -> None:
        """Release everything; safe from another thread, before `start()`, and twice."""


def patience_for(timeout: float) -> float:
    """Seconds for a source whose waits are limited by `timeout`.

    It opens by several of them, one after the other, and neither looking up a name nor loading a
    driver can be limited.
    """
    return 3.0 * timeout + 30.0


class Stamp:
    """Numbers the frames of one source and notes when they were read."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._seq = 0
        self._follows_gap = False

    def opened(self) -> None:
        """Note that the source was opened: what was before, if anything, is not continued."""
        self._follows_gap = self._seq > 0

    def live(self, image: Image) -> Frame:
        """A frame taken now; its timeline is the monotonic clock, in seconds."""
        now = self._clock.monotonic_ns()
        return self._frame(image, now, now / 1e9, None)

    def recorded(self, image: Image, media_time: float, timeline: float) -> Frame:
        """A frame of a recording at `media_time`, and `timeline` seconds after its start."""
        return self._frame(image, self._clock.monotonic_ns(), timeline, media_time)

    def samples(
        self,
        rows: NDArray[np.float32],
        signal: Signal,
        media_time: float | None = None,
        wall: float | None = None,
    ) -> Frame:
        """Rows x channels of a signal, taken now, or of a recording at `media_time`.

        `wall` is the epoch seconds of the last row where the source knows them.
        """
        now = self._clock.monotonic_ns()
        timeline = float(signal.times[-1])
        if self._follows_gap:
            self._follows_gap = False
            signal = replace(signal, is_gap=True)
        return replace(self._frame(rows, now, timeline, media_time, wall), signal=signal)

    def line(self, text: str, media_time: float | None = None) -> Frame:
        """A line of text that came now, or the one at `media_time` of a recording."""
        now = self._clock.monotonic_ns()
        timeline = now / 1e9 if media_time is None else media_time
        return replace(self._frame(_NO_DATA, now, timeline, media_time), text=text)

    def _frame(
        self,
        data: NDArray[Any],
        now: int,
        timeline: float,
        media_time: float | None,
        wall: float | None = None,
    ) -> Frame:
        seq = self._seq
        self._seq += 1
        wall = self._clock.wall() if wall is None else wall
        return Frame(self._name, seq, data, wall, now, timeline, media_time)


class Pace:
    """Waits until a moment of the recording has come, by a clock that tests can replace."""

    def __init__(self, clock: Clock, wait: Callable[[float], Any]) -> None:
        self._clock = clock
        self._wait = wait
        self._start_ns: int | None = None

    def until(self, seconds: float) -> None:
        """Wait until `seconds` after the first call; a moment that has passed does not wait."""
        now = self._clock.monotonic_ns()
        if self._start_ns is None:
            self._start_ns = now - int(seconds * 1e9)
        delay = seconds - (now - self._start_ns) / 1e9
        if delay > 0.0:
            self._wait(delay)
