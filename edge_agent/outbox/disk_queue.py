"""Events that wait on disk, the next few of them at hand in memory.

An event goes through `_unwritten` (in memory only, nobody can take it yet) onto the disk, and from
there to `_items`, from which it is taken. While the oldest are at hand and there are too many, the
newest are only on disk: the tail. What was settled goes to `_gone` and is deleted together with
the next write.

Two locks: `lock` (the outbox's) for what is in memory, `_disk` for the files. `_disk` is taken
first and never inside `lock`, so that only those wait for the disk who need it. Whoever comes
while another one writes finds his event written, or writes all that came meanwhile.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from threading import Lock

from edge_agent.clock import Clock
from edge_agent.outbox.database import Damaged
from edge_agent.outbox.queues import Item, Queue
from edge_agent.outbox.store import Store

_log = logging.getLogger(__name__)

_WINDOW = 256  # events at hand
_LOW = 32  # ... after fewer than these more are read
_HELD = 2**20  # bytes kept in memory while the disk takes nothing
_DELETED = 500  # events in one transaction, so that nobody waits long for it
_CAREFUL = 32  # events in one transaction after a failure: there may be room for a few
_RETRY = 1.0  # s after a failure in which puts do not try the disk again
_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
_UNSET = 1_577_836_800  # 2020: an earlier time was told by a clock that was not set


class DiskQueue(Queue):
    """A queue of events in a store; `on_work` is called when `tidy` has something to do."""

    def __init__(
        self, limit: int, lock: Lock, store: Store, clock: Clock, on_work: Callable[[], None]
    ) -> None:
        super().__init__(limit)
        self._lock = lock
        self._disk = Lock()
        self._store = store
        self._clock = clock
        self._on_work = on_work
        at_start = store.at_start
        self._bytes = at_start.size
        self._tail = at_start.count
        self._read_to = 0
        self._old = at_start.last_id  # ids up to this one are of an earlier process
        self._unwritten: deque[Item] = deque()
        self._gone: dict[int, None] = {}  # an ordered set
        self._out = 0  # popped, and neither forgotten nor pushed back
        self._failed = ""
        self._retry_at = 0.0
        self._closed = False

    def __len__(self) -> int:
        return len(self._items) + self._tail + len(self._unwritten)

    def push(self, item: Item) -> None:
        """Put in a new message, which nobody can take before `commit`."""
        self._unwritten.append(item)
        self._bytes += item.size

    def pop(self) -> Item | None:
        """Take out the oldest that is at hand."""
        item = super().pop()
        self._out += item is not None
        return item

    def push_back(self, item: Item) -> None:
        """Put in again what was popped, in its place."""
        super().push_back(item)
        self._out -= 1

    def forget(self, item: Item) -> None:
        """What was popped never comes back: delete it with the next write, or a second later."""
        self._gone[item.id] = None
        self._out -= 1
        self._on_work()

    def commit(self) -> Sequence[Item]:
        """Write what was pushed; returns what cannot be kept."""
        lost: Sequence[Item] = ()
        if self._unwritten:
            with self._disk:
                if time.monotonic() < self._retry_at:
                    return self._shed()
                lost = self._write() if self._unwritten else ()
        self.refill()  # so that there is something at hand to make room with
        return lost

    @property
    def is_behind(self) -> bool:
        """Whether events are waiting for a disk that failed."""
        return bool(self._failed and (self._unwritten or self._gone))

    def tidy(self) -> Sequence[Item]:
        """Write and delete what is left, reserve numbers, check-point; returns as `commit`."""
        lost: list[Item] = []
        is_first = True
        while is_first or (self._gone and not self._failed):
            is_first = False
            with self._disk:
                if self._closed:
                    return lost
                if self._unwritten or self._gone:
                    lost += self._write()
                self._store.reserve_ahead()
        self._checkpoint()
        return lost

    def refill(self) -> bool:
        """Read the next events; False where there are no more, or enough at hand."""
        if not self._tail or len(self._items) > _LOW:
            return False
        with self._disk:
            if self._closed or not self._tail or len(self._items) > _LOW:
                return False
            try:
                found = self._aged(self._read())
            except (sqlite3.Error, Damaged, OSError) as error:
                self._trouble(error)
                return False
            with self._lock:
                self._items.extend(found)
                self._read_to = found[-1].id if found else self._read_to
                self._tail = self._tail - len(found) if found else 0
        return bool(found)

    def close(self) -> Sequence[Item]:
        """Write what is left and let go of the files; returns what cannot be kept."""
        with self._disk:
            if self._closed:
                return ()
            self._write()
            while self._gone and not self._failed:
                self._write()
            self._closed = True
            with self._lock:
                lost = list(self._unwritten)
                self._unwritten.clear()
            self._store.close(lost[-1].seq if lost else 0)
        return lost

    def _checkpoint(self) -> None:
        try:
            if not self._store.checkpoint():
                with self._disk:
                    self._store.checkpoint()
        except (sqlite3.Error, Damaged) as error:
            # Nothing is lost; the next read or write finds out whether it is serious.
            _log.debug("no checkpoint of the outbox: %s", error)

    def _read(self) -> Sequence[Item]:
        try:
            return self._store.read(self._read_to, _WINDOW)
        except Damaged as error:
            self._start_over(error)
            return self._store.read(self._read_to, _WINDOW)

    def _write(self) -> Sequence[Item]:
        """One transaction with all that came so far, small ones after a failure."""
        while True:
            with self._lock:
                batch = list(islice(self._unwritten, _CAREFUL if self._failed else None))
                gone = set(islice(self._gone, _DELETED))
            try:
                self._write_somehow(batch, gone)
            except (sqlite3.Error, Damaged, OSError) as error:
                self._trouble(error)
                return self._shed()
            with self._lock:
                for id_ in gone:
                    del self._gone[id_]
                for item in batch:
                    self._unwritten.popleft()
                    self._admit(item)
            if not self._failed or not self._unwritten:
                break
        self._recovered()
        if self._store.has_chores:
            self._on_work()
        return ()

    def _write_somehow(self, batch: Sequence[Item], gone: set[int]) -> None:
        try:
            self._store.write(batch, gone)
        except Damaged as error:
            self._start_over(error)
            self._store.write(batch, gone)
        except sqlite3.OperationalError as error:
            # Even to delete needs room. Where all of the file is settled, its own is free to use.
            with self._lock:
                is_settled = not (self._items or self._tail or self._out)
            if not is_settled or error.sqlite_errorcode & 0xFF not in _NO_ROOM:
                raise
            self._store.begin_anew()
            self._store.write(batch, ())

    def _admit(self, item: Item) -> None:
        """What is on disk now is at hand too, as long as that keeps the order and the bound."""
        if self._tail or len(self._items) >= _WINDOW:
            self._tail += 1
        else:
            self._items.append(item)
            self._read_to = item.id

    def _shed(self) -> Sequence[Item]:
        """Hold no more in memory than is good while the disk takes nothing; the oldest go."""
        lost = []
        with self._lock:
            held = sum(item.size for item in self._unwritten)
            while held > _HELD:
                item = self._unwritten.popleft()
                held -= item.size
                self._bytes -= item.size
                lost.append(item)
        return lost

    def _aged(self, items: Sequence[Item]) -> Sequence[Item]:
        """Give events of an earlier process their place on our monotonic clock."""
        now, now_ns = self._clock.wall(), self._clock.monotonic_ns()
        for item in items:
            if item.id > self._old:
                break
            age = now - item.put_time if item.put_time > _UNSET else 0.0
            item.put_ns = now_ns - int(max(0.0, age) * 1e9)
        return items

    def _start_over(self, error: Damaged) -> None:
        tail = self._tail
        saved = self._store.start_over(error, self._read_to)
        with self._lock:
            self._tail = saved
        if saved < tail:
            _log.error("%d events were lost with it", tail - saved)

    def _trouble(self, error: Exception) -> None:
        """Tell of a disk that fails, once, and do not let every put wait for it."""
        self._retry_at = time.monotonic() + _RETRY
        if not self._failed:
            self._failed = str(error)
            _log.error(
                "the outbox cannot use its disk: %s; events wait in memory, the oldest are dropped "
                "and counted as event_disk when those are too many", error,
            )  # fmt: skip
        self._on_work()

    def _recovered(self) -> None:
        self._retry_at = 0.0
        if self._failed:
            self._failed = ""
            _log.warning("the outbox can use its disk again")
