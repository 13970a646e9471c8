"""How far a window is from normal, by each method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import SignalMismatch
from edge_agent.frame import Frame
from edge_agent.result import RawOutput, Result
from edge_agent.scoring.calibration import Calibration

Vector = NDArray[np.float64]

_MAD_TO_STD = 1.4826  # of a normal distribution: 1 / the 0.75 quantile of the standard one
_REFRESHES = 25  # times that a history is looked at anew while it is renewed once
_WARM_UP = 4  # it judges once that part of the history is there
_RANGE = (0.025, 0.975)
_RANGE_TO_STD = 1.0 / (2.0 * 1.96)  # of a normal distribution


class Deviation(Protocol):
    """Gives a window a value: the higher, the less normal."""

    def of(self, frame: Frame, results: Sequence[Result]) -> float | None:
        """The value of a window and what the model put out for it; raises SignalMismatch.

        None where nothing can be said of that window.
        """

    def of_each(self, frame: Frame, results: Sequence[Result]) -> Sequence[float | None]:
        """The values of windows that are stacked, as if each came by itself."""
        raw = [each for each in results if isinstance(each, RawOutput)]
        return [
            self.of(frame.window(n), [RawOutput(each.name, each.values[n]) for each in raw])
            for n in range(frame.count)
        ]

    def reset(self) -> None:
        """The stream broke off."""


class Reconstruction(Deviation):
    """Mean squared difference between the window and what an autoencoder makes of it."""

    def of(self, frame: Frame, results: Sequence[Result]) -> float:
        """The mean squared error."""
        made, window = put_out(results), frame.data
        if made.size != window.size:
            raise SignalMismatch(
                f"the model puts out {made.size} numbers for a window of {window.size}, so it is "
                "no reconstruction",
                "set anomaly.method: distance, or use an autoencoder",
            )
        return float(np.mean(np.square(made - window.ravel())))

    def reset(self) -> None:
        """Do nothing."""


class Distance(Deviation):
    """Root mean square distance to the nearest normal window, in standard deviations of normal.

    The nearest-neighbour rule of novelty detection (Ramaswamy, Rastogi and Shim 2000) on
    standardised features.
    """

    def __init__(self, calibration: Calibration) -> None:
        self._normal = calibration.normal
        self._mean = calibration.mean
        self._std = calibration.std

    def of(self, frame: Frame, results: Sequence[Result]) -> float:
        """The distance."""
        del frame
        values = put_out(results)
        if values.size != self._mean.size:
            raise SignalMismatch(
                f"a window has {values.size} numbers, those of the calibration have "
                f"{self._mean.size}",
                "run edge-agent calibrate again",
            )
        return self.to_nearest(values)

    def to_nearest(self, values: NDArray[Any]) -> float:
        """That of as many numbers as a normal window has."""
        apart = self._normal - (values - self._mean) / self._std
        return float(np.sqrt(np.mean(np.square(apart), axis=1).min()))

    def reset(self) -> None:
        """Do nothing."""


class RobustZ(Deviation):
    """Robust z-score of the window against the `history` windows before it, the largest of all.

    |x - median| / (1.4826 MAD), for each number of the window (Iglewicz and Hoaglin 1993). Where
    it is usual that a signal has two levels, such as day and night, the MAD knows but one: so the
    spread is at least that of the range in which 95 % are. Both are worked out anew after each
    twenty-fifth of the history, and it judges once a quarter of the history is there.
    """

    def __init__(self, history: int) -> None:
        self._length = history
        self._every = max(1, history // _REFRESHES)
        self._past: Vector = np.empty((0, 0))
        self._count = 0
        self._median: Vector = np.empty(0)
        self._spread: Vector = np.empty(0)

    def of(self, frame: Frame, results: Sequence[Result]) -> float:
        """The score, 0 until there is some history."""
        del frame
        return self._scores(put_out(results)[np.newaxis])[0]

    def of_each(self, frame: Frame, results: Sequence[Result]) -> Sequence[float]:
        """The scores, all at once between one look at the history and the next."""
        return self._scores(put_out(results).reshape(frame.count, -1))

    def _scores(self, windows: Vector) -> list[float]:
        """Those of windows one behind the other, a row each."""
        if self._past.shape[1:] != windows.shape[1:]:
            self._past, self._count = np.empty((self._length, windows.shape[1])), 0
            self._spread = np.empty(0)
        scores: list[float] = []
        while len(scores) < len(windows):
            scores += self._judged(windows[len(scores) :][: self._ahead()])
        return scores

    def _ahead(self) -> int:
        """How many windows there are until the history is looked at, or written from its start."""
        count, warm = self._count, -(-self._length // _WARM_UP)
        until_look = warm - count if count < warm else self._every - count % self._every
        return min(until_look, self._length - count % self._length)

    def _judged(self, windows: Vector) -> list[float]:
        known = min(self._count, self._length)
        is_warm = known * _WARM_UP >= self._length
        if is_warm and (self._count % self._every == 0 or not self._spread.size):
            self._look(self._past[:known])
        place = self._count % self._length
        self._past[place : place + len(windows)] = windows
        self._count += len(windows)
        if not is_warm:
            return [0.0] * len(windows)
        scores: list[float] = (np.abs(windows - self._median) / self._spread).max(axis=1).tolist()
        return scores

    def reset(self) -> None:
        """What was usual before stays so."""

    def _look(self, past: Vector) -> None:
        last = len(past) - 1
        places = [round(part * last) for part in (_RANGE[0], 0.5, _RANGE[1])]
        low, self._median, high = np.partition(past, places, axis=0)[places]
        apart = np.abs(past - self._median)
        mad = _MAD_TO_STD * np.partition(apart, places[1], axis=0)[places[1]]
        least = np.maximum(_RANGE_TO_STD * (high - low), 1e-9 + 1e-6 * np.abs(self._median))
        self._spread = np.maximum(mad, least)


def put_out(results: Sequence[Result]) -> Vector:
    """All numbers that the model put out, the window's own where there is no model."""
    raw = [result.values.ravel() for result in results if isinstance(result, RawOutput)]
    if not raw:
        raise SignalMismatch(
            "the model's outputs are read as classes or objects, not as numbers",
            "set task: raw for the model",
        )
    return np.concatenate(raw, dtype=np.float64)
