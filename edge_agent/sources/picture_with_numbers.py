"""Pictures of one source with the numbers that others measured at that moment."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from edge_agent.backoff import Backoff
from edge_agent.errors import SourceError, SourceUnavailable, SourceUnusable
from edge_agent.frame import Frame
from edge_agent.sources.base import Source, patience_for
from edge_agent.sources.part_readers import PartReaders
from edge_agent.sources.recorded_part import RecordedPart
from edge_agent.sources.track import Track

if TYPE_CHECKING:
    from edge_agent.sources.fusion import FusionOptions

Missing = Literal["hold", "drop", "nan"]

_GRAIN = 0.001  # seconds to which places in recordings are known
_SPAN = 5.0  # seconds by which a picture may come later than newer numbers


def readings_at(
    tracks: Mapping[str, Track], moment: float, tolerance: float, missing: Missing
) -> dict[str, float] | None:
    """The last values at or before that moment (monotonic seconds), by PART.CHANNEL.

    One older than `tolerance` seconds is missing: it is held, NaN, or makes the answer None. What
    has not been heard by then is not there.
    """
    readings: dict[str, float] = {}
    for part, track in tracks.items():
        last = track.last(moment)
        is_fresh = last is not None and last.age <= tolerance
        if not is_fresh and missing == "drop":
            return None
        if last is not None:
            counts = is_fresh or missing == "hold"
            for channel, value in zip(last.channels, last.row.tolist(), strict=True):
                readings[f"{part}.{channel}"] = value if counts else math.nan
    return readings


class PictureWithNumbers:
    """Each picture carries, of each other part, the last values at or before its capture.

    None of them comes from the future, and no picture waits for one. The pictures are the clock: at
    their failure all is closed, and what was measured is kept for the next opening. Numbers are
    read by threads of their own, which open their source again. A value that was never heard is
    not among the readings of a picture, unless the rule `drop` has it left out altogether.

    Where the pictures are a recording at its fastest, numbers may be one too: both begin at once,
    and every run gives the same.
    """

    def __init__(
        self,
        name: str,
        picture: str,
        options: FusionOptions,
        build: Callable[[], Mapping[str, Source]],
        backoff: Callable[[], Backoff],
    ) -> None:
        """`picture` is the part that gives pictures; `build` makes the sources of all parts.

        Raises ValueError.
        """
        self.name = name
        self._part = picture
        self._options = options
        self._build = build
        self._backoff = backoff
        self._picture, numbers = self._made()
        self.live = self._picture.live
        fast = [part for part, source in numbers.items() if not source.live]
        if self.live and fast:
            raise ValueError(f"part {fast[0]} is a recording at its fastest: set pace: real")
        patience = self._picture.patience
        # Where pictures are dropped, a read takes until the time is up.
        self.patience = patience and max(patience, patience_for(options.timeout))
        self._tracks = {part: Track(_SPAN) for part in numbers if part not in fast}
        self._played = {part: Track(_SPAN) for part in fast}
        self._readers = PartReaders({}, {}, backoff)
        self._recorded: list[RecordedPart] = []
        self._good_at = 0.0

    def start(self) -> None:
        """Begin to read the numbers and open the source of pictures; raises SourceError."""
        self.stop()
        self._picture, numbers = self._made()
        self._played = {part: Track(_SPAN) for part in self._played}
        played = self._played.items()
        self._recorded = [RecordedPart(numbers.pop(part), track) for part, track in played]
        self._readers = PartReaders(numbers, self._tracks, self._backoff)
        self._readers.start()
        self._good_at = time.monotonic()
        try:
            for part in self._recorded:
                part.start()
            self._picture.start()
        except SourceError:
            self.stop()
            raise

    def read(self) -> Frame | None:
        """Next picture with its readings; None at the end of a recording, or when stopped.

        Raises SourceError where the source of pictures does, and SourceUnavailable where numbers
        without which no picture counts are missing for long.
        """
        while (frame := self._picture.read()) is not None:
            self._readers.check()
            readings = self._readings(frame)
            if readings is not None:
                self._good_at = time.monotonic()
                return replace(frame, source=self.name, readings=readings)
            self._check_silence()
        return None

    def stop(self) -> None:
        """Close the source of pictures and all others."""
        self._picture.stop()
        self._readers.stop()
        for part in self._recorded:
            part.stop()

    def _made(self) -> tuple[Source, dict[str, Source]]:
        sources = dict(self._build())
        return sources.pop(self._part), sources

    def _readings(self, frame: Frame) -> dict[str, float] | None:
        """What was measured then, by channel; None to drop the picture."""
        options = self._options
        moment = frame.monotonic_ns / 1e9
        now = readings_at(self._tracks, moment, options.tolerance, options.missing)
        if not self._recorded:
            return now
        if frame.media_time is None:
            cure = "set pace: real for the numbers, or use recorded pictures"
            raise SourceUnusable(f"pictures of {self.name} have no place in a recording", cure)
        place = frame.media_time + _GRAIN
        for part in self._recorded:
            part.read_to(place)
        then = readings_at(self._played, place, options.tolerance, options.missing)
        return None if now is None or then is None else now | then

    def _check_silence(self) -> None:
        timeout = self._options.timeout
        if time.monotonic() - self._good_at >= timeout:
            why = self._readers.reasons() or "a part is too old"
            text = f"{self.name} has no picture with all its numbers for {timeout:g} s: {why}"
            raise SourceUnavailable(text, "mend the part, or set missing and tolerance")
