"""The outbox's files: the database, who may open it, and what becomes of a damaged one.

`NAME` is the database (with `NAME-wal` and `NAME-shm` beside it), `NAME.lock` is locked by its one
user, `NAME.seq` bounds the numbers given out, `NAME.corrupt-TIME` is a damaged one set aside,
`NAME.spare` keeps room on a disk that may be full when the database is opened again.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from edge_agent.errors import StateError, StateInUse
from edge_agent.outbox.database import Contents, Damaged, Database, salvage
from edge_agent.outbox.queues import Item
from edge_agent.outbox.seq_mark import BLOCK, SYNCED, SeqMark, read_mark, sync_folder, write_mark

_log = logging.getLogger(__name__)

_SPARE = 2**16  # bytes; of these SQLite needs half before it can even read a closed database
_PARTS = ("", "-wal", "-shm")


class Store:
    """Events on disk, by one process; `next_seq` is the number to go on with.

    Opening raises StateInUse where another process has it, and StateError where the folder cannot
    be used. `write` and `read` belong to one thread at a time and raise sqlite3.Error, or Damaged
    where only `start_over` helps.
    """

    def __init__(self, path: Path, full: bool, boot_id: str) -> None:
        self._path = path
        self._full = full
        self._boot_id = boot_id
        self._damage: Damaged | None = None
        self._aside = path
        self._mark_path = path.with_name(f"{path.name}.seq")
        self._spare_path = path.with_name(f"{path.name}.spare")
        self._closed = False
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _lock(_lock_path(path))
        except OSError as error:
            raise StateError(f"{path} cannot be used: {error}") from error
        try:
            self._open()
        except (OSError, sqlite3.Error, Damaged) as error:
            self._lock.close()
            raise StateError(f"{path} cannot be used: {error}") from error

    def _open(self) -> None:
        mark = read_mark(self._mark_path)
        is_whole = self._path.exists()
        try:
            self._database = self._database_in_any_room()
        except Damaged as error:
            is_whole = False
            self._replace(error)
        self.at_start: Contents = self._database.contents()
        self.next_seq = self._resume(mark, is_whole) + 1
        self._last_seq = self.next_seq - 1
        self._reserved = mark.reserved if mark else 0
        self._reserve()

    def _database_in_any_room(self) -> Database:
        """The database, with the spare room where the disk has no other."""
        try:
            return Database(self._path, self._full)
        except sqlite3.OperationalError:
            if not self._spare_path.exists():
                raise
            self._spare_path.unlink()
            return Database(self._path, self._full)

    def _resume(self, mark: SeqMark | None, is_whole: bool) -> int:
        """The last number that may have been given out; `is_whole` is the database as it was."""
        stored = self.at_start.last_seq
        if mark is None:
            # Milliseconds outrun any count: for a damaged database whose mark is gone as well.
            return stored if self._aside is self._path else max(stored, time.time_ns() // 10**6)
        # The same boot still has all that was written; so has the disk where it was synced.
        is_complete = is_whole and mark.boot_id in (self._boot_id, SYNCED)
        return max(stored, mark.used if is_complete else mark.reserved)

    def write(self, items: Sequence[Item], gone: Collection[int]) -> None:
        """Add events and delete others, in one transaction."""
        self._check()
        if items:
            self._last_seq = max(self._last_seq, items[-1].seq)
            if self._last_seq > self._reserved:
                self._reserve()
        self._database.write(items, gone)

    def read(self, after: int, limit: int) -> list[Item]:
        """The next events, in order."""
        self._check()
        return self._database.read(after, limit)

    def start_over(self, error: Damaged, after: int) -> int:
        """Set a damaged database aside; returns how many events after that id were saved.

        Where that fails, `write` and `read` raise Damaged again until it is done.
        """
        self._damage = error
        self._database.close()
        self._replace(error)
        self._damage = None
        self._reserve()
        return self._database.count_after(after)

    def begin_anew(self) -> None:
        """Drop the database and all in it, which gives its room back to the disk."""
        self._database.close()
        for part in _PARTS:
            self._path.with_name(f"{self._path.name}{part}").unlink(missing_ok=True)
        self._damage = Damaged("it was dropped and could not be made again")
        self._reserve()
        self._database = Database(self._path, self._full)
        self._damage = None

    @property
    def has_chores(self) -> bool:
        """Whether `reserve_ahead` or `checkpoint` has something to do."""
        return self._database.wants_checkpoint or self._last_seq > self._reserved - BLOCK // 2

    def reserve_ahead(self) -> None:
        """Reserve numbers before they run out, so that no put has to wait for it."""
        if self._last_seq > self._reserved - BLOCK // 2:
            self._reserve()

    def checkpoint(self) -> bool:
        """Move the WAL into the database if it is time; False as for `Database.checkpoint`."""
        return self._database.checkpoint() if self._database.wants_checkpoint else True

    def close(self, used: int = 0) -> None:
        """Sync and let go; numbers up to `used` do not come again. Safe twice."""
        if self._closed:
            return
        self._closed = True
        self._last_seq = max(self._last_seq, used)
        self._database.close()
        try:
            write_mark(self._mark_path, SeqMark(self._last_seq, self._last_seq, self._boot))
        except OSError as error:
            _log.debug("%s: %s", self._mark_path, error)  # the longer reservation stays: a gap
        self._keep_spare()
        self._lock.close()

    @property
    def _boot(self) -> str:
        return SYNCED if self._full else self._boot_id

    def _check(self) -> None:
        if self._damage is not None:
            raise self._damage

    def _reserve(self) -> None:
        reserved = self._last_seq + BLOCK
        try:
            write_mark(self._mark_path, SeqMark(self._last_seq, reserved, self._boot))
            self._reserved = reserved
        except OSError as error:
            # Hardly anything else can be written then, and that is told where it matters.
            _log.debug("%s: %s", self._mark_path, error)

    def _keep_spare(self) -> None:
        """Take up room while there is some: closing the database has just given some back."""
        try:
            if not self._spare_path.exists() or self._spare_path.stat().st_size < _SPARE:
                self._spare_path.write_bytes(bytes(_SPARE))
        except OSError as error:
            _log.debug("%s: %s", self._spare_path, error)

    def _replace(self, error: Damaged) -> None:
        if self._path.exists():
            when = time.strftime("%Y%m%dT%H%M%S")
            self._aside = self._path.with_name(f"{self._path.name}.corrupt-{when}")
            for part in _PARTS:
                source = self._path.with_name(f"{self._path.name}{part}")
                if source.exists():
                    source.replace(self._aside.with_name(f"{self._aside.name}{part}"))
        saved = salvage(self._aside)
        self._database = Database(self._path, self._full)
        self._database.write(saved, ())
        sync_folder(self._path.parent)
        _log.error(
            "the outbox %s is damaged (%s): set aside as %s, a new one is begun with the %d events "
            "that could still be read; check the disk",
            self._path, error, self._aside.name, len(saved),
        )  # fmt: skip


def owner(path: Path) -> str | None:
    """Who uses the outbox of that path, as `process N`; None where nobody does.

    For an instant nobody else can begin to. Raises StateError where it cannot be told.
    """
    try:
        with _lock_path(path).open(encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _owner(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path} cannot be looked at: {error.strerror}") from error
    return None


def _lock_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _owner(file: IO[str]) -> str:
    file.seek(0)
    return f"process {file.read(20).strip() or 'unknown'}"


def _lock(path: Path) -> IO[str]:
    file = path.open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        found = _owner(file)
        file.close()
        raise StateInUse(
            f"{path.with_suffix('')} is in use by {found}",
            "stop that agent, or give this one another name or state_dir",
        ) from None
    with suppress(OSError):  # without room the lock holds all the same, but names nobody
        file.truncate(0)
        os.write(file.fileno(), f"{os.getpid()}\n".encode("ascii"))
    return file
