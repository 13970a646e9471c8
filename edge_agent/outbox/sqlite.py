"""The outbox on disk: events survive the agent, and with `durability: full` a power cut."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from edge_agent.clock import Clock, SystemClock, boot_id
from edge_agent.message import Delivery
from edge_agent.outbox.core import QueuedOutbox, share
from edge_agent.outbox.disk_queue import DiskQueue
from edge_agent.outbox.keeper import Keeper
from edge_agent.outbox.options import OutboxOptions
from edge_agent.outbox.store import Store


class SqliteOutbox(QueuedOutbox):
    """An `Outbox` whose events and `seq` are in an SQLite file, opened when this is built.

    States and telemetry stay in memory (docs/decisions/012). A put returns when its event is
    written; it waits for no checkpoint, and for no reader but one that reads a handful of rows.
    Raises StateInUse where another process has the file, StateError where it cannot be used.
    """

    def __init__(
        self, path: Path, options: OutboxOptions | None = None, clock: Clock | None = None
    ) -> None:
        options = options or OutboxOptions()
        clock = clock or SystemClock()
        store = Store(path, options.durability == "full", boot_id())
        lock = Lock()
        self._keeper = Keeper(self._tidy)
        self._disk_queue = DiskQueue(
            share(options, Delivery.EVENT), lock, store, clock, self._keeper.poke
        )
        super().__init__(
            options,
            self._disk_queue,
            lock,
            clock,
            first_seq=store.next_seq,
            first_id=store.at_start.last_id + 1,
        )
        self._keeper.start()

    def close(self) -> None:
        """Write what is left, let go of the file, report the drops that no warning has told."""
        self._keeper.stop()
        with self._lock:
            self._closed = True
        lost = self._disk_queue.close()
        with self._lock:
            for item in lost:
                self._drop(item.message, "disk")
        super().close()

    def _tidy(self) -> bool:
        was_behind = self._disk_queue.is_behind
        lost = self._disk_queue.tidy()
        with self._lock:
            for item in lost:
                self._drop(item.message, "disk")
        if was_behind:
            self._tell()
        return self._disk_queue.is_behind
