"""The thread that keeps one source running: open, read, deliver; close, wait, open again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edge_agent.backoff import Backoff
from edge_agent.errors import SourceError, SourceSilent
from edge_agent.frame import Frame
from edge_agent.sources.base import Source

log = logging.getLogger(__name__)

_STEADY = 10.0  # seconds online after which a failure is a new one, not the old one again


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """Whether frames arrive, why not, and whether a recording came to its end."""

    online: bool
    reason: str
    finished: bool = False


class SourceReader:
    """Reads one source in its own thread and hands every frame to `deliver`.

    A SourceError closes the source; it is opened again after `backoff`, or after
    `permanent_delay` seconds where trying again is not expected to help (someone may mend it).
    A source that is silent is listened to again soon: what comes while it is closed is lost.
    `on_status` is called from the thread, on changes only; a source is online with its first
    frame, one that may be quiet once it is open. `deliver` may block to hold a recording back;
    whoever stops the reader frees it first. `failure` is an unexpected exception that ended the
    thread, for the supervisor. After `stop` it delivers and tells nothing, also where a read that
    hung comes back late.
    """

    def __init__(
        self,
        source: Source,
        deliver: Callable[[Frame], None],
        on_status: Callable[[SourceStatus], None],
        backoff: Backoff | None = None,
        permanent_delay: float = 30.0,
    ) -> None:
        self.name = source.name
        self._source = source
        self._deliver = deliver
        self._on_status = on_status
        self._backoff = backoff or Backoff()
        self._permanent_delay = permanent_delay
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._status: SourceStatus | None = None
        self._online_since = 0.0
        self.failure: BaseException | None = None
        self.frames = 0
        self.reopens = 0
        self._asked_at: float | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def patience(self) -> float | None:
        """Seconds that a source may take to open or to give a frame; None for any time."""
        return self._source.patience

    def busy_for(self) -> float:
        """Seconds that opening it, or its next frame, has taken so far."""
        since = self._asked_at
        return 0.0 if since is None else time.monotonic() - since

    def start(self) -> None:
        """Start the thread; the source is opened there, so this returns at once."""
        if self._thread is None:
            name = f"source-{self._source.name}"
            self._thread = threading.Thread(target=self._run, name=name, daemon=True)
            self._thread.start()

    def stop(self, timeout: float) -> None:
        """End the thread and close the source; waits at most `timeout` seconds."""
        self._stopping.set()
        self._source.stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set() and not self._read_until_end():
                self.reopens += 1
        except Exception as error:
            self.failure = error
            log.exception("source %s: internal error", self._source.name)
            self._report(SourceStatus(False, f"internal error: {error!r}"))

    def _read_until_end(self) -> bool:
        """One life of the source, True at its end; after a failure False, when its time is up."""
        try:
            with self._asking():
                self._source.start()
            if getattr(self._source, "may_be_quiet", False):
                self._works()
            self._read_frames()
        except SourceError as error:
            self._source.stop()
            self._wait_after(error)
            return False
        finally:
            self._source.stop()
        if not self._stopping.is_set():
            self._report(SourceStatus(False, "end of the recording", finished=True))
        return True

    def _read_frames(self) -> None:
        while not self._stopping.is_set():
            with self._asking():
                frame = self._source.read()
            if frame is None or self._stopping.is_set():
                return
            self.frames += 1
            self._works()
            self._deliver(frame)

    def _works(self) -> None:
        if self._status is None or not self._status.online:
            self._online_since = time.monotonic()
            self._report(SourceStatus(True, ""))

    @contextmanager
    def _asking(self) -> Iterator[None]:
        self._asked_at = time.monotonic()
        try:
            yield
        finally:
            self._asked_at = None

    def _wait_after(self, error: SourceError) -> None:
        if self._stopping.is_set():
            return
        online = self._status is not None and self._status.online
        is_steady = online and time.monotonic() - self._online_since >= _STEADY
        if is_steady or isinstance(error, SourceSilent):  # listening spares whoever may answer
            self._backoff.reset()
        self._report(SourceStatus(False, str(error)))
        delay = self._backoff.next_delay() if error.retriable else self._permanent_delay
        self._stopping.wait(delay)

    def _report(self, status: SourceStatus) -> None:
        if status == self._status or self._stopping.is_set():
            return
        self._status = status
        if status.online:
            log.info("source %s is online", self._source.name)
        elif status.finished:
            log.info("source %s: end of the recording", self._source.name)
        else:
            log.warning("source %s is offline: %s", self._source.name, status.reason)
        self._on_status(status)
