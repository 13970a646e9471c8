"""Which zones an object is in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.geometry import Point
from edge_agent.rules.options import ZoneOptions
from edge_agent.rules.zones import Whereabouts, ZoneWatch
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
    return [(bool(place.inside), bool(place.entered)) for place in found]


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
    assert watch.update(track((0.25, 0.2)), 0.0) == Whereabouts(("fast",), ("fast",))
    assert watch.update(track((0.25, 0.2)), 5.0).entered == ("fast", "slow")


def test_objects_have_their_own_time() -> None:
    """The dwell of one object is not that of another."""
    watch = _watch(dwell=1.0)
    watch.update(track(INSIDE, track_id=1), 0.0)
    assert watch.update(track(INSIDE, track_id=2), 1.0) == Whereabouts()
    assert watch.update(track(INSIDE, track_id=1), 1.0) == Whereabouts(("left",), ("left",))


def test_without_a_box_or_zones_there_is_nothing() -> None:
    """A class of the whole frame is in no zone, nor is anything where there is none."""
    watch, empty = _watch(), ZoneWatch({})
    assert watch.update(track(None), 0.0) == Whereabouts()
    assert empty.update(track(INSIDE), 0.0) == Whereabouts()
    assert (watch._inside_since, watch._entered, empty._inside_since) == ({}, {}, {})


def test_forget_leaves_nothing() -> None:
    """An object that ended leaves no trace, and an id that comes again is a stranger."""
    watch = _watch(dwell=1.0)
    _visits(watch, [INSIDE, INSIDE])
    watch.forget(1)
    watch.forget(99)
    assert not watch._inside_since
    assert not watch._entered
    assert watch.update(track(INSIDE), 2.0) == Whereabouts()


def _foot(*xs: float, zone: ZoneOptions) -> list[bool]:
    """Whether an object on that way is in the zone."""
    watch = ZoneWatch({"zone": zone})
    return [bool(watch.update(track((x, 0.5)), float(n)).inside) for n, x in enumerate(xs)]


def test_jitter_on_the_edge_is_no_way_out() -> None:
    """Who came in stays in until clear of the edge, and comes in only over the edge itself."""
    assert _foot(0.49, 0.505, 0.495, 0.509, 0.511, 0.505, zone=ZoneOptions(LEFT)) == [
        True, True, True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("anchor", "polygon", "inside"),
    [
        ("bottom", [(0.4, 0.45), (0.6, 0.45), (0.6, 0.55), (0.4, 0.55)], True),
        ("bottom", [(0.4, 0.3), (0.6, 0.3), (0.6, 0.45), (0.4, 0.45)], False),
        ("center", [(0.4, 0.3), (0.6, 0.3), (0.6, 0.45), (0.4, 0.45)], True),
        ("center", [(0.4, 0.45), (0.6, 0.45), (0.6, 0.55), (0.4, 0.55)], False),
        ("overlap", [(0.6, 0.3), (0.9, 0.1), (0.9, 0.3)], True),
        ("overlap", [(0.7, 0.3), (0.9, 0.1), (0.9, 0.3)], False),
    ],
)
def test_anchors(anchor: Any, polygon: list[Point], inside: bool) -> None:
    """Feet, middle, or any part of the box: what lies in the zone decides."""
    watch = ZoneWatch({"zone": ZoneOptions(polygon, anchor=anchor)})
    assert bool(watch.update(track((0.5, 0.5)), 0.0).inside) == inside


def test_overlap_leaves_only_when_clear_of_the_zone() -> None:
    """The box has to come clear by the same margin as the feet."""
    overlap = ZoneOptions(LEFT, anchor="overlap")  # boxes reach 0.125 to each side
    assert _foot(0.62, 0.63, 0.636, 0.63, zone=overlap) == [True, True, False, False]


def test_out_of_sight_it_is_where_it_was() -> None:
    """Where an object is believed to be neither enters nor leaves, and its dwell goes on."""
    watch = _watch(dwell=2.0)
    steps = [(INSIDE, True), (OUTSIDE, False), (OUTSIDE, False), (OUTSIDE, True), (INSIDE, False)]
    found = [watch.update(track(f, seen=s), float(n)).inside for n, (f, s) in enumerate(steps)]
    assert [bool(each) for each in found] == [False, False, True, False, False]


def test_loitering() -> None:
    """Who stays is told in `loitering` for as long as it stays, and anew at the next stay."""
    watch = ZoneWatch({"left": ZoneOptions(LEFT, loiter=2.0)})
    feet = [INSIDE, INSIDE, INSIDE, INSIDE, OUTSIDE, INSIDE, INSIDE, INSIDE]
    found = [watch.update(track(foot), float(n)).loitering for n, foot in enumerate(feet)]
    assert [bool(each) for each in found] == [False, False, True, True, False, False, False, True]


def test_nobody_loiters_before_the_dwell() -> None:
    """A zone that is not entered yet is not loitered in, however short `loiter` is."""
    watch = ZoneWatch({"left": ZoneOptions(LEFT, 3.0, loiter=1.0)})
    places = [watch.update(track(INSIDE), float(n)) for n in range(4)]
    assert [(bool(p.inside), bool(p.loitering)) for p in places] == [(False, False)] * 3 + [
        (True, True)
    ]


@settings(deadline=None)
@given(noise=st.lists(st.floats(-0.0049, 0.0049), max_size=60), edge=st.floats(0.2, 0.8))
def test_jitter_below_the_margin_enters_at_most_once(noise: list[float], edge: float) -> None:
    """However an object trembles on an edge, it comes in at most once and does not leave."""
    left: list[Point] = [(0.0, 0.0), (edge, 0.0), (edge, 1.0), (0.0, 1.0)]
    inside = _foot(*(edge + each for each in noise), zone=ZoneOptions(left))
    assert inside == sorted(inside)
