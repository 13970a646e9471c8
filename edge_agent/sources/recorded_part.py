"""A part of a fusion that is a recording at its fastest."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.sources.base import Source
from edge_agent.sources.track import Track


class RecordedPart:
    """Reads numbers into a track only as far as it is asked for, by seconds since its first row."""

    def __init__(self, source: Source, track: Track) -> None:
        self._source = source
        self._track = track
        self._end = -1.0
        self._is_over = False

    def start(self) -> None:
        """Open it; raises SourceError."""
        self._source.start()

    def stop(self) -> None:
        """Close it."""
        self._source.stop()

    def read_to(self, moment: float) -> None:
        """Read on until all up to that moment is there, or it ends; raises SourceError."""
        while self._end < moment and not self._is_over:
            frame = self._source.read()
            if frame is None or frame.signal is None or frame.media_time is None:
                self._is_over = True
                return
            self._end = frame.media_time
            times = frame.signal.times - frame.timeline + frame.media_time
            signal = replace(frame.signal, times=times)
            self._track.put(replace(frame, signal=signal, media_time=None))
