"""A WAVE file as blocks of sound, in time or as fast as they are taken."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

import numpy as np

from edge_agent.clock import Clock
from edge_agent.errors import SourceUnusable
from edge_agent.sources.base import Pace
from edge_agent.sources.guard import Guard
from edge_agent.sources.sound import Block
from edge_agent.sources.wav import BadSound, WavFile

log = logging.getLogger(__name__)

_LIVE_BLOCK = 0.06  # seconds
_FAST_BLOCK = 0.5


class SoundFile:
    """Reads one file; memory does not grow with its length.

    Sample n lies at n / rate seconds. At pace `loop` the next pass begins where the last ended.
    """

    def __init__(self, path: Path, pace: Literal["real", "fast", "loop"], clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._in_time = pace != "fast"
        self._loop = pace == "loop"
        self._seconds = _LIVE_BLOCK if self._in_time else _FAST_BLOCK
        self._guard = Guard(self._release)
        self._file: WavFile | None = None
        self._pass = self._row = 0

    def start(self) -> None:
        """Open the file; raises SourceUnusable."""
        self._guard.reopen()
        with self._guard.use():
            self._release()
            self._pass = 0
            self._file = self._open()
            self._pace = Pace(self._clock, self._guard.closing.wait)

    def read(self) -> Block | None:
        """Next block, at `real` and `loop` when its last sample is due; None at the end."""
        with self._guard.use() as allowed:
            if not allowed or self._file is None:
                return None
            begins_anew = self._loop and not self._file.left
            if begins_anew:
                self._begin_again(self._file)
            block = self._next(self._file, begins_anew)
            if block is not None and self._in_time:
                self._pace.until(float(block.times[-1]))
            return None if self._guard.closing.is_set() else block

    def stop(self) -> None:
        """End a running wait and close the file."""
        self._guard.close()

    def _next(self, file: WavFile, is_gap: bool) -> Block | None:
        try:
            rows = file.read(max(1, round(file.rate * self._seconds)))
        except BadSound as error:
            raise self._unusable(error) from error
        if not len(rows):
            return None
        numbers = np.arange(self._row, self._row + len(rows))
        self._row += len(rows)
        times = (numbers + self._pass) / file.rate
        return Block(rows, times, float(file.rate), is_gap, float(numbers[-1] / file.rate))

    def _begin_again(self, ended: WavFile) -> None:
        self._pass += self._row
        ended.close()
        self._file = self._open()

    def _release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> WavFile:
        self._row = 0
        try:
            file = WavFile(self._path)
        except BadSound as error:
            raise self._unusable(error) from error
        if not file.left:
            file.close()
            raise self._unusable(BadSound("it holds no samples"))
        if file.expected is not None and file.left < file.expected:
            log.warning(
                "sound %s ends early: %d of %d samples; the file is damaged or cut off",
                self._path, file.left, file.expected,
            )  # fmt: skip
        return file

    def _unusable(self, error: BadSound) -> SourceUnusable:
        cure = f"check source.file, or convert it: ffmpeg -i {self._path.name} -c:a pcm_s16le x.wav"
        return SourceUnusable(f"sound {self._path} cannot be used: {error}", cure)
