"""Waiting messages of one kind, in memory; what is on disk as well stands in `disk_queue`."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge_agent.message import Message

OVERHEAD = 200
"""Bytes of Python objects, or of a row, around each message, roughly."""


@dataclass(slots=True)
class Item:
    """A message in a queue.

    `put_time` is epoch s, `put_ns` the monotonic clock then; `seq` is the newest number that was
    given out by then; `late` is set once the message came back undelivered.
    """

    id: int
    message: Message
    put_time: float
    put_ns: int
    seq: int = 0
    late: bool = False

    @property
    def size(self) -> int:
        """Bytes that the message takes up."""
        return len(self.message.topic) + len(self.message.payload) + OVERHEAD


def _order(item: Item) -> int:
    return item.id


class Queue:
    """Waiting messages of one kind, oldest first; its limit does not count what is taken."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: deque[Item] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def fits(self, item: Item) -> bool:
        """Whether it has room at all."""
        return item.size <= self._limit

    def push(self, item: Item) -> None:
        """Put in a new message."""
        self._items.append(item)
        self._bytes += item.size

    def push_back(self, item: Item) -> None:
        """Put in again what was popped, in its place."""
        insort(self._items, item, key=_order)
        self._bytes += item.size

    def pop(self) -> Item | None:
        """Take out the oldest that is at hand."""
        if not self._items:
            return None
        item = self._items.popleft()
        self._bytes -= item.size
        return item

    def forget(self, item: Item) -> None:
        """What was popped never comes back."""

    def overflow(self) -> Iterator[Item]:
        """Take out the oldest until the rest fits."""
        while self._bytes > self._limit and (item := self.pop()):
            self.forget(item)
            yield item

    def older_than(self, put_ns: int) -> Iterator[Item]:
        """Take out what was put before a moment."""
        while self._items and self._items[0].put_ns < put_ns and (item := self.pop()):
            self.forget(item)
            yield item

    def commit(self) -> Sequence[Item]:
        """Make durable what was pushed; returns what cannot be kept."""
        return ()

    def refill(self) -> bool:
        """Bring waiting messages at hand for `pop`; False where there are no more."""
        return False


class NewestOfEach(Queue):
    """Waiting states: the newest of each topic, in the place of the one it replaces."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._topics: dict[str, Item] = {}

    def __len__(self) -> int:
        return len(self._topics)

    def push(self, item: Item) -> None:
        """Put in a new message."""
        replaced = self._topics.get(item.message.topic)
        self._topics[item.message.topic] = item
        self._bytes += item.size - (replaced.size if replaced else 0)

    def push_back(self, item: Item) -> None:
        """Put in again what was popped, unless there is a newer one by now."""
        if item.message.topic not in self._topics:
            self.push(item)

    def pop(self) -> Item | None:
        """Take out the oldest."""
        if not self._topics:
            return None
        item = self._topics.pop(next(iter(self._topics)))
        self._bytes -= item.size
        return item
