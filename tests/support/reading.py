"""Watches a SourceReader at work."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge_agent.backoff import Backoff
from edge_agent.frame import Frame
from edge_agent.sources.base import Source
from edge_agent.sources.reader import SourceReader, SourceStatus

LIMIT = 20.0  # seconds after which a test gives up


class Watcher:
    """Collects what a reader delivers and reports."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.statuses: list[SourceStatus] = []
        self._seen = 0
        self._changed = threading.Condition()

    def deliver(self, frame: Frame) -> None:
        """Take a frame; only the newest 100 are kept."""
        with self._changed:
            self.frames = [*self.frames[-99:], frame]
            self._changed.notify_all()

    def on_status(self, status: SourceStatus) -> None:
        """Take a status."""
        with self._changed:
            self.statuses.append(status)
            self._changed.notify_all()

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds."""
        with self._changed:
            assert self._changed.wait_for(condition, LIMIT), self.statuses

    def wait_online(self) -> None:
        """Wait until the source is online."""
        self.wait(lambda: bool(self.statuses) and self.statuses[-1].online)

    def wait_offline(self) -> str:
        """Wait until the source is offline; gives the reason."""
        self.wait(lambda: bool(self.statuses) and not self.statuses[-1].online)
        return self.statuses[-1].reason

    def wait_reason(self, text: str) -> None:
        """Wait until a status since the last call gives a reason with this text."""
        self.wait(lambda: any(text in status.reason for status in self.statuses[self._seen :]))
        self._seen = len(self.statuses)


@contextmanager
def reading(source: Source) -> Iterator[tuple[Watcher, SourceReader]]:
    """Run a reader with short waits; it must end when it is told to."""
    watcher = Watcher()
    backoff = Backoff(0.02, 0.1, random.Random(1))
    reader = SourceReader(source, watcher.deliver, watcher.on_status, backoff, 0.1)
    reader.start()
    try:
        yield watcher, reader
    finally:
        began = time.monotonic()
        reader.stop(LIMIT)
        assert not reader.alive, "the reader does not stop"
        assert time.monotonic() - began < 10.0
    assert reader.failure is None
