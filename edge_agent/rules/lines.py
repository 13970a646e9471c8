"""Counts objects that cross lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from edge_agent.geometry import Point
from edge_agent.result import Track
from edge_agent.rules.areas import bottom
from edge_agent.rules.base import CountKey
from edge_agent.rules.options import LineOptions

_MARGIN = 0.01  # a crossing counts once the object is this far beyond the line: jitter is not


class LineWatch:
    """Lines of one pipeline; each object has a side of each line, and a change of it counts.

    `crossings` is what was counted before, and goes on; it may know lines that are no more.
    """

    def __init__(
        self, lines: Mapping[str, LineOptions], crossings: Counter[CountKey] | None = None
    ) -> None:
        self._lines = dict(lines)
        self._last: dict[tuple[int, str], tuple[Point, int]] = {}
        self._crossings: Counter[CountKey] = Counter() if crossings is None else crossings

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the lines."""
        return tuple(self._lines)

    @property
    def counts(self) -> Counter[CountKey]:
        """How often each of the lines was crossed."""
        return Counter({key: n for key, n in self._crossings.items() if key.line in self._lines})

    def update(self, track: Track) -> None:
        """Take in where an object is now."""
        if track.box is None or not track.seen:
            return
        point = bottom(track.box)
        for name, line in self._lines.items():
            side = _side(line, point)
            if side == 0:
                continue  # too near to tell: it keeps the side it had
            before = self._last.get((track.id, name))
            self._last[track.id, name] = (point, side)
            if before is not None and before[1] != side and _meets(line, before[0], point):
                direction = "in" if side > 0 else "out"
                self._crossings[CountKey(track.label, line=name, direction=direction)] += 1

    def forget(self, track_id: int) -> None:
        """Drop what is known of an object that ended."""
        for key in [key for key in self._last if key[0] == track_id]:
            del self._last[key]

    def reset(self) -> None:
        """Begin a new day: all counts are zero again, but stay published."""
        for key in self._crossings:
            self._crossings[key] = 0


def _side(line: LineOptions, point: Point) -> int:
    """1 right of someone who walks from `from` to `to`, -1 left, 0 nearer than the margin."""
    (x1, y1), (x2, y2) = line.from_, line.to
    length = max(((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5, 1e-9)
    # y grows downwards, so a positive cross product is the right-hand side.
    distance = ((x2 - x1) * (point[1] - y1) - (y2 - y1) * (point[0] - x1)) / length
    return 0 if abs(distance) < _MARGIN else (1 if distance > 0 else -1)


def _meets(line: LineOptions, start: Point, end: Point) -> bool:
    """Whether the way from start to end, known to change sides, goes between the line's ends."""
    (x1, y1), (x2, y2) = line.from_, line.to
    dx, dy = end[0] - start[0], end[1] - start[1]
    a = dx * (y1 - start[1]) - dy * (x1 - start[0])
    b = dx * (y2 - start[1]) - dy * (x2 - start[0])
    return (a <= 0.0 <= b) or (b <= 0.0 <= a)
