"""Counts objects that cross lines."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise

from edge_agent.geometry import Point
from edge_agent.result import Track
from edge_agent.rules.areas import ANCHORS
from edge_agent.rules.base import CountKey
from edge_agent.rules.options import LineOptions

_MARGIN = 0.01  # a crossing counts once the object is this far from the line: jitter is not

_Course = tuple[Point, ...]  # the ends of a line and what lies between


class LineWatch:
    """Lines of one pipeline; the way between two places clear of a line counts if it crosses it.

    `crossings` is what was counted before, and goes on; it may know lines that are no more.
    """

    def __init__(
        self, lines: Mapping[str, LineOptions], crossings: Counter[CountKey] | None = None
    ) -> None:
        self._lines: dict[str, tuple[str, _Course]] = {
            name: (line.anchor, (line.from_, *line.via, line.to)) for name, line in lines.items()
        }
        self._last: dict[tuple[int, str], Point] = {}
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
        for name, (anchor, course) in self._lines.items():
            point = ANCHORS[anchor](track.box)
            if _distance(course, point) < _MARGIN:
                continue  # too near to tell: it is where it was
            before = self._last.get((track.id, name))
            self._last[track.id, name] = point
            turn = 0 if before is None else _crossed(course, before, point)
            if turn:
                direction = "in" if turn > 0 else "out"
                self._crossings[CountKey(track.label, line=name, direction=direction)] += 1

    def forget(self, track_id: int) -> None:
        """Drop what is known of an object that ended."""
        for key in [key for key in self._last if key[0] == track_id]:
            del self._last[key]

    def reset(self) -> None:
        """Begin a new day: all counts are zero again, but stay published."""
        for key in self._crossings:
            self._crossings[key] = 0


def _crossed(course: _Course, start: Point, end: Point) -> int:
    """Above 0 where the way crosses the line from left to right, below 0 the other way round.

    Left and right are those of someone who walks along the line; y grows downwards. A way that
    crosses a bent line to and fro does not cross it in all.
    """
    sides = [_turn(start, end, point) for point in course]
    # A way over an end of the line crosses it.
    sides[0] = sides[0] or -sides[1]
    sides[-1] = sides[-1] or -sides[-2]
    total = 0
    for first, second, one, other in zip(course, course[1:], sides, sides[1:], strict=False):
        if (one > 0.0) == (other > 0.0):
            continue  # this part is wholly on one side of the way
        if (_turn(first, second, start) > 0.0) != (_turn(first, second, end) > 0.0):
            total += 1 if one > 0.0 else -1
    return total


def _turn(a: Point, b: Point, point: Point) -> float:
    """Positive where the point is on the right of someone who walks from a to b."""
    return (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])


def _distance(course: _Course, point: Point) -> float:
    """Distance of a point from the nearest point of a line."""
    return min(_apart(a, b, point) for a, b in pairwise(course))


def _apart(a: Point, b: Point, point: Point) -> float:
    dx, dy = b[0] - a[0], b[1] - a[1]
    along = (point[0] - a[0]) * dx + (point[1] - a[1]) * dy
    share = min(max(along / max(dx * dx + dy * dy, 1e-12), 0.0), 1.0)
    return math.dist(point, (a[0] + share * dx, a[1] + share * dy))
