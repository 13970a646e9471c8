"""How far what came is from what a model had predicted of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import SignalMismatch
from edge_agent.frame import Frame, Place
from edge_agent.result import Result
from edge_agent.scoring.deviation import Deviation, Vector, put_out

_NO_PLACE = Place(-1, 0, 0, 1)


class Forecast(Deviation):
    """Root mean square difference between the rows that came and what was predicted of them.

    The model puts out the rows that follow its window, row by row, in the units of its input. The
    rows that a window brings are each compared with every prediction of them: where it is more
    than a hop that is predicted, there are several, and one row is judged from near and from far
    (Malhotra, Vig, Shroff and Agarwal 2015). The value is sqrt(mean((came - predicted)^2)): the
    Euclidean distance of Munir, Siddiqui, Dengel and Ahmed (DeepAnT, 2019) without its dependence
    on how many numbers there are.

    Nothing is said of the first window after a gap, nor after rows that no window showed.
    """

    def __init__(self) -> None:
        self._newest = _NO_PLACE
        self._predictions: deque[tuple[int, Vector]] = deque()  # number of the first row, rows

    def of(self, frame: Frame, results: Sequence[Result]) -> float | None:
        """The difference for the rows that this window brings; None where none was predicted."""
        rows, place = _rows_of(frame)
        predicted = _predicted(put_out(results), rows.shape[1], place)
        if not _follows(place, self._newest):
            self._predictions.clear()
        end = place.first + place.count
        apart = [each.ravel() for each in self._apart(rows, place.first)]
        self._newest = place
        self._predictions.append((end, predicted))
        while self._predictions[0][0] + len(self._predictions[0][1]) <= end:
            self._predictions.popleft()
        return float(np.sqrt(np.mean(np.square(np.concatenate(apart))))) if apart else None

    def reset(self) -> None:
        """Forget the predictions: the rows to come do not follow those before."""
        self._newest = _NO_PLACE
        self._predictions.clear()

    def _apart(self, rows: NDArray[Any], first: int) -> Iterator[Vector]:
        """The rows that were in no window before, less each prediction of them."""
        fresh = self._newest.first + self._newest.count
        for start, predicted in self._predictions:
            came = rows[fresh - first : start + len(predicted) - first]
            yield came - predicted[fresh - start :][: len(came)]


def _rows_of(frame: Frame) -> tuple[NDArray[Any], Place]:
    """The rows of a window and where they are."""
    place, shape = frame.place, frame.data.shape
    if place is None or len(shape) != 2 or shape[0] != place.count:
        raise SignalMismatch(
            f"a window is {'x'.join(map(str, shape))} numbers, which are no longer the rows of the "
            "signal, so no forecast can be compared with them",
            "make the features along the signal, in stream; z_score and min_max may stay",
        )
    return frame.data, place


def _predicted(numbers: Vector, channels: int, place: Place) -> Vector:
    """What was put out, as rows."""
    horizon, rest = divmod(numbers.size, channels)
    if rest or not horizon:
        raise SignalMismatch(
            f"the model puts out {numbers.size} numbers for a signal of {channels} channels, so "
            "these are no rows that it predicts",
            "use a model that puts out the rows that come next, each with all channels",
        )
    if not np.isfinite(numbers).all():
        raise SignalMismatch(
            "the model predicts numbers that are not finite",
            "scale the signal as that which it was trained on, by z_score or min_max",
        )
    most = min(horizon, place.count)
    if place.hop > most:
        raise SignalMismatch(
            f"windows of {place.count} rows begin {place.hop} rows apart and the model predicts "
            f"{horizon}: some rows would be compared with nothing",
            f"set window.hop to {most} or less",
        )
    return numbers.reshape(horizon, channels)


def _follows(place: Place, before: Place) -> bool:
    """Whether a window goes on where the one before it ended, with no row between them."""
    start, end = before.first, before.first + before.count
    return place.part == before.part and start < place.first <= end
