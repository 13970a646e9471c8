"""Features of short overlapping frames: one core for streams and for whole windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edge_agent.preprocess.signal.base import Block

_AT_ONCE = 32  # frames: what they need stays in the cache, and a long recording in memory


class FrameFeatures(Protocol):
    """Features of frames of `length` samples every `hop`.

    `lead` zeros stand before the first sample and `trail` after the last one of a window; `size`
    is the number of features.
    """

    length: int
    hop: int
    lead: int
    trail: int
    size: int

    def of(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features (n x `size`) of frames (n x `length`); the frames stay as they are."""


Number = TypeVar("Number", np.float32, np.int16)


class Framing(Generic[Number]):
    """Cuts a stream of samples of one type into frames; it remembers what the next ones need."""

    def __init__(self, length: int, hop: int, lead: int, dtype: type[Number]) -> None:
        self._length, self._hop, self._lead = length, hop, lead
        self._dtype: type[Number] = dtype
        self.reset()

    def reset(self) -> None:
        """Begin anew, with the zeros that stand before the first sample."""
        self._kept: NDArray[Number] = np.zeros(self._lead, self._dtype)
        self._skip = 0

    def push(self, samples: NDArray[Number]) -> NDArray[Number]:
        """The frames (n x length, overlapping views, not to be written to) that are full now."""
        joined = np.concatenate((self._kept, samples[self._skip :]))
        self._skip = max(0, self._skip - len(samples))
        count = frame_count(len(joined), self._length, self._hop)
        done = count * self._hop
        self._kept = joined[done:].copy()
        self._skip += max(0, done - len(joined))
        return cut(joined, self._length, self._hop)


class FramedStream:
    """A stream stage of frame features: one row for each frame."""

    def __init__(self, core: FrameFeatures, rate: float) -> None:
        self.rate = rate / core.hop
        self.channels = core.size
        self._core = core
        self._framing = Framing(core.length, core.hop, core.lead, np.float32)

    def push(self, block: Block) -> Block:
        """One row for each frame that is full with these samples (n x 1)."""
        return in_parts(self._core.of, self._framing.push(block[:, 0]))

    def reset(self) -> None:
        """Begin anew."""
        self._framing.reset()


class FramedWindow:
    """A window stage of frame features: all frames of the window, a row each."""

    def __init__(self, core: FrameFeatures, length: int) -> None:
        self._core = core
        padded = length + core.lead + core.trail
        self.shape: tuple[int, ...] = (frame_count(padded, core.length, core.hop), core.size)
        self._padded = np.zeros(padded, np.float32)
        self._inner = self._padded[core.lead : core.lead + length]

    def apply(self, window: Block) -> NDArray[np.float32]:
        """One row for each frame of the window (length x 1)."""
        self._inner[:] = window[:, 0]
        return in_parts(self._core.of, cut(self._padded, self._core.length, self._core.hop))


def frame_count(samples: int, length: int, hop: int) -> int:
    """How many whole frames that many samples hold."""
    return 0 if samples < length else (samples - length) // hop + 1


def cut(samples: NDArray[Number], length: int, hop: int) -> NDArray[Number]:
    """Whole frames (n x length) of a run of samples, as views."""
    if len(samples) < length:
        return np.empty((0, length), samples.dtype)
    return sliding_window_view(samples, length)[::hop]


def in_parts(
    of: Callable[[NDArray[Number]], Block], frames: NDArray[Number], at_once: int = _AT_ONCE
) -> Block:
    """Features of many frames, a part at a time."""
    if len(frames) <= at_once:
        return of(frames)
    parts = [of(frames[at : at + at_once]) for at in range(0, len(frames), at_once)]
    return np.concatenate(parts)
