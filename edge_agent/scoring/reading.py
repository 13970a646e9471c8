"""A number with a unit, and whether it is too high or too low."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.errors import SignalMismatch
from edge_agent.frame import Frame
from edge_agent.result import ClassScore, Reading, Result, Scored
from edge_agent.scoring.averages import MovingAverage
from edge_agent.scoring.deviation import put_out
from edge_agent.scoring.options import ReadingOptions


class ReadingScorer:
    """A reading of each window; a class `high` or `low` while it is beyond its bound.

    Beyond the bound it begins, and it ends once it is back by `hysteresis`. Both have score 1.
    """

    needs_all = True

    def __init__(self, options: ReadingOptions) -> None:
        above, below = options.above, options.below
        if above is not None and below is not None and above <= below:
            raise ValueError(f"reading: above ({above:g}) must be higher than below ({below:g})")
        self._options = options
        self._average = MovingAverage(options.average)
        self._state = "normal"

    def apply(self, frame: Frame, results: Sequence[Result]) -> Sequence[Scored]:
        """The reading, with the class while it is beyond a bound; raises SignalMismatch."""
        del frame
        options = self._options
        numbers = put_out(results)
        if options.output >= numbers.size:
            raise SignalMismatch(
                f"there are {numbers.size} numbers, and reading.output is {options.output}",
                f"set reading.output to 0..{numbers.size - 1}",
            )
        number = options.scale * float(numbers[options.output]) + options.offset
        value = self._average.add(number)
        self._state = self._judge(value)
        reading = Reading(value, 1.0, self._state, options.unit)
        if self._state == "normal":
            return [reading]
        return [reading, ClassScore(self._state, 1.0, 0 if self._state == "high" else 1)]

    def reset(self) -> None:
        """Forget the windows before."""
        self._average.reset()
        self._state = "normal"

    def _judge(self, value: float) -> str:
        above, below, back = self._options.above, self._options.below, self._options.hysteresis
        if above is not None and value > above - (back if self._state == "high" else 0.0):
            return "high"
        if below is not None and value < below + (back if self._state == "low" else 0.0):
            return "low"
        return "normal"
