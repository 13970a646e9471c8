"""Which zones an object is in, and which it has entered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_agent.geometry import Box, Point
from edge_agent.options import Vertex
from edge_agent.result import Track
from edge_agent.rules.options import ZoneOptions


class ZoneWatch:
    """Zones of one pipeline, by the middle of the lower edge of each box (where feet stand)."""

    def __init__(self, zones: Mapping[str, ZoneOptions]) -> None:
        self._zones = dict(zones)
        self._inside_since: dict[int, dict[str, float]] = {}
        self._entered: dict[int, list[str]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all zones."""
        return tuple(self._zones)

    def update(self, track: Track, timeline: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Zones that the track is in now (after their dwell), and all it has entered so far."""
        if track.box is None or not self._zones:
            return (), ()
        since = self._inside_since.setdefault(track.id, {})
        entered = self._entered.setdefault(track.id, [])
        for name, zone in self._zones.items():
            if not contains(zone.polygon, anchor(track.box)):
                since.pop(name, None)
            elif timeline - since.setdefault(name, timeline) >= zone.dwell and name not in entered:
                entered.append(name)
        inside = tuple(n for n, start in since.items() if timeline - start >= self._zones[n].dwell)
        return inside, tuple(entered)

    def forget(self, track_id: int) -> None:
        """Drop what is known of an object that ended."""
        self._inside_since.pop(track_id, None)
        self._entered.pop(track_id, None)


def anchor(box: Box) -> Point:
    """Middle of the lower edge."""
    return (box[0] + box[2]) / 2, box[3]


def contains(polygon: Sequence[Vertex], point: Point) -> bool:
    """Whether the point is inside, by the even-odd rule.

    Edges count as inside on their lower-coordinate side, except that the frame's own lower and
    right border belong to a polygon that reaches them.
    """
    x, y = min(point[0], 1.0 - 1e-9), min(point[1], 1.0 - 1e-9)
    inside = False
    previous = polygon[-1]
    for corner in polygon:
        (x1, y1), (x2, y2) = previous, corner
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
        previous = corner
    return inside
