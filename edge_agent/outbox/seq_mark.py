"""How far `seq` may have come, in a small file beside the database that is always on the disk.

A power cut can take the newest commits of the database with it, damage can take all of it. Numbers
that subscribers have seen must not come again, for they would be thrown away as repeats. So a
block of numbers is reserved ahead, and whoever cannot trust the database goes on after it.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

BLOCK = 10_000
SYNCED = "*"


@dataclass(frozen=True, slots=True)
class SeqMark:
    """All numbers up to `used` were given out, perhaps more, but none above `reserved`.

    In the boot `boot_id` the database knows the rest; SYNCED stands for every boot.
    """

    used: int
    reserved: int
    boot_id: str


def read_mark(path: Path) -> SeqMark | None:
    """The mark in a file; None where there is none that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        values = json.loads(path.read_text("ascii"))
        return SeqMark(int(values["used"]), int(values["reserved"]), str(values["boot_id"]))
    return None


def write_mark(path: Path, mark: SeqMark) -> None:
    """Put the mark on the disk for sure, in one step where there is room; raises OSError."""
    text = json.dumps(asdict(mark))
    fresh = path.with_name(f"{path.name}.new")
    try:
        _write_synced(fresh, text, "w")
        fresh.replace(path)
        sync_folder(path.parent)
    except OSError:
        # A full disk has no room for a second file, but in place of the old mark it fits.
        _write_synced(path, text, "r+")


def _write_synced(path: Path, text: str, mode: Literal["w", "r+"]) -> None:
    with path.open(mode, encoding="ascii") as file:
        file.write(text)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Put on the disk which files the folder has; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
