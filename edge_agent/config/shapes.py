"""Whether an area is drawn so that it has an inside."""

from __future__ import annotations

from itertools import combinations

from edge_agent.geometry import Point


def polygon_fault(corners: list[Point]) -> str:
    """What is wrong with a polygon, "" where nothing is; the first corner may close it."""
    distinct = _without_repeats(corners)
    if len(distinct) < 3:
        return "needs three different corners"
    sides = [(a, b) for a, b in zip(distinct, [*distinct[1:], distinct[0]], strict=True)]
    for (i, first), (j, second) in combinations(enumerate(sides), 2):
        if j - i not in (1, len(sides) - 1) and _cross(*first, *second):
            return f"crosses itself: side {i + 1} and side {j + 1}"
    if abs(_area(distinct)) < 1e-9:
        return "has no area: its corners lie on one line"
    return ""


def _without_repeats(corners: list[Point]) -> list[Point]:
    kept = [b for a, b in zip([None, *corners], corners, strict=False) if a != b]
    return kept[:-1] if len(kept) > 1 and kept[0] == kept[-1] else kept


def _area(corners: list[Point]) -> float:
    """Signed area by the shoelace formula."""
    pairs = zip(corners, [*corners[1:], corners[0]], strict=True)
    return sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairs) / 2.0


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """True where the segments ab and cd cross at a point inside both."""
    return _side(a, b, c) * _side(a, b, d) < 0.0 and _side(c, d, a) * _side(c, d, b) < 0.0


def _side(a: Point, b: Point, p: Point) -> float:
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])
