"""From how far a window is from normal to whether that is an anomaly."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge_agent.frame import Frame
from edge_agent.result import ClassScore, Reading, Result, Scored
from edge_agent.scoring.averages import Breaks, MovingAverage
from edge_agent.scoring.deviation import Deviation

LABEL = "anomaly"


class AnomalyScorer:
    """A class `anomaly` while the value is too high, and a reading of the value of each window.

    It begins above `limit` and ends below `limit` less the part `hysteresis` of it. The score is
    value / (value + limit): 0.5 at the limit, so it does not depend on the unit of the value.
    """

    needs_all = True

    def __init__(
        self,
        deviation: Callable[[], Deviation],
        limit: float,
        hysteresis: float = 0.0,
        average: int = 1,
    ) -> None:
        self._deviation = deviation()
        self._limit = limit
        self._end = limit * (1.0 - hysteresis)
        self._average = MovingAverage(average)
        self._breaks = Breaks()
        self._is_on = False

    def apply(self, frame: Frame, results: Sequence[Result]) -> Sequence[Scored]:
        """The reading, with the anomaly while there is one; raises SignalMismatch.

        Nothing for a window of which nothing can be said.
        """
        self._look_for_a_gap(frame)
        return self._judged(self._deviation.of(frame, results))

    def apply_each(self, frame: Frame, results: Sequence[Result]) -> Sequence[Sequence[Scored]]:
        """The same for each of the windows that are stacked."""
        self._look_for_a_gap(frame)
        return [self._judged(value) for value in self._deviation.of_each(frame, results)]

    def reset(self) -> None:
        """Forget the windows before."""
        self._average.reset()
        self._deviation.reset()
        self._is_on = False

    def _look_for_a_gap(self, frame: Frame) -> None:
        """No mean reaches over one; whether there is an anomaly, the next windows tell."""
        if self._breaks.before(frame):
            self._average.reset()

    def _judged(self, deviation: float | None) -> Sequence[Scored]:
        if deviation is None:
            return ()
        value = self._average.add(deviation)
        self._is_on = value > (self._end if self._is_on else self._limit)
        score = value / (value + self._limit)
        state = LABEL if self._is_on else "normal"
        reading = Reading(value, score, state, limit=self._limit)
        # It goes on below its limit while the hysteresis lasts.
        return [reading, ClassScore(LABEL, max(score, 0.5), 0)] if self._is_on else [reading]
