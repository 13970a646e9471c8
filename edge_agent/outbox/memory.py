"""The outbox in memory: bounded, counted, lost when the agent ends."""

from __future__ import annotations

import logging
from bisect import insort
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock

from edge_agent.clock import Clock, SystemClock
from edge_agent.message import Delivery, Message
from edge_agent.outbox.base import Entry
from edge_agent.outbox.options import OutboxOptions

_log = logging.getLogger(__name__)

_SHARES = {Delivery.EVENT: 6 / 8, Delivery.STATE: 1 / 8, Delivery.TELEMETRY: 1 / 8}
_OVERHEAD = 200  # bytes of Python objects around each message, roughly
_WARN_EVERY_NS = 60 * 10**9


@dataclass(frozen=True, slots=True)
class _Item:
    entry: Entry
    size: int
    put_ns: int

    @property
    def message(self) -> Message:
        return self.entry.message


def _order(item: _Item) -> int:
    return item.entry.id


class _Queue:
    """Waiting messages of one kind, oldest first; its limit does not count what is taken."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: deque[_Item] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def fits(self, item: _Item) -> bool:
        return item.size <= self._limit

    def push(self, item: _Item) -> None:
        self._items.append(item)
        self._bytes += item.size

    def push_back(self, item: _Item) -> None:
        insort(self._items, item, key=_order)
        self._bytes += item.size

    def pop(self) -> _Item | None:
        if not self._items:
            return None
        item = self._items.popleft()
        self._bytes -= item.size
        return item

    def overflow(self) -> Iterator[_Item]:
        """Take out the oldest until the rest fits."""
        while self._bytes > self._limit and (item := self.pop()):
            yield item

    def older_than(self, put_ns: int) -> Iterator[_Item]:
        """Take out what was put before a moment."""
        while self._items and self._items[0].put_ns < put_ns and (item := self.pop()):
            yield item


class _Newest(_Queue):
    """Waiting states: the newest of each topic, in the place of the one it replaces."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._topics: dict[str, _Item] = {}

    def __len__(self) -> int:
        return len(self._topics)

    def push(self, item: _Item) -> None:
        replaced = self._topics.get(item.message.topic)
        self._topics[item.message.topic] = item
        self._bytes += item.size - (replaced.size if replaced else 0)

    def push_back(self, item: _Item) -> None:
        if item.message.topic not in self._topics:
            self.push(item)

    def pop(self) -> _Item | None:
        if not self._topics:
            return None
        item = self._topics.pop(next(iter(self._topics)))
        self._bytes -= item.size
        return item


class MemoryOutbox:
    """An `Outbox` without a disk; `seq` starts anew with each process, at `first_seq`."""

    def __init__(
        self,
        options: OutboxOptions | None = None,
        first_seq: int = 1,
        clock: Clock | None = None,
    ) -> None:
        options = options or OutboxOptions()
        self._max_age_ns = int(options.max_age * 1e9)
        self._clock = clock or SystemClock()
        self._lock = Lock()
        self._listener: Callable[[], None] | None = None
        self._online = False
        self._closed = False
        self._next_seq = first_seq
        self._next_id = 1
        self._queues = {
            kind: (_Newest if kind is Delivery.STATE else _Queue)(int(options.max_bytes * share))
            for kind, share in _SHARES.items()
        }
        self._turns = deque(self._queues.values())
        self._taken: dict[int, _Item] = {}
        self._drops: Counter[str] = Counter()
        self._unsaid: Counter[str] = Counter()
        self._warned_ns: int | None = None

    def put(self, message: Message) -> None:
        """Queue a message; never blocks on the broker and never raises for being full."""
        with self._lock:
            self._store(message)
        self._tell()

    def put_event(self, make: Callable[[int], Message]) -> int:
        """Queue the message made with the next `seq` and return that seq."""
        with self._lock:
            seq = self._next_seq
            message = make(seq)
            self._next_seq += 1
            self._store(message)
        self._tell()
        return seq

    def take(self, limit: int) -> list[Entry]:
        """At most `limit` messages to send now, kinds in turn, each kind in its own order."""
        entries: list[Entry] = []
        with self._lock:
            self._expire()
            while len(entries) < limit and (item := self._next()):
                self._taken[item.entry.id] = item
                entries.append(item.entry)
        return entries

    def ack(self, ids: Iterable[int]) -> None:
        """The broker has these: forget them."""
        with self._lock:
            for _ in self._untake(ids):
                pass

    def reject(self, ids: Iterable[int], reason: str) -> None:
        """The broker will never accept these: forget them and count them under `reason`."""
        with self._lock:
            for item in self._untake(ids):
                self._drop(item.message, reason)
        self._warn()

    def release(self, ids: Iterable[int]) -> None:
        """These were not delivered: put them back at the front, in their order."""
        with self._lock:
            for item in self._untake(ids):
                if item.message.delivery is Delivery.TELEMETRY and not self._online:
                    self._drop(item.message, "offline")
                else:
                    self._queues[item.message.delivery].push_back(item)
            for queue in self._turns:
                self._trim(queue)
        self._tell()

    def set_online(self, online: bool) -> None:
        """Tell whether the broker is there; telemetry is dropped while it is not."""
        with self._lock:
            self._online = online
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

    def _store(self, message: Message) -> None:
        if self._closed:
            self._drop(message, "closed")
            return
        if message.delivery is Delivery.TELEMETRY and not self._online:
            self._drop(message, "offline")
            return
        item = self._item(message)
        queue = self._queues[message.delivery]
        self._expire()
        if queue.fits(item):
            queue.push(item)
            self._trim(queue)
        else:
            self._drop(message, "full")

    def _item(self, message: Message) -> _Item:
        entry = Entry(self._next_id, message, self._clock.wall())
        self._next_id += 1
        size = len(message.topic) + len(message.payload) + _OVERHEAD
        return _Item(entry, size, self._clock.monotonic_ns())

    def _next(self) -> _Item | None:
        for _ in range(len(self._turns)):
            item = self._turns[0].pop()
            self._turns.rotate(-1)
            if item:
                return item
        return None

    def _untake(self, ids: Iterable[int]) -> Iterator[_Item]:
        return (item for id_ in ids if (item := self._taken.pop(id_, None)))

    def _trim(self, queue: _Queue) -> None:
        for item in queue.overflow():
            self._drop(item.message, "full")

    def _expire(self) -> None:
        oldest = self._clock.monotonic_ns() - self._max_age_ns
        for item in self._queues[Delivery.EVENT].older_than(oldest):
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
