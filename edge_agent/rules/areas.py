"""Points, boxes and polygons: what lies in what. Coordinates are fractions of the frame."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.geometry import Box, Point

_SPECK = 1e-12  # an area below this is a touch, not an overlap


def bottom(box: Box) -> Point:
    """Middle of the lower edge: where feet and wheels stand."""
    return (box[0] + box[2]) / 2, box[3]


def center(box: Box) -> Point:
    """Middle of the box."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


ANCHORS = {"bottom": bottom, "center": center}


def around(point: Point, margin: float) -> Box:
    """The square that reaches so far from a point to each side."""
    x, y = point
    return (x - margin, y - margin, x + margin, y + margin)


def grown(box: Box, margin: float) -> Box:
    """The box, larger by so much on each side."""
    return (box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin)


def contains(polygon: Sequence[Point], point: Point) -> bool:
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


def overlaps(polygon: Sequence[Point], box: Box) -> bool:
    """Whether a polygon that does not cross itself and a box share any area.

    What the box leaves of the polygon is cut out exactly (Sutherland and Hodgman 1974). Pieces of
    a concave polygon come out joined by edges that run to and fro, which have no area.
    """
    x1, y1, x2, y2 = box
    rest = list(polygon)
    for axis, limit, sign in ((0, x1, 1.0), (0, x2, -1.0), (1, y1, 1.0), (1, y2, -1.0)):
        rest = _cut(rest, axis, limit, sign)
        if len(rest) < 3:
            return False
    return abs(_area(rest)) > _SPECK


def _cut(polygon: Sequence[Point], axis: int, limit: float, sign: float) -> list[Point]:
    """The part of a polygon on one side of an upright or level line."""
    kept: list[Point] = []
    before = polygon[-1]
    depth_before = sign * (before[axis] - limit)
    for corner in polygon:
        depth = sign * (corner[axis] - limit)
        if (depth > 0.0) != (depth_before > 0.0):
            kept.append(_between(before, corner, depth_before / (depth_before - depth)))
        if depth > 0.0:
            kept.append(corner)
        before, depth_before = corner, depth
    return kept


def _between(a: Point, b: Point, share: float) -> Point:
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])


def _area(polygon: Sequence[Point]) -> float:
    """Signed area, by the shoelace formula."""
    total = 0.0
    x1, y1 = polygon[-1]
    for x2, y2 in polygon:
        total += x1 * y2 - x2 * y1
        x1, y1 = x2, y2
    return total / 2
