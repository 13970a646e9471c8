"""Which zones an object is in."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge_agent.geometry import Point
from edge_agent.rules.options import ZoneOptions
from edge_agent.rules.zones import ZoneWatch, anchor, contains
from tests.rules.tracks import track

LEFT: list[Point] = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]
RIGHT: list[Point] = [(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)]
CONCAVE: list[Point] = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.5, 0.3), (0.1, 0.9)]
INSIDE, OUTSIDE = (0.25, 0.5), (0.75, 0.5)


def _watch(dwell: float = 0.0) -> ZoneWatch:
    return ZoneWatch({"left": ZoneOptions(LEFT, dwell)})


def _visits(watch: ZoneWatch, feet: Sequence[Point]) -> list[tuple[bool, bool]]:
    """Whether an object is in the zone, and has entered it, at each second."""
    found = [watch.update(track(foot), float(second)) for second, foot in enumerate(feet)]
    return [(bool(inside), bool(entered)) for inside, entered in found]


def test_anchor_is_where_it_stands() -> None:
    """An object is where the middle of its lower edge is."""
    assert anchor((0.25, 0.0, 0.75, 0.5)) == (0.5, 0.5)


def test_inside_and_entered_at_once() -> None:
    """Without a dwell the zone is entered with the first frame inside, and stays entered."""
    seen = _visits(_watch(), [OUTSIDE, INSIDE, INSIDE, OUTSIDE, INSIDE])
    assert seen == [(False, False), (True, True), (True, True), (False, True), (True, True)]


def test_dwell() -> None:
    """With a dwell it is neither in the zone nor has it entered before that time is over."""
    seen = _visits(_watch(dwell=2.0), [INSIDE] * 3 + [OUTSIDE])
    assert seen == [(False, False), (False, False), (True, True), (False, True)]


def test_leaving_begins_the_dwell_anew() -> None:
    """Time outside does not count, and the time before it no longer."""
    seen = _visits(_watch(dwell=2.0), [INSIDE, INSIDE, OUTSIDE, INSIDE, INSIDE, INSIDE])
    assert [entered for _, entered in seen] == [False] * 5 + [True]


def test_second_visit_dwells_too_but_is_no_second_entry() -> None:
    """A zone is entered once; to be in it again takes the dwell again."""
    seen = _visits(_watch(dwell=1.0), [INSIDE, INSIDE, OUTSIDE, INSIDE, INSIDE])
    assert [inside for inside, _ in seen] == [False, True, False, False, True]
    assert [entered for _, entered in seen] == [False] + [True] * 4


def test_zones_come_in_the_order_of_their_entry() -> None:
    """Several zones have their own dwell; entered ones are listed as they were entered."""
    zones = {
        "slow": ZoneOptions(LEFT, 5.0),
        "fast": ZoneOptions(CONCAVE),
        "far": ZoneOptions(RIGHT),
    }
    watch = ZoneWatch(zones)
    assert watch.names == ("slow", "fast", "far")
    assert watch.update(track((0.25, 0.2)), 0.0) == (("fast",), ("fast",))
    assert watch.update(track((0.25, 0.2)), 5.0)[1] == ("fast", "slow")


def test_objects_have_their_own_time() -> None:
    """The dwell of one object is not that of another."""
    watch = _watch(dwell=1.0)
    watch.update(track(INSIDE, track_id=1), 0.0)
    assert watch.update(track(INSIDE, track_id=2), 1.0) == ((), ())
    assert watch.update(track(INSIDE, track_id=1), 1.0) == (("left",), ("left",))


def test_without_a_box_or_zones_there_is_nothing() -> None:
    """A class of the whole frame is in no zone, nor is anything where there is none."""
    watch, empty = _watch(), ZoneWatch({})
    assert watch.update(track(None), 0.0) == ((), ())
    assert empty.update(track(INSIDE), 0.0) == ((), ())
    assert (watch._inside_since, watch._entered, empty._inside_since) == ({}, {}, {})


def test_forget_leaves_nothing() -> None:
    """An object that ended leaves no trace, and an id that comes again is a stranger."""
    watch = _watch(dwell=1.0)
    _visits(watch, [INSIDE, INSIDE])
    watch.forget(1)
    watch.forget(99)
    assert not watch._inside_since
    assert not watch._entered
    assert watch.update(track(INSIDE), 2.0) == ((), ())


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
