"""FIR filters along a stream: their design, and the rows that they need of the past."""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edge_agent.preprocess.signal.base import Block

_ATTENUATION = 82.0  # dB, of everything beyond the transition: 80 and what float32 takes
# J. F. Kaiser, Nonrecursive digital filter design using the I0-sinh window function (1974).
_BETA = 0.1102 * (_ATTENUATION - 8.7)
_AT_ONCE = 1024  # output rows: what they need stays in the cache


def taps_for(transition: float) -> int:
    """How many taps, an odd number, that transition needs (as a share of the sampling rate)."""
    count = (_ATTENUATION - 7.95) / (2.285 * 2.0 * math.pi * transition)
    return 2 * math.ceil(count / 2.0) + 1


def low_pass(cutoff: float, taps: int) -> NDArray[np.float64]:
    """Taps of a low pass of gain 1, half way down at the cutoff (a share of the rate)."""
    place = np.arange(taps) - (taps - 1) / 2.0
    response = 2.0 * cutoff * np.sinc(2.0 * cutoff * place) * np.kaiser(taps, _BETA)
    return np.asarray(response / response.sum(), np.float64)


class Polyphase:
    """Filters a stream and resamples it by up / down on the way; one row for 1 / 1.

    After n rows it has put out ceil(n up / down), whatever the blocks: an output row comes as soon
    as the row at or before its place is there, and lags by half the filter. `taps` are those at
    `up` times the rate.
    """

    def __init__(self, taps: NDArray[np.float64], up: int, down: int, channels: int) -> None:
        self._up, self._down, self._channels = up, down, channels
        width = -(-len(taps) // up)
        padded = np.zeros(width * up)
        padded[: len(taps)] = taps * up
        # Phase p: the taps p, p + up, ..., oldest row first.
        self._phases = padded.reshape(width, up).T[:, ::-1].astype(np.float32)
        self._width = width
        self.reset()

    def reset(self) -> None:
        """Zeros are before the first row."""
        self._kept = np.zeros((self._width - 1, self._channels), np.float32)
        self._place = 0  # of the next output, in 1 / up rows after the next input row

    def push(self, block: Block) -> Block:
        """Rows that these rows bring about."""
        joined = np.concatenate((self._kept, block))
        count = max(0, -(-(len(block) * self._up - self._place) // self._down))
        places = self._place + self._down * np.arange(count)
        self._place += self._down * count - len(block) * self._up
        self._kept = joined[len(joined) - self._width + 1 :].copy()
        out = np.empty((count, self._channels), np.float32)
        if count:
            runs = sliding_window_view(joined, self._width, axis=0)
            for at in range(0, count, _AT_ONCE):
                rows, phases = np.divmod(places[at : at + _AT_ONCE], self._up)
                out[at : at + _AT_ONCE] = self._rows(runs, rows, phases)
        return out

    def _rows(self, runs: Block, rows: NDArray[np.intp], phases: NDArray[np.intp]) -> Block:
        if self._up == 1:
            run = runs[rows[0] : rows[-1] + 1 : self._down]
            return np.asarray(run @ self._phases[0])
        return np.asarray(np.einsum("kct,kt->kc", runs[rows], self._phases[phases]))
