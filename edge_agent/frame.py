"""A frame: one picture (later also one window of samples) with the times it was taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a source.

    `data` is height x width x 3 uint8 in BGR order. `timeline` is the clock by which rules measure
    durations, in seconds: the monotonic clock for a live source, the position in the recording
    (rising through loops) for a recorded one, so that a recording gives the same events at any
    pace. `media_time` is seconds into the recording, None for live sources.
    """

    source: str
    seq: int
    data: NDArray[Any]
    wall: float
    monotonic_ns: int
    timeline: float
    media_time: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.data.shape[1], self.data.shape[0]
