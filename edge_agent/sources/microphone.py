"""Sound that is recorded now, by a program of its own."""

from __future__ import annotations

import logging

from edge_agent.clock import Clock
from edge_agent.errors import SourceError, SourceUnavailable
from edge_agent.sources.child import Child
from edge_agent.sources.complaints import Complaints
from edge_agent.sources.guard import Guard
from edge_agent.sources.recorder import Recorder, unexpected
from edge_agent.sources.sound import Block, SampleClock
from edge_agent.sources.wav import pcm16

log = logging.getLogger(__name__)

_BLOCK = 0.06  # seconds of sound handed over at once: each time costs more than its samples
_BACKLOG = 0.5  # most of what has piled up


class Microphone:
    """Blocks of what a recorder gives; one that ends or falls silent is an error.

    Where samples were lost they are missing before the first block that was not there yet when the
    recorder said so.
    """

    def __init__(self, name: str, recorder: Recorder, timeout: float, clock: Clock) -> None:
        self._recorder = recorder
        self._timeout = timeout
        self._clock = clock
        self._guard = Guard(self._release)
        self._child: Child | None = None
        self._first: Block | None = None
        self._complaints = Complaints(log, name)
        self._row_bytes = 2 * recorder.inputs
        self._least = max(1, round(_BLOCK * recorder.rate)) * self._row_bytes
        self._most = max(1, round(_BACKLOG * recorder.rate)) * self._row_bytes

    def start(self) -> None:
        """Start the recorder and wait for its first block; raises SourceError."""
        self._guard.reopen()
        with self._guard.use():
            self._release()
            self._times = SampleClock(self._recorder.rate)
            try:
                self._child = Child(self._recorder.command, self._recorder.feed)
            except FileNotFoundError:
                raise self._recorder.missing from None
            except OSError as error:
                text = f"{self._recorder.command[0]} cannot be started: {error.strerror}"
                raise SourceUnavailable(text, "see what uses the memory: free -m") from error
            self._first = self._next(self._child)

    def read(self) -> Block | None:
        """Next block; raises SourceError when none comes within the timeout."""
        with self._guard.use() as allowed:
            if not allowed or self._child is None:
                return None
            block, self._first = self._first, None
            return block or self._next(self._child)

    def stop(self) -> None:
        """End a running wait and the recorder."""
        self._guard.closing.set()
        child = self._child
        if child is not None:
            child.kill()
        self._guard.close()

    def _next(self, child: Child) -> Block | None:
        what = self._recorder.what
        try:
            data = child.read(self._least, self._most, self._timeout)
        except TimeoutError:
            text = f"{what} is silent: no sound for {self._timeout:g} s"
            raise SourceUnavailable(text, "check its cable or network") from None
        lost = self._heard(child)
        whole = len(data) // self._row_bytes * self._row_bytes
        child.give_back(data[whole:])
        if self._guard.closing.is_set():
            return None
        if len(data) < self._least:
            raise self._ended(child)
        rows = pcm16(data[:whole]).reshape(-1, self._recorder.inputs)
        now = self._clock.monotonic_ns() / 1e9
        times, is_gap = self._times.stamp(len(rows), now, len(data) < self._most, lost)
        return Block(rows, times, float(self._recorder.rate), is_gap)

    def _heard(self, child: Child) -> bool:
        """Take in what the recorder said; True where samples were lost. Raises SourceUnusable."""
        lost = 0
        for line in child.said:
            if error := unexpected(self._recorder, line):
                raise error
            lost += bool(self._recorder.lost) and self._recorder.lost in line
        if lost:
            self._complaints.tell("sound was lost: the machine is too slow, or too busy")
            child.said.clear()
        return lost > 0

    def _ended(self, child: Child) -> SourceError:
        code = child.ending()
        error = self._recorder.explain(self._recorder, list(child.said))
        log.debug("%s ended with %s", self._recorder.command[0], code)
        return error

    def _release(self) -> None:
        child, self._child, self._first = self._child, None, None
        if child is not None:
            child.close()
