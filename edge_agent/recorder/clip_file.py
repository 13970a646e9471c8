"""One clip on its way to the disk."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.clip import SUFFIX

PART = ".part"
"""Ending of a clip that is not whole yet; its name begins with a dot."""

_BLOCK = 256 * 1024  # bytes written at once: an SD card wears by blocks, not by bytes


class ClipFile:
    """A clip that only its owner can read; it has its name once it is whole.

    Only whole pictures are written: after a failed write the file ends with the last one that
    the disk took. `size` counts what was given. Raises OSError.
    """

    def __init__(self, folder: Path, wall: float) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = _free_name(folder, wall)
        self._part = folder / f".{self._path.name}{PART}"
        self._file = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._waiting = bytearray()
        self._written = 0

    @property
    def size(self) -> int:
        """Bytes of the clip."""
        return self._written + len(self._waiting)

    def add(self, picture: bytes) -> None:
        """Put a picture at the end."""
        self._waiting += picture
        if len(self._waiting) >= _BLOCK or not self._written:
            self._write()

    def close(self) -> Path | None:
        """Give it its name; None where nothing could be written."""
        try:
            self._write()
            if self._written:
                os.fsync(self._file)  # once a clip: a name without pictures would be worse
        finally:
            os.close(self._file)
            if self._written:
                self._part.rename(self._path)
            else:
                self._part.unlink(missing_ok=True)
        return self._path if self._written else None

    def _write(self) -> None:
        block, self._waiting = self._waiting, bytearray()
        try:
            with memoryview(block) as rest:
                done = 0
                while done < len(block):
                    done += os.write(self._file, rest[done:])
        except OSError:
            os.ftruncate(self._file, self._written)
            raise
        self._written += len(block)


def _free_name(folder: Path, wall: float) -> Path:
    """A name by the time (UTC); a clock that was set back must not overwrite anything."""
    moment = datetime.fromtimestamp(wall, UTC)
    stem = moment.strftime("%Y-%m-%dT%H-%M-%S.") + f"{moment.microsecond // 1000:03d}Z"
    names = [stem, *(f"{stem}-{number}" for number in range(1, 1000))]
    return next(path for name in names if not (path := folder / f"{name}{SUFFIX}").exists())
