"""A clock, messages and a disk for the tests of outboxes."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent.message import Delivery, Message
from edge_agent.outbox.base import Entry, Outbox
from edge_agent.outbox.options import OutboxOptions
from edge_agent.outbox.sqlite import SqliteOutbox


@dataclass
class HandClock:
    """A clock that only the test moves."""

    now: float = 1_780_000_000.0

    def wall(self) -> float:
        """Epoch seconds."""
        return self.now

    def monotonic_ns(self) -> int:
        """Nanoseconds since the start."""
        return int((self.now - 1_780_000_000.0) * 1e9)


def event(number: int, size: int = 10) -> Message:
    """An event with its number as payload."""
    return Message("P/p/events", b"%0*d" % (size, number), Delivery.EVENT, qos=1)


def numbers(entries: Any) -> list[int]:
    """The numbers in the payloads."""
    return [int(entry.message.payload) for entry in entries]


def put_events(outbox: Outbox, count: int, size: int = 10) -> None:
    """Queue events of `size` bytes, numbered by their seq."""
    for _ in range(count):
        outbox.put_event(lambda seq: event(seq, size))


class Disk:
    """A folder with the outbox "dev"; `crash` leaves it as kill -9 would at this moment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = HandClock()
        self._open: list[SqliteOutbox] = []
        self._copies = 0

    @property
    def file(self) -> Path:
        """The database."""
        return self.folder / "dev"

    def open(self, **options: Any) -> SqliteOutbox:
        """Open it as an agent would."""
        self._open.append(SqliteOutbox(self.file, OutboxOptions(**options), self.clock))
        return self._open[-1]

    def crash(self) -> None:
        """Go on with a copy of the files as they are; the old process still has its own."""
        self._copies += 1
        copy = self.folder.with_name(f"{self.folder.name}-{self._copies}")
        shutil.copytree(self.folder, copy)
        self.folder = copy

    def rows(self) -> int:
        """Events in the database, seen from outside."""
        with closing(sqlite3.connect(self.file)) as connection:
            found = connection.execute("SELECT count(*) FROM events WHERE payload IS NOT NULL")
            return int(found.fetchone()[0])

    def set_aside(self) -> list[Path]:
        """Damaged databases."""
        return [
            f for f in self.folder.glob("dev.corrupt-*") if f.suffix[-4:] not in ("-wal", "-shm")
        ]

    def close(self) -> None:
        """Close all that was opened."""
        for outbox in self._open:
            outbox.close()


def take_all(outbox: SqliteOutbox) -> list[Entry]:
    """Everything, in the order in which it comes."""
    found: list[Entry] = []
    while entries := outbox.take(100):
        found += entries
    return found


def settle(outbox: SqliteOutbox, limit: int = 10_000) -> list[int]:
    """Take and acknowledge; the numbers."""
    entries = outbox.take(limit)
    outbox.ack([entry.id for entry in entries])
    return numbers(entries)
