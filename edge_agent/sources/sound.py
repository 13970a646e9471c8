"""Blocks of sound, and the times of samples that a device takes by a clock of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
"""Samples x channels from -1 to 1."""

_MOST_LATE = 1.0  # seconds that the samples may lag without a word before some must be lost
_SLEW = 0.002  # most part by which a device's clock is corrected; crystals are within 0.0002
_SETTLING = 0.05  # part of the error that is taken out with each block


@dataclass(frozen=True, slots=True)
class Block:
    """Samples with their timeline seconds, and as `Signal` and `Frame` say of the rest."""

    rows: Rows
    times: NDArray[np.float64]
    rate: float
    is_gap: bool
    media_time: float | None = None


def channel_names(count: int) -> tuple[str, ...]:
    """What the columns of sound are called: audio, or audio_1 and so on."""
    return ("audio",) if count == 1 else tuple(f"audio_{n}" for n in range(1, count + 1))


def mono(rows: Rows) -> Rows:
    """The mean of the channels as the only one."""
    if rows.shape[1] == 1:
        return rows
    mean: Rows = rows.mean(axis=1, dtype=np.float64, keepdims=True).astype(np.float32)
    return mean


class SampleClock:
    """Puts samples that come in blocks of uneven delay onto the monotonic clock, evenly spaced.

    It counts samples, and follows the clock only slowly: a quartz is off by little, a block comes
    late by much. Times always rise.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._last: float | None = None

    def stamp(
        self, count: int, now: float, caught_up: bool, lost: bool
    ) -> tuple[NDArray[np.float64], bool]:
        """Times of the `count` samples of a block that came at `now`, and whether some are lost.

        `caught_up` says that no more samples wait, so that those which are late are missing;
        `lost` that the device itself tells so.
        """
        span = count / self._rate
        if self._last is None:
            self._last = now - span
        late = now - (self._last + span)
        lost = lost or (caught_up and late > _MOST_LATE)
        limit = _SLEW * span
        shift = max(late, 0.0) if lost else min(max(_SETTLING * late, -limit), limit)
        begin = self._last + (shift if lost else 0.0)
        end = self._last + span + shift
        self._last = end
        times = begin + (end - begin) / count * np.arange(1.0, count + 1.0)
        return times, lost
