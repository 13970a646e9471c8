"""The door between a source and a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from edge_agent.engines.state import Memory
from edge_agent.runtime.inbox import Inbox, Job
from tests.support.broker import wait_until
from tests.support.reading import LIMIT
from tests.support.runtime import live_frame


@pytest.fixture
def ready() -> threading.Condition:
    """The condition of the worker."""
    return threading.Condition()


@pytest.fixture
def inbox(ready: threading.Condition) -> Inbox:
    """An empty inbox."""
    return Inbox(ready)


class Producer:
    """Appends numbered frames in a thread; `given` are those that were let in."""

    def __init__(self, inbox: Inbox, count: int) -> None:
        self.given: list[int] = []
        self._inbox = inbox
        self._count = count
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        for number in range(self._count):
            self._inbox.append(job(number))
            self.given.append(number)

    def has_given(self, count: int) -> bool:
        """Whether it got rid of so many."""
        return len(self.given) == count


def job(number: int) -> Job:
    """A frame by its number."""
    return Job(live_frame(number), (), 0.0, Memory())


def stack(count: int) -> Job:
    """So many windows as one frame."""
    frame = replace(live_frame(0), data=np.zeros((count, 1)), ends=np.arange(count, dtype=float))
    return Job(frame, (), 0.0, Memory())


def taken(inbox: Inbox, ready: threading.Condition) -> list[int | None]:
    """Everything that is there to take; None is the end of the recording."""
    found: list[int | None] = []
    with ready:
        while inbox.pending():
            item = inbox.take()
            found.append(item.frame.seq if item else None)
    return found


def test_newest_live_frame_wins(inbox: Inbox, ready: threading.Condition) -> None:
    """A live frame takes the place of the one that waits, and the producer learns of the loss."""
    assert [inbox.push(job(number)) for number in range(3)] == [False, True, True]
    assert taken(inbox, ready) == [2]
    assert inbox.push(job(3)) is False


def test_recorded_windows_come_in_bunches(ready: threading.Condition) -> None:
    """As many wait as there is room for; the next ones are let in once half of them are taken."""
    inbox = Inbox(ready, 4)
    producer = Producer(inbox, 7)
    wait_until(lambda: producer.has_given(4))
    with ready:
        assert [each.frame.seq for each in (inbox.take(), inbox.take()) if each] == [0, 1]
    wait_until(lambda: producer.has_given(6))
    assert taken(inbox, ready) == [2, 3, 4, 5]
    producer.thread.join(LIMIT)
    assert taken(inbox, ready) == [6]


def test_room_for_more(ready: threading.Condition) -> None:
    """Windows of a signal wait in order; where they are too many the oldest goes."""
    inbox = Inbox(ready, 3)
    assert [inbox.push(job(number)) for number in range(5)] == [False] * 3 + [True] * 2
    assert taken(inbox, ready) == [2, 3, 4]


def test_several_in_the_place_of_what_waits(inbox: Inbox, ready: threading.Condition) -> None:
    """They come in one go; once it is closed nothing comes in."""
    inbox.replace(job(0), job(1))
    inbox.replace(job(2), job(3), job(4))
    assert taken(inbox, ready) == [2, 3, 4]
    inbox.close()
    inbox.replace(job(5))
    inbox.push(job(6))
    assert taken(inbox, ready) == []


def test_recorded_frames_wait_and_none_is_lost(inbox: Inbox, ready: threading.Condition) -> None:
    """At most two frames of a recording wait, the rest is held back, and all come in order."""
    producer = Producer(inbox, 30)
    numbers: list[int] = []
    for done in range(30):
        wait_until(partial(producer.has_given, min(done + 2, 30)))
        with ready:
            item = inbox.take()
        assert item is not None
        numbers.append(item.frame.seq)
    producer.thread.join(LIMIT)
    assert numbers == producer.given == list(range(30))


def test_close_frees_a_blocked_producer(inbox: Inbox, ready: threading.Condition) -> None:
    """Whoever waits for room goes on, and from then on nothing recorded is kept."""
    producer = Producer(inbox, 5)
    wait_until(lambda: producer.has_given(2))
    inbox.close()
    producer.thread.join(LIMIT)
    assert producer.has_given(5)
    assert taken(inbox, ready) == []


def test_clear_frees_a_blocked_producer(inbox: Inbox, ready: threading.Condition) -> None:
    """What waits goes and is counted, and the producer's next frames come in."""
    producer = Producer(inbox, 4)
    wait_until(lambda: producer.has_given(2))
    assert inbox.clear() == 2
    producer.thread.join(LIMIT)
    assert taken(inbox, ready) == [2, 3]
    assert inbox.clear() == 0


def test_finish_comes_after_the_last_frame(inbox: Inbox, ready: threading.Condition) -> None:
    """The end of a recording is told once, behind the frames that still wait."""
    inbox.append(job(0))
    inbox.append(job(1))
    inbox.finish()
    assert taken(inbox, ready) == [0, 1, None]


def test_clear_keeps_the_end(inbox: Inbox, ready: threading.Condition) -> None:
    """A recording that ended while its model was down is over all the same."""
    inbox.append(job(0))
    inbox.finish()
    inbox.clear()
    assert taken(inbox, ready) == [None]


@pytest.mark.parametrize(
    "act",
    [
        lambda inbox: inbox.replace(job(0)),
        lambda inbox: inbox.append(job(0)),
        lambda inbox: inbox.finish(),
    ],
    ids=["replace", "append", "finish"],
)
def test_news_wake_the_worker(
    inbox: Inbox, ready: threading.Condition, act: Callable[[Inbox], Any]
) -> None:
    """A worker that waits on `ready` goes on when there is something to do."""
    waits = threading.Event()

    def wait() -> None:
        with ready:
            waits.set()
            ready.wait_for(inbox.pending, LIMIT)

    worker = threading.Thread(target=wait, daemon=True)
    worker.start()
    assert waits.wait(LIMIT)
    act(inbox)
    worker.join(LIMIT / 2)
    assert not worker.is_alive()


def test_stacked_windows_take_the_room_of_as_many(ready: threading.Condition) -> None:
    """A recording runs as far ahead as one by one, but two frames; all are counted."""
    inbox = Inbox(ready, 64)
    for _ in range(4):
        inbox.append(stack(16))
    waiting = threading.Thread(target=inbox.append, args=(stack(16),), daemon=True)
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    assert inbox.clear() == 4 * 16
    waiting.join(LIMIT)
    inbox.append(stack(5000))
    assert inbox.clear() == 5016
