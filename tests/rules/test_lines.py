"""Counting objects that cross lines."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.geometry import Point
from edge_agent.rules.base import CountKey
from edge_agent.rules.lines import LineWatch, _distance
from edge_agent.rules.options import LineOptions
from tests.rules.tracks import track

UP = LineOptions((0.5, 1.0), (0.5, 0.0))  # who walks up it has the left half on the left
IN = CountKey("cat", line="door", direction="in")
OUT = CountKey("cat", line="door", direction="out")


def _cross(feet: Sequence[Point], line: LineOptions = UP) -> tuple[int, int]:
    """How often an object on that way was counted in and out."""
    watch = LineWatch({"door": line})
    for foot in feet:
        watch.update(track(foot))
    return watch.counts[IN], watch.counts[OUT]


def _along(*xs: float) -> list[Point]:
    return [(x, 0.5) for x in xs]


@pytest.mark.parametrize(
    ("xs", "counted"),
    [
        ((0.3, 0.7), (1, 0)),
        ((0.7, 0.3), (0, 1)),
        ((0.3, 0.7, 0.3), (1, 1)),
        ((0.3, 0.7, 0.3, 0.7), (2, 1)),
        ((0.3, 0.4, 0.45), (0, 0)),
        ((0.7,), (0, 0)),
    ],
)
def test_direction(xs: tuple[float, ...], counted: tuple[int, int]) -> None:
    """From the left of the line is in, from the right out; each crossing counts once."""
    assert _cross(_along(*xs)) == counted


@pytest.mark.parametrize(
    ("line", "way", "counted"),
    [
        (LineOptions((0.0, 0.5), (1.0, 0.5)), [(0.5, 0.3), (0.5, 0.7)], (1, 0)),
        (LineOptions((1.0, 0.5), (0.0, 0.5)), [(0.5, 0.3), (0.5, 0.7)], (0, 1)),
        (LineOptions((0.0, 0.0), (1.0, 1.0)), [(0.7, 0.3), (0.3, 0.7)], (1, 0)),
    ],
)
def test_direction_of_other_lines(
    line: LineOptions, way: list[Point], counted: tuple[int, int]
) -> None:
    """Left and right are those of someone who walks along the line, seen on the picture."""
    assert _cross(way, line) == counted


def test_jitter_around_the_line_counts_once() -> None:
    """Who stands on the line and trembles is counted once when it leaves on the other side."""
    tremble = [0.495, 0.505, 0.499, 0.509, 0.491, 0.5] * 20
    assert _cross(_along(0.4, *tremble, 0.6)) == (1, 0)
    assert _cross(_along(0.4, *tremble, 0.4)) == (0, 0)
    assert _cross(_along(*tremble, 0.6)) == (0, 0)


def test_first_seen_beyond_the_line() -> None:
    """What came into sight on the far side was not seen to cross; its way back counts."""
    assert _cross(_along(0.6, 0.9)) == (0, 0)
    assert _cross(_along(0.6, 0.9, 0.4)) == (0, 1)
    assert _cross(_along(0.495, 0.9)) == (0, 0)


def test_anchor() -> None:
    """Of a car from above the middle crosses, an eighth of the frame above its lower edge."""
    way = [(0.5, 0.6), (0.5, 0.7)]
    line = LineOptions((0.0, 0.52), (1.0, 0.52))
    assert _cross(way, line) == (0, 0)
    assert _cross(way, replace(line, anchor="center")) == (1, 0)


# A gate in the middle of a fence that bends around a yard.
FENCE = LineOptions((0.25, 1.0), (0.75, 1.0), [(0.25, 0.5), (0.75, 0.5)])


@pytest.mark.parametrize(
    ("way", "counted"),
    [
        ([(0.1, 0.8), (0.5, 0.8)], (1, 0)),
        ([(0.5, 0.2), (0.5, 0.8)], (1, 0)),
        ([(0.9, 0.8), (0.5, 0.8)], (1, 0)),
        ([(0.5, 0.8), (0.9, 0.8)], (0, 1)),
        ([(0.1, 0.8), (0.9, 0.8)], (0, 0)),
        ([(0.1, 0.8), (0.5, 0.8), (0.9, 0.8)], (1, 1)),
        ([(0.1, 0.35), (0.5, 0.75)], (1, 0)),  # over the very corner
        ([(0.1, 0.8), (0.1, 0.2), (0.9, 0.2), (0.9, 0.8)], (0, 0)),
        ([(0.9, 0.8), *[(0.745, 0.8), (0.755, 0.8)] * 5, (0.9, 0.8)], (0, 0)),
        ([(0.9, 0.8), *[(0.745, 0.8), (0.755, 0.8)] * 5, (0.6, 0.8)], (1, 0)),
    ],
)
def test_bent_line(way: list[Point], counted: tuple[int, int]) -> None:
    """In is into the yard through any part; straight through it is no crossing in all."""
    assert _cross(way, FENCE) == counted


def test_way_around_the_line_is_no_crossing() -> None:
    """Only the part between the ends counts, as do both ends themselves."""
    short = LineOptions((0.5, 0.6), (0.5, 0.4))
    assert _cross([(0.4, 0.2), (0.6, 0.2)], short) == (0, 0)
    assert _cross([(0.4, 0.2), (0.6, 0.2), (0.6, 0.5), (0.4, 0.5)], short) == (0, 1)
    over_the_end = [(0.25, 0.25), (0.75, 0.25), (0.25, 0.25)]
    assert _cross(over_the_end, LineOptions((0.5, 0.5), (0.5, 0.25))) == (1, 1)


def test_line_without_length_counts_nothing() -> None:
    """Two ends in one place are no line."""
    assert _cross(_along(0.3, 0.7), LineOptions((0.5, 0.5), (0.5, 0.5))) == (0, 0)


def test_unseen_and_boxless_tracks_do_not_cross() -> None:
    """Only sightings with a box are places."""
    watch = LineWatch({"door": UP})
    for foot, seen in [((0.3, 0.5), True), ((0.7, 0.5), False), (None, True), ((0.4, 0.5), True)]:
        watch.update(track(foot, seen=seen))
    assert not watch.counts


def test_each_object_and_line_on_its_own() -> None:
    """Objects do not share their sides, lines not their counts, labels are told apart."""
    watch = LineWatch({"door": UP, "gate": LineOptions((0.8, 1.0), (0.8, 0.0))})
    watch.update(track((0.3, 0.5), track_id=1))
    watch.update(track((0.7, 0.5), track_id=2))
    assert not watch.counts
    watch.update(track((0.9, 0.5), track_id=1))
    watch.update(track((0.4, 0.5), track_id=2, label="dog"))
    gate = CountKey("cat", line="gate", direction="in")
    assert watch.counts == {IN: 1, gate: 1, CountKey("dog", line="door", direction="out"): 1}


def test_forget_leaves_nothing() -> None:
    """An object that ended is forgotten, its count is not; others stay known."""
    watch = LineWatch({"door": UP, "gate": UP})
    for number in (1, 2):
        watch.update(track((0.3, 0.5), track_id=number))
    watch.forget(1)
    assert {key[0] for key in watch._last} == {2}
    watch.update(track((0.7, 0.5), track_id=1))
    watch.update(track((0.7, 0.5), track_id=2))
    watch.forget(1)
    watch.forget(2)
    assert not watch._last
    assert watch.counts[IN] == 1


def test_reset_keeps_the_counts_at_zero() -> None:
    """A new day begins at zero, is still published, and does not forget who stands where."""
    watch = LineWatch({"door": UP})
    for x in (0.3, 0.7):
        watch.update(track((x, 0.5)))
    watch.reset()
    assert dict(watch.counts) == {IN: 0}
    watch.update(track((0.3, 0.5)))
    assert dict(watch.counts) == {IN: 0, OUT: 1}


def test_counts_go_on_with_other_lines() -> None:
    """What was counted goes on for lines that stay, also those moved, and hides for others."""
    crossings = Counter({IN: 2, CountKey("cat", line="gate", direction="in"): 5})
    watch = LineWatch({"door": UP, "new": UP}, crossings)
    assert watch.counts == {IN: 2}
    for x in (0.3, 0.7):
        watch.update(track((x, 0.5)))
    new = CountKey("cat", line="new", direction="in")
    assert watch.counts == {IN: 3, new: 1}
    assert LineWatch({"gate": UP}, crossings).counts.total() == 5


_PLACES = st.floats(0.0, 1.0).filter(lambda x: abs(abs(x - 0.5) - 0.01) > 1e-6)


@settings(deadline=None)
@given(xs=st.lists(_PLACES, min_size=1, max_size=40))
def test_every_change_of_side_counts_once(xs: list[float]) -> None:
    """On any way, each change between places that are clear of the line counts in or out."""
    sides = [x > 0.5 for x in xs if abs(x - 0.5) > 0.01]
    changes = list(pairwise(sides))
    assert _cross(_along(*xs)) == (changes.count((False, True)), changes.count((True, False)))


_ANGLES = st.floats(0.0, 2 * math.pi)
_TREMBLE = st.lists(
    st.tuples(st.floats(-0.3, 0.3), st.floats(-0.0099, 0.0099)), min_size=1, max_size=40
)


def _turned(angle: float) -> tuple[LineOptions, Callable[[float, float], Point]]:
    """A line through the middle, and the place so far along it and to the right of it."""
    dx, dy = math.cos(angle), math.sin(angle)

    def place(along: float, right: float) -> Point:
        return 0.5 + along * dx - right * dy, 0.5 + along * dy + right * dx

    return LineOptions(place(-0.4, 0.0), place(0.4, 0.0)), place


@settings(deadline=None)
@given(angle=_ANGLES, begin=st.sampled_from([-1, 1]), ends=st.lists(_TREMBLE, max_size=6))
def test_trembling_within_the_margin_never_counts_twice(
    angle: float, begin: int, ends: list[list[tuple[float, float]]]
) -> None:
    """Between any two places clear of the line, however it trembles, there is one crossing."""
    line, place = _turned(angle)
    side, way, crossed = begin, [place(0.0, 0.1 * begin)], [0, 0]
    for tremble in ends:
        way += [place(along, right) for along, right in tremble]
        fresh = 1 if tremble[-1][1] > 0.0 else -1
        if fresh != side:
            crossed[0 if fresh > 0 else 1] += 1
        side = fresh
        way.append(place(0.0, 0.1 * side))
    assert _cross(way, line) == tuple(crossed)


@settings(deadline=None)
@given(
    angle=_ANGLES,
    start=st.floats(-0.3, 0.3),
    end=st.floats(-0.3, 0.3),
    stops=st.sets(st.integers(1, 99), max_size=20),
)
def test_sparse_frames_count_the_same(
    angle: float, start: float, end: float, stops: set[int]
) -> None:
    """A straight way across is one crossing, at whichever of its places it was seen."""
    line, place = _turned(angle)
    way = [
        place(start + (end - start) * n / 100, -0.3 + 0.6 * n / 100)
        for n in (0, *sorted(stops), 100)
    ]
    assert _cross(way, line) == (1, 0)
    assert _cross(way[::-1], line) == (0, 1)


_HEIGHTS = st.lists(st.integers(4, 12).map(lambda n: n / 16), min_size=2, max_size=6)


@settings(deadline=None)
@given(heights=_HEIGHTS, feet=st.lists(st.tuples(_PLACES, _PLACES), max_size=20))
def test_bent_line_across_the_frame_parts_it(heights: list[float], feet: list[Point]) -> None:
    """From border to border each change of side counts, whatever the bends in between."""
    last = len(heights) - 1
    corners = [(n / last, height) for n, height in enumerate(heights)]
    line = LineOptions(corners[0], corners[-1], corners[1:-1])
    clear = [foot for foot in feet if _distance(tuple(corners), foot) >= 0.01 + 1e-9]
    below = [foot[1] > _height(corners, foot[0]) for foot in clear]
    changes = list(pairwise(below))
    counted = (changes.count((False, True)), changes.count((True, False)))
    assert _cross(clear, line) == counted


def _height(corners: Sequence[Point], x: float) -> float:
    """Height of a bent line at x."""
    for (x1, y1), (x2, y2) in pairwise(corners):
        if x <= x2:
            return y1 + (y2 - y1) * (x - x1) / (x2 - x1)
    return corners[-1][1]
