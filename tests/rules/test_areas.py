"""What lies in what: points, boxes and polygons, against slow and simple ways to tell."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge_agent.geometry import Box, Point
from edge_agent.rules.areas import bottom, center, contains, overlaps

CONCAVE: list[Point] = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.5, 0.3), (0.1, 0.9)]
# A square whose notch comes down to its lower edge: two towers that touch in (0.5, 0.75).
TOUCHING: list[Point] = [(0.25, 0.25), (0.5, 0.75), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)]
COMB: list[Point] = [
    (0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.75, 1.0),
    (0.75, 0.25), (0.25, 0.25), (0.25, 1.0), (0.0, 1.0),
]  # fmt: skip


def test_anchors_of_a_box() -> None:
    """Where it stands, and its middle."""
    assert bottom((0.25, 0.0, 0.75, 0.5)) == (0.5, 0.5)
    assert center((0.25, 0.0, 0.75, 0.5)) == (0.5, 0.25)


@pytest.mark.parametrize(
    ("point", "inside"),
    [((0.5, 0.2), True), ((0.5, 0.5), False), ((0.2, 0.6), True), ((0.8, 0.6), True)],
)
def test_concave_polygon(point: Point, inside: bool) -> None:
    """The notch of a polygon is not inside."""
    assert contains(CONCAVE, point) == inside


@pytest.mark.parametrize("side", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_border_of_the_frame_belongs_to_a_zone_that_reaches_it(side: float) -> None:
    """Feet on the very border of the frame are in a zone that covers the frame."""
    frame: list[Point] = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    assert all(contains(frame, p) for p in [(side, 0.0), (side, 1.0), (0.0, side), (1.0, side)])


_SIDE = st.integers(0, 16).map(lambda n: n / 16)
_POINTS = st.tuples(_SIDE, _SIDE)
_ANYWHERE = st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0))


@settings(deadline=None)
@given(split=_SIDE, foot=_POINTS | _ANYWHERE)
def test_neighbours_share_no_point_and_leave_none_out(split: float, foot: Point) -> None:
    """Two zones that share an edge hold every point of the frame exactly once."""
    assume(0.0 < split < 1.0)
    left: list[Point] = [(0.0, 0.0), (split, 0.0), (split, 1.0), (0.0, 1.0)]
    right: list[Point] = [(split, 0.0), (1.0, 0.0), (1.0, 1.0), (split, 1.0)]
    assert contains(left, foot) != contains(right, foot)


@settings(deadline=None)
@given(polygon=st.lists(_POINTS, min_size=3, max_size=9), point=_ANYWHERE)
def test_even_odd_as_by_turning_around_the_point(polygon: list[Point], point: Point) -> None:
    """Away from the edges a point is inside where the corners turn around it an odd number."""
    edges = list(zip(polygon, [*polygon[1:], polygon[0]], strict=True))
    assume(min(_distance(a, b, point) for a, b in edges) > 1e-6)
    assert contains(polygon, point) == (_turns(edges, point) % 2 == 1)


@settings(deadline=None)
@given(polygon=st.lists(_POINTS, min_size=3, max_size=9), point=_POINTS, turn=st.integers(0, 8))
def test_first_corner_and_direction_do_not_matter(
    polygon: list[Point], point: Point, turn: int
) -> None:
    """A polygon may begin at any of its corners and go round either way."""
    turn %= len(polygon)
    assert contains(polygon[turn:] + polygon[:turn], point) == contains(polygon, point)
    assert contains(polygon[::-1], point) == contains(polygon, point)


def _turns(edges: Sequence[tuple[Point, Point]], point: Point) -> int:
    """Winding number by adding up angles."""
    total = 0.0
    for a, b in edges:
        angle = math.atan2(b[1] - point[1], b[0] - point[0])
        angle -= math.atan2(a[1] - point[1], a[0] - point[0])
        total += math.remainder(angle, 2 * math.pi)
    return round(total / (2 * math.pi))


def _distance(a: Point, b: Point, point: Point) -> float:
    """Distance of a point from an edge."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    along = (point[0] - a[0]) * dx + (point[1] - a[1]) * dy
    share = min(max(along / (dx * dx + dy * dy or 1.0), 0.0), 1.0)
    return math.dist(point, (a[0] + share * dx, a[1] + share * dy))


@pytest.mark.parametrize(
    ("point", "inside"),
    [((0.3, 0.6), True), ((0.7, 0.6), True), ((0.5, 0.5), False), ((0.5, 0.7), False)],
)
def test_polygon_that_touches_itself(point: Point, inside: bool) -> None:
    """Towers whose notch reaches their common edge are both inside, the notch is not."""
    assert contains(TOUCHING, point) == inside


@pytest.mark.parametrize("polygon", [CONCAVE, TOUCHING, COMB])
def test_a_vertex_on_the_ray_counts_once(polygon: list[Point]) -> None:
    """At the height of a corner no point far to the side is taken for an inside one."""
    for _, y in polygon:
        assert not contains(polygon, (-0.5, y))
        assert not contains(polygon, (0.999, y)) or max(x for x, _ in polygon) == 1.0


@pytest.mark.parametrize(
    ("box", "shares"),
    [
        ((0.3, 0.5, 0.7, 0.9), False),  # between the teeth
        ((0.3, 0.2, 0.7, 0.9), True),  # up to the back
        ((0.2, 0.5, 0.7, 0.9), True),  # into one tooth
        ((0.25, 0.25, 0.75, 1.0), False),  # fills the gap, touches all round
        ((0.255, 0.255, 0.745, 1.0), False),  # nearly does
        ((0.245, 0.5, 0.5, 0.6), True),  # reaches into a tooth by a hair
        ((0.1, 0.4, 0.2, 0.5), True),  # inside a tooth
        ((-1.0, -1.0, 2.0, 2.0), True),  # around everything
        ((0.0, 0.0, 0.0, 0.0), False),  # nothing
    ],
)
def test_overlap_with_a_comb(box: Box, shares: bool) -> None:
    """Between the teeth is outside, however the pieces are joined; touching is not sharing."""
    assert overlaps(COMB, box) == shares
    lying, turned = [(y, x) for x, y in COMB], (box[1], box[0], box[3], box[2])
    assert overlaps(lying, turned) == shares


_CELLS = 16
_ANGLES = st.lists(
    st.tuples(st.integers(0, 63), st.integers(1, 8)),
    min_size=3,
    max_size=9,
    unique_by=lambda a: a[0],
)


def _star(spokes: list[tuple[int, int]]) -> list[Point]:
    """A polygon around the middle that does not cross itself, mostly concave."""
    return [
        (0.5 + r / 16 * math.cos(a * math.pi / 32), 0.5 + r / 16 * math.sin(a * math.pi / 32))
        for a, r in sorted(spokes)
    ]


def _raster(polygon: list[Point], box: Box, cells: int = 128) -> bool:
    """Whether any of many points inside the box is in the polygon."""
    xs = [box[0] + (n + 0.5) / cells * (box[2] - box[0]) for n in range(cells)]
    ys = [box[1] + (n + 0.5) / cells * (box[3] - box[1]) for n in range(cells)]
    return any(contains(polygon, (x, y)) for y in ys for x in xs)


@settings(deadline=None, max_examples=60)
@given(
    spokes=_ANGLES,
    corner=st.tuples(st.integers(0, _CELLS - 1), st.integers(0, _CELLS - 1)),
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
)
def test_overlap_as_by_rasterising(
    spokes: list[tuple[int, int]], corner: tuple[int, int], size: tuple[int, int]
) -> None:
    """Points of the box in the polygon mean an overlap; without any, it is a sliver at most."""
    angles = sorted(angle for angle, _ in spokes)
    gaps = [b - a for a, b in zip(angles, [*angles[1:], angles[0] + 64], strict=True)]
    assume(max(gaps) < 32)  # the middle is inside, so that the spokes do not cross
    polygon = _star(spokes)
    x, y = corner[0] / _CELLS, corner[1] / _CELLS
    box = (x, y, x + size[0] / _CELLS, y + size[1] / _CELLS)
    if _raster(polygon, box):
        assert overlaps(polygon, box)
    inner = (box[0] + 0.02, box[1] + 0.02, box[2] - 0.02, box[3] - 0.02)
    if not _raster(polygon, box):
        assert not overlaps(polygon, inner)
