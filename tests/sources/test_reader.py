"""The thread that keeps a source running."""

from __future__ import annotations

import logging
import threading
from typing import ClassVar

import pytest

from edge_agent.backoff import Backoff
from edge_agent.clock import SystemClock
from edge_agent.errors import SourceError, SourceSilent, SourceUnavailable, SourceUnusable
from edge_agent.frame import Frame
from edge_agent.options import Options
from edge_agent.sources.base import Stamp
from edge_agent.sources.reader import SourceReader, SourceStatus
from tests.support.broker import wait_until
from tests.support.pictures import picture
from tests.support.reading import LIMIT, Watcher, reading


class Script:
    """A source that plays a list: "frame", "end", or an exception to raise on read.

    An exception in `starts` is raised by that start. Once the list is over, reads wait for stop.
    """

    Options: ClassVar[type[Options]] = Options
    live = True
    patience: float | None = 30.0

    def __init__(self, steps: list[str | Exception], starts: list[Exception | None] | None = None):
        self.name = "script"
        self.may_be_quiet = False
        self.steps = iter(steps)
        self.starts = iter(starts or [])
        self.started = self.stopped = 0
        self._stamp = Stamp(self.name, SystemClock())
        self._stopped = threading.Event()

    def start(self) -> None:
        """Play the next start."""
        self.started += 1
        self._stopped.clear()
        if error := next(self.starts, None):
            raise error

    def read(self) -> Frame | None:
        """Play the next step."""
        step = next(self.steps, None)
        if isinstance(step, Exception):
            raise step
        if step == "frame":
            return self._stamp.live(picture())
        if step is None:
            self._stopped.wait(LIMIT)
        return None

    def stop(self) -> None:
        """End the wait."""
        self.stopped += 1
        self._stopped.set()


_GONE = SourceUnavailable("it is gone", "bring it back")


def test_online_offline_online() -> None:
    """A failure closes the source, says why, and opens it again; statuses are changes only."""
    source = Script(["frame", "frame", _GONE, "frame"])
    with reading(source) as (watcher, reader):
        watcher.wait(lambda: len(watcher.statuses) == 3 and reader.frames == 3)
        assert watcher.statuses == [
            SourceStatus(True, ""),
            SourceStatus(False, "it is gone (bring it back)"),
            SourceStatus(True, ""),
        ]
        assert (source.started, reader.reopens) == (2, 1)
        assert [frame.seq for frame in watcher.frames] == [0, 1, 2]
    assert len(watcher.statuses) == 3


def test_same_reason_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Identical failures in a row give one status and one log line."""
    caplog.set_level(logging.INFO)
    with reading(Script(["frame"], [_GONE] * 5)) as (watcher, reader):
        watcher.wait_online()
        assert reader.reopens == 5
    assert [status.online for status in watcher.statuses] == [False, True]
    assert [record.message for record in caplog.records] == [
        "source script is offline: it is gone (bring it back)",
        "source script is online",
    ]


def test_one_that_may_be_quiet_is_online_once_it_is_open() -> None:
    """A door that nobody opens is no fault: it is online without a frame, also after a loss."""
    source = Script([_GONE], [_GONE])
    source.may_be_quiet = True
    with reading(source) as (watcher, reader):
        watcher.wait(lambda: len(watcher.statuses) == 4)
        assert [status.online for status in watcher.statuses] == [False, True, False, True]
        assert reader.frames == 0


def test_end_of_a_recording() -> None:
    """At its end a recording is reported as finished and the thread ends."""
    source = Script(["frame", "end"])
    with reading(source) as (watcher, reader):
        watcher.wait(lambda: any(status.finished for status in watcher.statuses))
        reader.stop(LIMIT)
    assert not reader.alive
    assert source.stopped >= 1


def test_permanent_error_is_retried_slowly() -> None:
    """An error that retrying will not mend waits for the long delay, every time."""
    source = Script([], [SourceUnusable("no camera", "choose one")])
    watcher = Watcher()
    reader = SourceReader(source, watcher.deliver, watcher.on_status, Backoff(0, 0), 3600.0)
    reader.start()
    assert watcher.wait_offline() == "no camera (choose one)"
    reader.stop(LIMIT)
    assert not reader.alive
    assert source.started == 1


def test_unexpected_error_ends_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    """A fault in our own code is kept for the supervisor and logged with its traceback."""
    watcher = Watcher()
    source = Script(["frame", KeyError("oops")])
    reader = SourceReader(source, watcher.deliver, watcher.on_status)
    reader.start()
    watcher.wait(lambda: len(watcher.statuses) == 2)
    reader.stop(LIMIT)
    assert isinstance(reader.failure, KeyError)
    assert not reader.alive
    assert source.stopped >= 1
    assert any(record.exc_info for record in caplog.records)


def test_stop_while_delivering() -> None:
    """A reader whose frame is not taken ends as soon as the taker is freed."""
    release, entered = threading.Event(), threading.Event()

    def deliver(frame: Frame) -> None:
        entered.set()
        release.wait(LIMIT)

    reader = SourceReader(Script(["frame"] * 3), deliver, lambda status: None)
    reader.start()
    assert entered.wait(LIMIT)
    reader.stop(0.01)
    alive = [reader.alive]
    release.set()
    reader.stop(LIMIT)
    assert [*alive, reader.alive] == [True, False]
    assert reader.frames == 1


class Wedged(Script):
    """A source whose driver hangs: neither time nor `stop` ends a read, only `mended`."""

    def __init__(self) -> None:
        super().__init__([])
        self.mended = threading.Event()

    def read(self) -> Frame | None:
        """Hang."""
        assert self.mended.wait(LIMIT)
        return self._stamp.live(picture())


def test_a_read_that_hangs() -> None:
    """It shows as busy; once the reader is given up, the late frame and its status go nowhere."""
    source, watcher = Wedged(), Watcher()
    reader = SourceReader(source, watcher.deliver, watcher.on_status)
    assert reader.busy_for() == 0.0
    reader.start()
    wait_until(lambda: reader.busy_for() > 0.05, LIMIT)
    reader.stop(0.0)
    assert reader.alive
    source.mended.set()
    wait_until(lambda: not reader.alive, LIMIT)
    assert reader.busy_for() == 0.0
    assert (watcher.frames, watcher.statuses, reader.failure) == ([], [], None)


def test_waiting_for_the_worker_is_no_hang() -> None:
    """A recording that is held back has nothing to answer for."""
    taken, release = threading.Event(), threading.Event()

    def deliver(frame: Frame) -> None:
        taken.set()
        assert release.wait(LIMIT)

    reader = SourceReader(Script(["frame"]), deliver, lambda status: None)
    reader.start()
    assert taken.wait(LIMIT)
    assert reader.busy_for() == 0.0
    release.set()
    reader.stop(LIMIT)


def test_stop_without_start() -> None:
    """Stopping a reader that never ran is fine, also twice."""
    reader = SourceReader(Script([]), lambda frame: None, lambda status: None)
    reader.stop(1)
    reader.stop(1)
    assert not reader.alive


class Counted(Backoff):
    """Waits for nothing, and notes after how many failures in a row."""

    def __init__(self) -> None:
        super().__init__(0, 0)
        self.rows: list[int] = []

    def next_delay(self) -> float:
        """Note the failures before this one."""
        self.rows.append(self.failures)
        return super().next_delay()


@pytest.mark.parametrize(
    ("error", "rows"),
    [(SourceSilent("silent"), [0, 0, 0]), (SourceUnavailable("gone"), [0, 1, 2])],
)
def test_a_silent_source_is_listened_to_again_soon(error: SourceError, rows: list[int]) -> None:
    """However often it was silent, since what comes while it is closed is lost."""
    watcher, backoff = Watcher(), Counted()
    source = Script([error, error, error, "frame"])
    reader = SourceReader(source, watcher.deliver, watcher.on_status, backoff)
    reader.start()
    wait_until(lambda: watcher.frames)
    reader.stop(LIMIT)
    assert backoff.rows == rows
