"""What becomes of each picture: kept for a while in memory, or written into a clip."""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path
from typing import NamedTuple

from edge_agent.clip import Stamp, stamped
from edge_agent.recorder.clip_file import ClipFile
from edge_agent.recorder.options import RecordOptions
from edge_agent.recorder.shelf import Shelf

_log = logging.getLogger(__name__)

_MEMORY = 16 * 2**20  # bytes of pictures that wait for an event at most
_STEP = 4 * 2**20  # bytes for which the disk is asked at once, at most


class Picture(NamedTuple):
    """A JPEG with its times: epoch seconds, and seconds on the frames' time line."""

    jpeg: bytes
    wall: float
    timeline: float


class Tape:
    """Turns a stream of pictures into clips; for one thread. Raises OSError."""

    def __init__(self, shelf: Shelf, options: RecordOptions) -> None:
        self._shelf = shelf
        self._options = options
        self._before: deque[Picture] = deque()
        self._bytes = 0
        self._clip: ClipFile | None = None
        self._began = 0.0
        self._granted = 0
        self._step = min(_STEP, options.max_bytes // 16)
        self._again = False
        self._newest = float("-inf")

    def add(self, picture: Picture, begin: bool, until: float) -> None:
        """Take in the next picture; `begin` a clip, and end it after `until` on the time line."""
        if picture.timeline < self._newest:  # the source began anew
            self.end()
            self._forget()
        self._newest = picture.timeline
        if self._clip is not None:
            self._again |= begin
            self._write(picture)
            if picture.timeline >= until:
                self._again = False
                self.end()
            elif picture.timeline - self._began >= self._options.longest:
                self.end()
            return
        self._remember(picture)
        if begin or self._again:
            self.begin()

    def begin(self) -> None:
        """Begin a clip with what memory holds, unless one is being written."""
        if self._clip is not None or not self._before:
            return
        self._again = False
        self._granted = self._bytes + self._step
        if not self._shelf.make_room(self._granted):
            raise OSError(f"no room for a clip in {self._shelf.folder} (see min_free, max_bytes)")
        pictures = list(self._before)
        self._forget()
        self._began = pictures[0].timeline
        self._clip = ClipFile(self._shelf.folder, pictures[0].wall)
        for picture in pictures:
            self._write(picture)

    def end(self) -> Path | None:
        """End the clip, if there is one; its file."""
        clip, self._clip = self._clip, None
        path = clip.close() if clip is not None else None
        if path is not None:
            _log.info("clip %s is written", path)
        return path

    def _write(self, picture: Picture) -> None:
        if self._clip is None:  # ended by the picture before, for want of room
            return
        jpeg = stamped(picture.jpeg, Stamp(picture.wall, picture.timeline - self._began))
        size = self._clip.size + len(jpeg)
        if size > self._granted:
            self._granted = size + self._step
            if not self._shelf.make_room(self._granted, self._clip.size):
                self.end()
                return
        self._clip.add(jpeg)

    def _remember(self, picture: Picture) -> None:
        self._before.append(picture)
        self._bytes += len(picture.jpeg)
        oldest = picture.timeline - self._options.before
        while self._before and (self._before[0].timeline < oldest or self._bytes > _MEMORY):
            self._bytes -= len(self._before.popleft().jpeg)

    def _forget(self) -> None:
        self._before.clear()
        self._bytes = 0
