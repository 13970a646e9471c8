"""What the outboxes have in common: kinds in turn, bounds, what is taken, what was lost."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import Lock

from edge_agent.clock import Clock, SystemClock
from edge_agent.message import Delivery, Message
from edge_agent.outbox.base import Entry
from edge_agent.outbox.options import OutboxOptions
from edge_agent.outbox.queues import Item, NewestOfEach, Queue

_log = logging.getLogger(__name__)

_SHARES = {Delivery.EVENT: 6 / 8, Delivery.STATE: 1 / 8, Delivery.TELEMETRY: 1 / 8}
_WARN_EVERY_NS = 60 * 10**9


def share(options: OutboxOptions, kind: Delivery) -> int:
    """Bytes that messages of a kind may take up."""
    return int(options.max_bytes * _SHARES[kind])


class QueuedOutbox:
    """An `Outbox` whose events wait in the given queue; states and telemetry wait in memory.

    `_lock` is held for work in memory only; `commit` and `refill` of the queue, which may wait
    for a disk, are called without it.
    """

    def __init__(
        self,
        options: OutboxOptions,
        events: Queue,
        lock: Lock,
        clock: Clock | None = None,
        first_seq: int = 1,
        first_id: int = 1,
    ) -> None:
        self._max_age_ns = int(options.max_age * 1e9)
        self._clock = clock or SystemClock()
        self._lock = lock
        self._listener: Callable[[], None] | None = None
        self._online = False
        self._closed = False
        self._next_seq = first_seq
        self._next_id = first_id
        self._late_below = first_id
        self._events = events
        self._queues = {
            Delivery.EVENT: events,
            Delivery.STATE: NewestOfEach(share(options, Delivery.STATE)),
            Delivery.TELEMETRY: Queue(share(options, Delivery.TELEMETRY)),
        }
        self._turns = deque(self._queues.values())
        self._taken: dict[int, Item] = {}
        self._drops: Counter[str] = Counter()
        self._unsaid: Counter[str] = Counter()
        self._warned_ns: int | None = None

    def put(self, message: Message) -> None:
        """Queue a message; never blocks on the broker and never raises for being full."""
        with self._lock:
            self._store(message, self._next_seq - 1)
        if message.delivery is Delivery.EVENT:
            self._commit()
        self._tell()

    def put_event(self, make: Callable[[int], Message]) -> int:
        """Queue the message made with the next `seq` and return that seq."""
        return self.put_events((make,))[0]

    def put_events(self, makes: Sequence[Callable[[int], Message]]) -> list[int]:
        """Queue the messages made with the next numbers and return those, all or none."""
        with self._lock:
            numbers = list(range(self._next_seq, self._next_seq + len(makes)))
            messages = [make(seq) for seq, make in zip(numbers, makes, strict=True)]
            self._next_seq += len(makes)
            for seq, message in zip(numbers, messages, strict=True):
                self._store(message, seq)
        self._commit()
        self._tell()
        return numbers

    def take(self, limit: int) -> list[Entry]:
        """At most `limit` messages to send now, kinds in turn, each kind in its own order."""
        entries: list[Entry] = []
        self._events.refill()
        while True:
            with self._lock:
                self._expire()
                for item in self._next(limit - len(entries)):
                    self._taken[item.id] = item
                    entries.append(self._entry(item))
            if len(entries) >= limit or not self._events.refill():
                return entries

    def ack(self, ids: Iterable[int]) -> None:
        """The broker has these: forget them."""
        with self._lock:
            for item in self._untake(ids):
                # Hashing an Enum takes longer than all the rest.
                is_event = item.message.delivery is Delivery.EVENT
                queue = self._events if is_event else self._queues[item.message.delivery]
                queue.forget(item)

    def reject(self, ids: Iterable[int], reason: str) -> None:
        """The broker will never accept these: forget them and count them under `reason`."""
        with self._lock:
            for item in self._untake(ids):
                self._queues[item.message.delivery].forget(item)
                self._drop(item.message, reason)
        self._warn()

    def release(self, ids: Iterable[int]) -> None:
        """These were not delivered: put them back at the front, in their order."""
        with self._lock:
            for item in self._untake(ids):
                if item.message.delivery is Delivery.TELEMETRY and not self._online:
                    self._drop(item.message, "offline")
                else:
                    item.late = True
                    self._queues[item.message.delivery].push_back(item)
            for queue in self._turns:
                self._trim(queue)
        self._tell()

    def set_online(self, online: bool) -> None:
        """Tell whether the broker is there; telemetry is dropped while it is not."""
        with self._lock:
            self._online = online
            self._late_below = self._next_id
            while not online and (item := self._queues[Delivery.TELEMETRY].pop()):
                self._drop(item.message, "offline")

    def set_listener(self, listener: Callable[[], None] | None) -> None:
        """Call `listener` after each put or release; it must be quick and must not raise."""
        self._listener = listener

    @property
    def depth(self) -> int:
        """Messages that are not settled yet, waiting or taken."""
        with self._lock:
            return len(self._taken) + sum(len(queue) for queue in self._turns)

    @property
    def drops(self) -> Mapping[str, int]:
        """Messages lost so far by kind and reason: `event_full`, `event_age`, ..."""
        with self._lock:
            return dict(self._drops)

    def close(self) -> None:
        """Stop taking messages in, and report the drops that no warning has told yet."""
        with self._lock:
            self._closed = True
            self._warned_ns = None
        self._listener = None
        self._warn()

    def _store(self, message: Message, seq: int) -> None:
        if self._closed:
            self._drop(message, "closed")
            return
        if message.delivery is Delivery.TELEMETRY and not self._online:
            self._drop(message, "offline")
            return
        item = Item(self._next_id, message, self._clock.wall(), self._clock.monotonic_ns(), seq)
        self._next_id += 1
        queue = self._queues[message.delivery]
        self._expire()
        if queue.fits(item):
            queue.push(item)
            self._trim(queue)
        else:
            self._drop(message, "full")

    def _commit(self) -> None:
        """Let the events reach the disk, where there is one, and make the room they need."""
        trimmed = 1
        while trimmed:
            lost = self._events.commit()
            with self._lock:
                for item in lost:
                    self._drop(item.message, "disk")
                trimmed = self._trim(self._events)

    def _entry(self, item: Item) -> Entry:
        is_event = item.message.delivery is Delivery.EVENT
        late = item.late or item.id < self._late_below or not self._online
        return Entry(item.id, item.message, item.put_time, is_event and late)

    def _next(self, limit: int) -> Iterator[Item]:
        """Pop from each kind in turn, as long as there is something."""
        turns = deque(self._turns)
        served: Queue | None = None
        while limit > 0 and turns:
            queue = turns[0]
            item = queue.pop()
            if item is None:
                turns.popleft()
            else:
                turns.rotate(-1)
                served = queue
                limit -= 1
                yield item
        while served is not None and self._turns[-1] is not served:
            self._turns.rotate(-1)

    def _untake(self, ids: Iterable[int]) -> Iterator[Item]:
        return (item for id_ in ids if (item := self._taken.pop(id_, None)))

    def _trim(self, queue: Queue) -> int:
        count = 0
        for item in queue.overflow():
            self._drop(item.message, "full")
            count += 1
        return count

    def _expire(self) -> None:
        oldest = self._clock.monotonic_ns() - self._max_age_ns
        for item in self._events.older_than(oldest):
            self._drop(item.message, "age")

    def _drop(self, message: Message, reason: str) -> None:
        key = f"{message.delivery.value}_{reason}"
        self._drops[key] += 1
        # Telemetry without a broker is dropped by design: counted, but no reason to warn.
        if message.delivery is not Delivery.TELEMETRY:
            self._unsaid[key] += 1

    def _tell(self) -> None:
        listener = self._listener
        if listener:
            listener()
        self._warn()

    def _warn(self) -> None:
        """Say what was lost, at most once a minute."""
        if not self._unsaid:
            return
        with self._lock:
            now = self._clock.monotonic_ns()
            if self._warned_ns is not None and now - self._warned_ns < _WARN_EVERY_NS:
                return
            lost = ", ".join(f"{count} {key}" for key, count in sorted(self._unsaid.items()))
            self._unsaid.clear()
            self._warned_ns = now
        _log.warning("the outbox lost messages: %s", lost)
