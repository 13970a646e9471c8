"""A folder that other programs put pictures into, taken out one by one."""

from __future__ import annotations

import contextlib
import heapq
import logging
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_agent.errors import SourceUnavailable, SourceUnusable
from edge_agent.sources.pictures import SUFFIXES, IncompletePicture

log = logging.getLogger(__name__)

After = Literal["delete", "move", "keep"]

_SETTLE = 1.0  # seconds without a change after which a file counts as complete
_GRACE = 10.0  # seconds that a picture which breaks off may stand still before it is given up
_BATCH = 1000  # pictures taken note of per look
_PART = re.compile(r"(\d+)")


def natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """Sort key by which picture2 comes before picture10."""
    return tuple(
        (int(part), "") if part.isdecimal() else (-1, part.lower()) for part in _PART.split(name)
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """A file as it was when it was first seen in this state."""

    size: int
    mtime_ns: int
    since: float


class WatchedFolder:
    """Finds complete pictures in arrival order and disposes of them as `after` says.

    A file is complete when it has not changed for a second, by its own time or by ours (a file
    moved in from a machine with another clock). Hidden files, other endings and sub-folders are
    left alone, so a writer may use a hidden name until it is done.
    """

    def __init__(self, folder: Path, after: After) -> None:
        self._folder = folder
        self._after = after
        self._looks: dict[str, _Look] = {}
        self._kept: dict[str, _Look] = {}
        self._waiting: dict[str, _Look] = {}

    def open(self) -> None:
        """Make sure that the folder can be used; raises SourceUnusable."""
        if not self._folder.is_dir():
            raise SourceUnusable(f"folder {self._folder} does not exist", "create it: mkdir -p")
        wanted = os.R_OK | os.X_OK | (0 if self._after == "keep" else os.W_OK)
        if not os.access(self._folder, wanted):
            cure = "give its user access, or set after: keep to leave the pictures where they are"
            raise SourceUnusable(f"no permission to use folder {self._folder}", cure)

    def scan(self) -> list[Path]:
        """The complete pictures, oldest first; raises SourceUnavailable."""
        try:
            found = self._look()
        except OSError as error:
            text = f"folder {self._folder} cannot be read: {error.strerror}"
            raise SourceUnavailable(text, "check that it is still there") from error
        self._looks = found
        self._kept = {name: look for name, look in self._kept.items() if name in found}
        self._waiting = {name: look for name, look in self._waiting.items() if name in found}
        ready = (name for name, look in found.items() if self._is_ready(name, look))
        order = heapq.nsmallest(
            _BATCH, ready, key=lambda name: (found[name].mtime_ns, natural_key(name))
        )
        return [self._folder / name for name in order]

    def done(self, path: Path) -> None:
        """Delete, move or remember a picture that was used."""
        if self._after == "keep":
            self._kept[path.name] = self._looks[path.name]
        else:
            self._dispose(path, None if self._after == "delete" else "done")

    def broken(self, path: Path, problem: Exception) -> None:
        """Put a picture that cannot be used aside into `failed/`, unless it may still grow."""
        look = self._looks[path.name]
        waited = time.monotonic() - look.since
        if isinstance(problem, IncompletePicture) and waited < _GRACE:
            self._waiting[path.name] = look
            return
        log.warning("picture %s cannot be used: %s", path, problem)
        if self._after == "keep":
            self._kept[path.name] = look
        else:
            self._dispose(path, "failed")

    def _look(self) -> dict[str, _Look]:
        now = time.monotonic()
        found: dict[str, _Look] = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                hidden = entry.name.startswith(".")
                if hidden or Path(entry.name).suffix.lower() not in SUFFIXES:
                    continue
                try:
                    state = entry.stat()
                    if not entry.is_file():
                        continue
                except OSError:  # gone since the folder was listed
                    continue
                look = self._looks.get(entry.name)
                same = look and (look.size, look.mtime_ns) == (state.st_size, state.st_mtime_ns)
                fresh = _Look(state.st_size, state.st_mtime_ns, now)
                found[entry.name] = look if look and same else fresh
        return found

    def _is_ready(self, name: str, look: _Look) -> bool:
        if self._kept.get(name) == look:
            return False
        still = time.monotonic() - look.since
        if self._waiting.get(name) == look:
            return still >= _GRACE
        return still >= _SETTLE or time.time() - look.mtime_ns / 1e9 >= _SETTLE

    def _dispose(self, path: Path, sub_folder: str | None) -> None:
        try:
            if sub_folder is None:
                path.unlink(missing_ok=True)
            else:
                _move(path, path.parent / sub_folder)
        except OSError as error:
            # Remembered instead, or the same picture would come again and again.
            self._kept[path.name] = self._looks[path.name]
            log.warning(
                "picture %s cannot be %s: %s (give write access to the folder, or set after: keep)",
                path, "moved" if sub_folder else "deleted", error.strerror,
            )  # fmt: skip


def _move(path: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    target = folder / path.name
    if target.exists():
        target = target.with_stem(f"{target.stem}-{time.time_ns()}")
    with contextlib.suppress(FileNotFoundError):  # somebody else took it
        path.rename(target)
