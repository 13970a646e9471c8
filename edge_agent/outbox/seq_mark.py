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
    """Put the mark on the disk, in one step and for sure; raises OSError."""
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("w", encoding="ascii") as file:
        json.dump(asdict(mark), file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put on the disk which files the folder has; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
