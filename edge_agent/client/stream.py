"""Events of a broker as a Python iterator."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from types import TracebackType
from typing import Self

from edge_agent.client.bookmark import Bookmark
from edge_agent.client.decode import decode
from edge_agent.client.messages import ReceivedEvent, Unreadable
from edge_agent.client.sequence import Gap, SequenceTracker
from edge_agent.mqtt import reasons
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.options import MqttOptions
from edge_agent.mqtt.subscriber import Subscriber
from edge_agent.mqtt.topics import Topics, safe_name

_log = logging.getLogger("edge_agent.client")

_CONNECT_LIMIT = 5.0  # s
_MOST_WAITING = 1000  # an MQTT 5 broker sends fewer ahead, see Subscriber
_LOOK = 0.2  # s between looks at whether it was stopped, while that many wait


def log_trouble(trouble: Gap | Unreadable) -> None:
    """Log what is wrong in one line."""
    if isinstance(trouble, Gap):
        text = "%d events of %s are missing: %d to %d"
        _log.warning(text, trouble.missed, trouble.device, trouble.first, trouble.last)
    else:
        _log.warning("%s: %s", trouble.topic, trouble.reason)


class EventStream:
    """Iterates over the events of agents as they come: typed, in order, each once.

    `broker` is a host name, or options with port, login, TLS, MQTT version and topic prefix (a
    level of which may be `+`). `device` and `pipeline` choose one by name, `+` all. All pipelines
    of a device are received even then, for they share its numbers. `on_trouble` hears of gaps and
    of payloads that cannot be read, before the event that shows it; by default both are logged.

    An event is acknowledged when the next is asked for, or the `with` block ends without an error.
    With `session`, a client id of your own, the broker keeps for a week what comes while you are
    away. With `bookmark`, a file, a new process goes on where the last one was: without repeats,
    and with the gap told. Use both for events that must not be missed. An event whose handling a
    crash cut short comes again.

    A lost connection comes back by itself; `problem` says why it is not there. `repeats` counts
    what was thrown away, `missed` the numbers leapt over. Raises ValueError for bad options.
    """

    def __init__(
        self,
        broker: str | MqttOptions = "localhost",
        *,
        device: str = "+",
        pipeline: str = "+",
        session: str = "",
        bookmark: Path | str | None = None,
        on_trouble: Callable[[Gap | Unreadable], None] = log_trouble,
    ) -> None:
        self._options = MqttOptions(broker) if isinstance(broker, str) else broker
        self._pipeline = pipeline
        self._bookmark_path = bookmark
        self._on_trouble = on_trouble
        self._queue: SimpleQueue[Received | None] = SimpleQueue()
        self._room = threading.Semaphore(_MOST_WAITING)
        self._stopped = threading.Event()
        self._open: tuple[Received, ReceivedEvent] | None = None
        self._bookmark: Bookmark | None = None
        self._tracker = SequenceTracker()
        self.problem = ""
        self.repeats = 0
        self.missed = 0
        self._subscriber = Subscriber(
            self._options,
            [_filter(self._options.topic_prefix, device)],
            self._receive,
            self._connection_changed,
            session=session,
            by_hand=True,
        )

    def open(self) -> None:
        """Connect and subscribe; whatever is published from now on arrives.

        Raises ConnectionError where the broker cannot be reached within 5 s or refuses us,
        ValueError for bad TLS files, sqlite3.Error for a bookmark that cannot be used.
        """
        if self._bookmark_path is not None:
            self._bookmark = Bookmark(self._bookmark_path)
            self._tracker = SequenceTracker(self._bookmark)
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """End the iteration, from any thread; what was not handed out comes again."""
        self._stopped.set()
        self._queue.put(None)

    def close(self) -> None:
        """Disconnect and close the bookmark; safe without `open` and twice."""
        self.stop()
        self._subscriber.stop()
        if self._bookmark is not None:
            self._bookmark.close()

    def get(self, timeout: float | None = None) -> ReceivedEvent | None:
        """The next event, or None after `timeout` s without one, or once stopped."""
        self._settle()
        until = None if timeout is None else monotonic() + timeout
        while (received := self._next(until)) is not None:
            event = self._judge(received)
            if event is not None and self._pipeline in ("+", event.pipeline):
                self._open = (received, event)
                return event
            self._done(received, event)
        return None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ReceivedEvent:
        event = self.get()
        if event is None:
            raise StopIteration
        return event

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._settle()
        self.close()

    def _connect(self) -> None:
        try:
            self._subscriber.start()
        except OSError as error:
            text = reasons.unreachable(error, self._options, _CONNECT_LIMIT)
            raise ConnectionError(text) from error
        until = monotonic() + _CONNECT_LIMIT
        while not self._subscriber.subscribed.wait(_LOOK / 4):
            if self.problem or monotonic() > until:
                raise ConnectionError(self.problem or "the broker does not answer")

    def _connection_changed(self, problem: str) -> None:
        if problem and problem != self.problem:
            host, port = self._options.address
            _log.warning("no events from %s:%d: %s; trying again", host, port, problem)
        self.problem = problem

    def _receive(self, received: Received) -> None:
        while not self._room.acquire(timeout=_LOOK):
            if self._stopped.is_set():
                return
        self._queue.put(received)

    def _next(self, until: float | None) -> Received | None:
        if self._stopped.is_set():
            return None
        try:
            wait = None if until is None else max(0.0, until - monotonic())
            received = self._queue.get(timeout=wait)
        except Empty:
            return None
        self._room.release()
        return received

    def _judge(self, received: Received) -> ReceivedEvent | None:
        """The event if it is one and a fresh one."""
        event = decode(received.topic, received.payload, self._options.topic_prefix)
        if isinstance(event, Unreadable):
            self._on_trouble(event)
        if not isinstance(event, ReceivedEvent):
            return None
        verdict = self._tracker.feed(event)
        if verdict.gap is not None:
            self.missed += verdict.gap.missed
            self._on_trouble(verdict.gap)
        self.repeats += not verdict.fresh
        return event if verdict.fresh else None

    def _settle(self) -> None:
        """What was handed out is dealt with."""
        if self._open is not None:
            received, event = self._open
            self._open = None
            self._done(received, event)

    def _done(self, received: Received, event: ReceivedEvent | None) -> None:
        # The bookmark first: an event that comes again is harmless, a gap that is none is not.
        if event is not None:
            self._tracker.keep(event.device)
        self._subscriber.done(received)


def _filter(prefix: str, device: str) -> str:
    levels = prefix.split("/")
    Topics("/".join("any" if level == "+" else level for level in levels), "any")  # checks it
    return f"{prefix}/{device if device == '+' else safe_name(device)}/+/events"
