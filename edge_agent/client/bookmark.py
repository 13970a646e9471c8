"""How far a consumer has come with each device, on disk."""

from __future__ import annotations

import sqlite3
from pathlib import Path


class Bookmark:
    """A small SQLite file with one row per device; one thread at a time may use it.

    SQLite, because one row is written after each event, however many devices there are, and a
    crash in between leaves the old row. Raises sqlite3.Error where the file cannot be used.
    """

    def __init__(self, path: Path | str) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # As an agent's outbox by default: it outlives a crash; a power cut may cost the last rows.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS places (device TEXT PRIMARY KEY, place TEXT NOT NULL)"
            " WITHOUT ROWID"
        )

    def load(self, device: str) -> str | None:
        """What was saved for a device, None for a new one."""
        found = self._database.execute("SELECT place FROM places WHERE device = ?", (device,))
        row = found.fetchone()
        return None if row is None else str(row[0])

    def save(self, device: str, place: str) -> None:
        """Keep the place in the stream of a device."""
        self._database.execute("INSERT OR REPLACE INTO places VALUES (?, ?)", (device, place))

    def close(self) -> None:
        """Let go of the file; safe twice."""
        self._database.close()
