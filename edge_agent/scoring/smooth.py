"""Scores of classes, smoothed over the windows of a stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from edge_agent.frame import Frame
from edge_agent.result import ClassScore, Result, Scored
from edge_agent.scoring.averages import Breaks
from edge_agent.scoring.options import SmoothOptions


class Smooth:
    """Gives each class the mean of its scores in the newest windows.

    At the beginning of a stream, and behind a gap in it, the windows that there are not count as
    zero: one window that looks like a word is not yet the word.
    """

    needs_all = True

    def __init__(self, options: SmoothOptions) -> None:
        self._length = options.average
        self._breaks = Breaks()
        self._windows: deque[dict[tuple[str, int], float]] = deque(maxlen=options.average)

    def apply(self, frame: Frame, results: Sequence[Result]) -> Sequence[Scored]:
        """The classes with their smoothed scores, best first; other results as they are."""
        if self._breaks.before(frame):
            self._windows.clear()
        scores = {(r.label, r.index): r.score for r in results if isinstance(r, ClassScore)}
        self._windows.append(scores)
        means = {
            key: sum(window.get(key, 0.0) for window in self._windows) / self._length
            for key in dict.fromkeys(key for window in self._windows for key in window)
        }
        others = [result for result in results if not isinstance(result, ClassScore)]
        best = sorted(means.items(), key=lambda item: -item[1])
        return [*others, *(ClassScore(label, mean, index) for (label, index), mean in best)]

    def reset(self) -> None:
        """Forget the windows before."""
        self._windows.clear()
