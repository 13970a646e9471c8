"""The folder of a pipeline's clips, bounded in bytes and in age."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import NamedTuple

from edge_agent.clip import SUFFIX
from edge_agent.recorder.clip_file import PART
from edge_agent.recorder.options import RecordOptions


class _Clip(NamedTuple):
    path: Path
    size: int
    ended: float


class Shelf:
    """Removes the oldest clips so that there is room for the next. Raises OSError."""

    def __init__(self, folder: Path, options: RecordOptions) -> None:
        self.folder = folder
        self._options = options

    def recover(self) -> None:
        """Give clips that a crash broke off their name, if there is anything in them."""
        with contextlib.suppress(FileNotFoundError):
            for part in self.folder.glob(f".*{SUFFIX}{PART}"):
                if part.stat().st_size:
                    part.rename(part.with_name(part.name[1 : -len(PART)]))
                else:
                    part.unlink()

    def make_room(self, size: int, written: int = 0) -> bool:
        """Whether there may be a clip of that size, once the oldest ones have gone for it.

        `written` of it is on the disk already. Clips that are too old go in any case.
        """
        clips = self._clips()
        while clips and time.time() - clips[0].ended > self._options.max_age:
            clips.pop(0).path.unlink(missing_ok=True)
        total = sum(clip.size for clip in clips)
        spare = self._free_bytes() - (size - written) - self._options.min_free
        if spare + total < 0:  # somebody else fills the disk: no clip of ours would help
            return False
        while clips and (total + size > self._options.max_bytes or spare < 0):
            total -= clips[0].size
            spare += clips[0].size
            clips.pop(0).path.unlink(missing_ok=True)
        return total + size <= self._options.max_bytes

    def _free_bytes(self) -> int:
        folder = self.folder
        while not folder.exists():
            folder = folder.parent
        disk = os.statvfs(folder)
        return disk.f_bavail * disk.f_frsize

    def _clips(self) -> list[_Clip]:
        """Oldest first."""
        found = []
        for path in self.folder.glob(f"[!.]*{SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):
                state = path.stat()
                found.append(_Clip(path, state.st_size, state.st_mtime))
        return sorted(found, key=lambda clip: clip.ended)
