"""The SQLite file of the outbox: transactions, and nothing that knows about queues.

WAL: readers do not wait for writers, and a commit is one append to a file. With synchronous NORMAL
a commit is in the kernel's hands when it returns, which kill -9 does not touch; with FULL it is on
the disk. Checkpoints, which sync two files, are left to whoever has time for them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from edge_agent.outbox.queues import OVERHEAD, Item
from edge_agent.outbox.rows import COLUMNS, from_row, to_row

_VERSION = 1
_PAGE = 4096
_BUSY = 0.1  # s to wait for a foreign process that has locked the file
# SQLITE_ERROR is what a missing table or column gives: our own statements are sound.
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
_CHECKPOINT = 4 * 2**20  # bytes of WAL after which it is moved into the database
_TABLE = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, put_time REAL NOT NULL, put_ns INTEGER NOT NULL,
    topic TEXT, head TEXT, payload BLOB
)
"""
_INSERT = f"INSERT OR REPLACE INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_SELECT = f"SELECT {COLUMNS} FROM events"  # noqa: S608
_DELETE = "DELETE FROM events WHERE id BETWEEN ? AND ?"
_EMPTY = "UPDATE events SET topic = NULL, head = NULL, payload = NULL WHERE id = ?"


class Damaged(Exception):
    """The file is no database, or not one of ours, or its inside is broken."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds: the newest id and seq, and how many events of how many bytes."""

    last_id: int
    last_seq: int
    count: int
    size: int


class Database:
    """One open file; all methods but `checkpoint` belong to one thread at a time.

    Methods raise Damaged where the file is broken, else sqlite3.Error.
    """

    def __init__(self, path: Path, full: bool) -> None:
        self._path = path
        self._full = full
        self._stub: int | None = None
        self._grown = 0
        self._connection = _connect(path)
        try:
            with _damage_told():
                self._prepare()
                self._last_id = self.contents().last_id
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        connection = self._connection
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._full else 'NORMAL'}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(f"PRAGMA journal_size_limit = {_CHECKPOINT}")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise Damaged(f"it is of version {version}, not {_VERSION}")
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise Damaged(" ".join(str(verdict).split()))
        if version == 0:
            with self._transaction():
                connection.execute(_TABLE)
                connection.execute(f"PRAGMA user_version = {_VERSION}")
        row = connection.execute("SELECT id FROM events WHERE payload IS NULL").fetchone()
        self._stub = row[0] if row else None

    def contents(self) -> Contents:
        """What is in it."""
        with _damage_told():
            last_id, last_seq = self._connection.execute(
                "SELECT ifnull(max(id), 0), ifnull(max(seq), 0) FROM events"
            ).fetchone()
            count, size = self._connection.execute(
                "SELECT count(*), ifnull(sum(length(topic) + length(payload)), 0) FROM events"
                " WHERE payload IS NOT NULL"
            ).fetchone()
        return Contents(last_id, last_seq, count, size + count * OVERHEAD)

    def write(self, items: Sequence[Item], gone: Collection[int]) -> None:
        """Add events and delete others, in one transaction.

        The newest row is never deleted, only emptied: it carries the seq.
        """
        newest = items[-1].id if items else self._last_id
        deleted = {id_ for id_ in gone if id_ != newest}
        if self._stub is not None and self._stub != newest:
            deleted.add(self._stub)
        with _damage_told(), self._transaction():
            if items:
                self._connection.executemany(_INSERT, map(to_row, items))
            if deleted:
                self._connection.executemany(_DELETE, _runs(deleted))
            if newest in gone:
                self._connection.execute(_EMPTY, (newest,))
        self._last_id = newest
        self._stub = newest if newest in gone or newest == self._stub else None
        self._grown += 2 * _PAGE + sum(item.size for item in items)

    def read(self, after: int, limit: int) -> list[Item]:
        """The next events, in order."""
        with _damage_told():
            rows = self._connection.execute(
                f"{_SELECT} WHERE id > ? AND payload IS NOT NULL ORDER BY id LIMIT ?",
                (after, limit),
            )
            return [from_row(row) for row in rows]

    def count_after(self, id_: int) -> int:
        """How many events come after an id."""
        with _damage_told():
            (count,) = self._connection.execute(
                "SELECT count(*) FROM events WHERE id > ? AND payload IS NOT NULL", (id_,)
            ).fetchone()
        return int(count)

    @property
    def wants_checkpoint(self) -> bool:
        """Whether the WAL has grown so far that it should be moved into the database."""
        return self._grown > _CHECKPOINT

    def checkpoint(self) -> bool:
        """Move the WAL into the database; for any thread, nobody waits for it.

        False where new commits came in between so fast that it has grown fourfold: then call it
        again while nobody writes.
        """
        with _damage_told(), closing(_connect(self._path)) as connection:
            _, frames, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self._grown = max(0, frames - moved) * _PAGE
        return self._grown <= 4 * _CHECKPOINT

    def close(self) -> None:
        """Sync and close; the WAL is gone afterwards. Safe twice."""
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with suppress(sqlite3.Error):
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a failed COMMIT may have rolled back already
                self._connection.execute("ROLLBACK")
            raise


def salvage(path: Path) -> list[Item]:
    """All events that can still be read from a broken file, in order."""
    found: dict[int, Item] = {}
    for order in ("ASC", "DESC"):
        with suppress(sqlite3.Error, OSError), closing(_connect(path)) as connection:
            rows = connection.execute(f"{_SELECT} ORDER BY id {order}")
            for row in rows:
                with suppress(ValueError):
                    item = from_row(row)
                    found[item.id] = item
    return [found[id_] for id_ in sorted(found)]


def _runs(ids: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First and last of the numbers that follow each other."""
    first = last = None
    for id_ in sorted(ids):
        if last is None or first is None:
            first = id_
        elif id_ != last + 1:
            yield first, last
            first = id_
        last = id_
    if first is not None and last is not None:
        yield first, last


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        # Python itself complains, without a code, of a text that is not UTF-8.
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _DAMAGE:
            raise Damaged(str(error)) from error
        raise
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
            raise Damaged(str(error)) from error
        raise
    except ValueError as error:
        raise Damaged(str(error)) from error
