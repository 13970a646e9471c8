"""A frame: one picture, one block of samples, one window of them, or one line of text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


def is_picture(data: NDArray[Any]) -> bool:
    """Whether these are pixels, not samples or what is made of them."""
    return data.ndim == 3 and data.dtype == np.uint8


@dataclass(frozen=True, slots=True)
class Signal:
    """What the rows of a block of samples are.

    `channels` names the columns, `times` are the rows' timeline seconds (float64 [n], rising).
    `rate` is rows a second, None where they come as they come. `is_gap` says that something is
    missing right before the block: nothing may be joined over it.
    """

    channels: tuple[str, ...]
    times: NDArray[np.float64]
    rate: float | None = None
    is_gap: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Which rows of its signal a window holds.

    `count` rows from row `first` on, counted from the beginning of the unbroken part `part` of the
    signal: a gap begins another. The next window begins `hop` rows later.
    """

    part: int
    first: int
    count: int
    hop: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a source.

    `data` is height x width x 3 uint8 in BGR order for a picture; rows x channels float32 for
    samples, where `signal` tells more; whatever a model takes for a window of samples or for text.
    `text` is the line that it was made of. `timeline` is the clock by which rules measure
    durations, in seconds: the monotonic clock for a live source, the position in the recording
    (rising through loops) for a recorded one, so that a recording gives the same events at any
    pace. `media_time` is seconds into the recording, None for live sources. The times of a block
    are those of its last row. `place` is where in its signal a window is.

    Windows of a recording that nothing but a look will be taken at may come stacked: then `data`
    has them one behind the other, and `ends` are their timelines (float64 [n], rising).
    `place` is that of the first of the rows that they are cut of, all else that of the block;
    `window` gives one of them as it comes by itself.

    `readings` is what other sources measured when a picture was taken, by PART.CHANNEL, NaN for
    what is missing; None where nobody measures. `numbers` is what the model takes beside the
    picture, by the name of its input.
    """

    source: str
    seq: int
    data: NDArray[Any]
    wall: float
    monotonic_ns: int
    timeline: float
    media_time: float | None = None
    signal: Signal | None = None
    text: str | None = None
    place: Place | None = None
    ends: NDArray[np.float64] | None = None
    readings: Mapping[str, float] | None = None
    numbers: Mapping[str, NDArray[np.float32]] | None = None

    @property
    def is_picture(self) -> bool:
        """Whether `data` is a picture."""
        return is_picture(self.data)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels; zero for what is no picture."""
        return (self.data.shape[1], self.data.shape[0]) if self.is_picture else (0, 0)

    @property
    def count(self) -> int:
        """How many frames it is: one, or as many as are stacked."""
        return 1 if self.ends is None else len(self.ends)

    def window(self, number: int) -> Frame:
        """One of those that are stacked."""
        assert self.ends is not None
        return self.part(self.seq + number, self.data[number], float(self.ends[number]))

    def part(self, seq: int, data: NDArray[Any], end: float, place: Place | None = None) -> Frame:
        """What was made of rows of this block of which the last was at that timeline."""
        back = self.timeline - end
        return replace(
            self,
            seq=seq,
            data=data,
            wall=self.wall - back,
            monotonic_ns=self.monotonic_ns - round(1e9 * back),
            timeline=end,
            media_time=None if self.media_time is None else self.media_time - back,
            signal=None,
            place=place,
            ends=None,
        )
