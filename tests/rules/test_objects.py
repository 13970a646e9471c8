"""What of the tracks is told, and what is counted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.geometry import Point
from edge_agent.result import Track
from edge_agent.rules.base import CountKey, Happening
from edge_agent.rules.lines import LineWatch
from edge_agent.rules.objects import ObjectRules
from edge_agent.rules.options import LineOptions, ZoneOptions
from edge_agent.rules.zones import ZoneWatch
from tests.rules.tracks import Phase, track

LEFT: list[Point] = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]
INSIDE, OUTSIDE, AWAY = (0.25, 0.5), (0.75, 0.5), (0.75, 0.9)


def _rules(
    update_every: float = 1.0,
    labels: Sequence[str] = (),
    dwell: float = 0.0,
    stationary: float | None = None,
) -> ObjectRules:
    zones = ZoneWatch({"left": ZoneOptions(LEFT, dwell)})
    lines = LineWatch({"door": LineOptions((0.5, 1.0), (0.5, 0.0))})
    return ObjectRules(zones, lines, labels, update_every, stationary=stationary)


def _told(rules: ObjectRules, story: Sequence[tuple[float, Track]]) -> list[str]:
    """The type of what is told at each time; "" for nothing."""
    found = [rules.apply([seen], time) for time, seen in story]
    return [happenings[0].type if happenings else "" for happenings in found]


def test_new_and_end() -> None:
    """An object is told when it is new and when it ends; between, only what is worth it."""
    new, end = track(INSIDE, phase="new"), track(INSIDE, phase="ended")
    rules = _rules()
    left = ("left",)
    assert rules.apply([new], 0.0) == (Happening("new", new, left, left, (), ("entered",)),)
    assert rules.apply([track(INSIDE)], 10.0) == ()
    assert rules.apply([end], 20.0) == (Happening("end", end, (), left, (), ("left",)),)


def test_live_track_that_was_never_told_is_new() -> None:
    """Rules that were made anew tell an object that was there before."""
    assert _told(_rules(), [(0.0, track()), (0.1, track())]) == ["new", ""]


def test_several_tracks_are_told_in_order() -> None:
    """Everything of one frame is told, in the order of the tracks."""
    rules = _rules()
    rules.apply([track(track_id=1)], 0.0)
    tracks = [track(track_id=2), track(track_id=1, phase="ended"), track(track_id=3)]
    happenings = rules.apply(tracks, 1.0)
    assert [(h.type, h.track.id) for h in happenings] == [("new", 2), ("end", 1), ("new", 3)]


@pytest.mark.parametrize(
    ("now", "what"),
    [
        (track(OUTSIDE), ""),
        (track((0.76, 0.5)), ""),
        (track((0.8, 0.5)), "update"),
        (track(OUTSIDE, top=0.53), ""),
        (track(OUTSIDE, top=0.6), "update"),
        (track(AWAY, seen=False), ""),
    ],
)
def test_what_is_worth_an_update(now: Track, what: str) -> None:
    """An object that moved or became surer is told again; one that is out of sight is not."""
    assert _told(_rules(), [(0.0, track(OUTSIDE)), (1.0, now)]) == ["new", what]


def test_another_label_is_told_at_once() -> None:
    """An object that turns out to be something else is told and counted as that from then on."""
    rules = _rules(update_every=60.0)
    dog = track(INSIDE, label="dog")
    assert _told(rules, [(0.0, track(INSIDE)), (0.1, dog), (0.2, dog)]) == ["new", "update", ""]
    counts = rules.counts()
    assert [counts[CountKey(label)] for label in ("cat", "dog")] == [0, 1]


def test_small_steps_add_up() -> None:
    """What counts is the way since it was last told, not since the last frame."""
    path = [(float(n), track((0.6 + 0.01 * n, 0.5))) for n in range(10)]
    assert _told(_rules(), path).count("update") == 3


def test_updates_are_limited() -> None:
    """However it moves, an object is told at most once in `update_every`."""
    path = [(n / 4, track((0.75, 0.3 + 0.05 * n))) for n in range(13)]
    told = _told(_rules(update_every=1.0), path)
    assert told == ["new", "", "", "", *3 * ["update", "", "", ""]][:13]


def test_no_limit() -> None:
    """With 0 every change is told, and what does not change is still not."""
    path = [(0.0, track(OUTSIDE)), (0.1, track(AWAY)), (0.1, track(OUTSIDE)), (0.2, track(OUTSIDE))]
    assert _told(_rules(update_every=0.0), path) == ["new", "update", "update", ""]


def _changes(rules: ObjectRules, story: Sequence[tuple[float, Track]]) -> list[str]:
    """What is told to be new at each time; "-" where nothing is told."""
    found = [rules.apply([seen], time) for time, seen in story]
    return [" ".join(happenings[0].changes) if happenings else "-" for happenings in found]


def test_ways_in_and_out_are_told_at_once() -> None:
    """The limit does not hold back the way into a zone or out of it."""
    feet = [OUTSIDE, INSIDE, INSIDE, OUTSIDE, OUTSIDE, INSIDE]
    path = [(3.0 * n, track(foot)) for n, foot in enumerate(feet)]
    changes = _changes(_rules(update_every=5.0), path)
    assert changes == ["", "entered moved", "-", "left moved", "-", "entered moved"]


def test_flickering_at_a_zone_is_told_once_in_a_while() -> None:
    """One zone is told at most once in `update_every`, and what is told last is true."""
    path = [(n / 10, track(OUTSIDE if n % 2 else INSIDE)) for n in range(40)]
    rules = _rules(update_every=1.0)
    told = [happening for now, seen in path for happening in rules.apply([seen], now)]
    assert len(told) <= 5
    (last,) = rules.apply([track(OUTSIDE)], 6.0) or told[-1:]
    assert last.zones == ()


def test_loitering_is_told_once_and_at_once() -> None:
    """When the time is over, whatever the limit, and then no more."""
    zones = ZoneWatch({"left": ZoneOptions(LEFT, loiter=2.0)})
    rules = ObjectRules(zones, LineWatch({}), (), update_every=60.0)
    path = [(n / 2, track(INSIDE)) for n in range(12)]
    changes = _changes(rules, path)
    assert changes == ["entered", "-", "-", "-", "loitering", *["-"] * 7]
    (end,) = rules.apply([track(INSIDE, phase="ended")], 9.0)
    assert (end.changes, end.loitering) == (("left",), ())


def test_way_out_is_told_however_small_the_step() -> None:
    """Who comes clear of a zone by a hair is told."""
    path = [(0.0, track((0.495, 0.5))), (0.9, track((0.505, 0.5))), (1.0, track((0.511, 0.5)))]
    assert _changes(_rules(), path) == ["entered", "-", "left"]


def test_entry_after_the_dwell() -> None:
    """With a dwell the entry is told when the dwell is over, even if nothing moves."""
    path = [(n / 2, track(INSIDE)) for n in range(6)]
    assert _told(_rules(update_every=60.0, dwell=2.0), path) == ["new", "", "", "", "update", ""]


def test_rest_is_told_when_it_begins_and_ends() -> None:
    """Once each and at once; what trembles meanwhile is no news."""
    rules = ObjectRules(ZoneWatch({}), LineWatch({}), (), 60.0, stationary=2.0)
    feet = [(0.5 + (0.02 if n % 2 else -0.01), 0.5) for n in range(8)] + [(0.8, 0.5)] * 3
    path = [(float(n), track(foot)) for n, foot in enumerate(feet)]
    told = {now: rules.apply([seen], now) for now, seen in path}
    news = {now: (h[0].changes, h[0].stationary) for now, h in told.items() if h}
    assert news == {
        0.0: ((), False), 2.0: (("stationary",), True), 9.0: (("moving", "moved"), False)
    }  # fmt: skip


def test_whether_all_is_at_rest() -> None:
    """Only while something is there and none of it moves."""
    rules = _rules(stationary=2.0)
    first, second = track(INSIDE, track_id=1), track(AWAY, track_id=2)
    story = [(first,)] * 3 + [(first, second)] * 3
    ends = (track(INSIDE, phase="ended", track_id=1), track(AWAY, phase="ended", track_id=2))
    rests = []
    for now, tracks in enumerate([*story, ends]):
        rules.apply(tracks, float(now))
        rests.append(rules.at_rest)
    assert rests == [False, False, True, False, False, True, False]


def test_trembling_at_rest_is_no_update() -> None:
    """Without a limit every change of the box is told, but not of a parked car."""
    feet = [(0.5 + (0.03 if n % 2 else 0.0), 0.5) for n in range(20)]
    path = [(float(n), track(foot)) for n, foot in enumerate(feet)]
    rules = ObjectRules(ZoneWatch({}), LineWatch({}), (), 0.0, stationary=5.0)
    assert _told(rules, path)[6:] == [""] * 14
    assert "update" in _told(_rules(update_every=0.0), path)[6:]


def _cooling(seconds: float) -> ObjectRules:
    return ObjectRules(ZoneWatch({}), LineWatch({}), (), 1.0, cooldown=seconds)


def test_cooldown_holds_back_whole_stories() -> None:
    """While it lasts a second object counts, but neither begin nor end of it is told."""
    rules = _cooling(30.0)
    stories = [
        (0.0, track(track_id=1, phase="new")),
        (5.0, track(track_id=1, phase="ended")),
        (6.0, track(track_id=2, phase="new")),
        (9.0, track((0.9, 0.5), track_id=2)),
    ]
    assert _told(rules, stories) == ["new", "end", "", ""]
    assert rules.counts()[CountKey("cat")] == 1
    assert _told(rules, [(12.0, track(track_id=2, phase="ended"))]) == [""]
    assert rules.counts()[CountKey("cat")] == 0
    assert _told(rules, [(30.0, track(track_id=3, phase="new"))]) == ["new"]


def test_who_outstays_the_cooldown_is_told() -> None:
    """When it is over the object that waited begins, with all of its zones, and ends as others."""
    zones = ZoneWatch({"left": ZoneOptions(LEFT)})
    rules = ObjectRules(zones, LineWatch({}), (), 1.0, cooldown=10.0)
    rules.apply([track(INSIDE, 1, "new")], 0.0)
    rules.apply([track(INSIDE, 1, "ended")], 1.0)
    assert rules.apply([track(INSIDE, 2, "new")], 2.0) == ()
    (late,) = rules.apply([track(INSIDE, 2)], 10.0)
    assert (late.type, late.zones, late.changes) == ("new", ("left",), ("entered",))
    assert _told(rules, [(11.0, track(INSIDE, 2, "ended"))]) == ["end"]


def test_each_label_cools_down_on_its_own() -> None:
    """And where time runs backwards, as a recording that begins again, nothing is held back."""
    rules = _cooling(30.0)
    stories = [
        (5.0, track(track_id=1)),
        (6.0, track(track_id=2, label="dog")),
        (7.0, track(track_id=3, label="dog")),
        (1.0, track(track_id=4)),
    ]
    assert _told(rules, stories) == ["new", "new", "", "new"]


@settings(deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from([0.0, 2.0, 5.0]), st.integers(1, 5)), max_size=40),
    cooldown=st.sampled_from([0.0, 4.0, 20.0]),
)
def test_cooldown_keeps_beginnings_apart(steps: list[tuple[float, int]], cooldown: float) -> None:
    """Beginnings of a label keep their distance, every one has its end, and counts are right."""
    rules, now, present = _cooling(cooldown), 0.0, set[int]()
    told: list[tuple[float, str, int]] = []
    for step, number in steps:
        now += step
        ended = number in present
        present ^= {number}
        seen = track(track_id=number, phase="ended" if ended else "live")
        told += [(now, h.type, h.track.id) for h in rules.apply([seen], now)]
        assert rules.counts()[CountKey("cat")] == len(present)
    begins = [at for at, what, _ in told if what == "new"]
    assert all(after - before >= cooldown for before, after in pairwise(begins))
    for number in range(1, 6):
        kinds = [what for _, what, who in told if who == number]
        assert kinds == ["new", "end"] * (len(kinds) // 2) + ["new"] * (len(kinds) % 2)


def test_classes_without_boxes_are_told() -> None:
    """A class of the whole frame is new, becomes surer and ends, in no zone."""
    path = [
        (0.0, track(None, phase="new")),
        (1.0, track(None)),
        (2.0, track(None, top=0.9)),
        (3.0, track(None, phase="ended")),
    ]
    assert _told(_rules(), path) == ["new", "", "update", "end"]


def test_counts_begin_at_zero() -> None:
    """Labels of the configuration are counted as 0 everywhere before anything is seen."""
    places = ({}, {"zone": "left"}, *({"line": "door", "direction": d} for d in ("in", "out")))
    assert _rules(labels=["cat", "dog"]).counts() == {
        CountKey(label, **place): 0 for label in ("cat", "dog") for place in places
    }
    assert _rules().counts() == {}


def test_counts_follow_at_once_and_go_back_to_zero() -> None:
    """Counts are right with each frame, told or not, and 0 again when all have ended."""
    rules, cat = _rules(update_every=60.0), CountKey("cat")
    seen = []
    for tracks in (
        [track(INSIDE), track(OUTSIDE, 2)],
        [track(INSIDE), track(INSIDE, 2)],
        [track(OUTSIDE), track(INSIDE, 2, "ended")],
        [track(OUTSIDE, phase="ended")],
    ):
        rules.apply(tracks, 0.0)
        counts = rules.counts()
        seen.append((counts[cat], counts[CountKey("cat", "left")]))
    assert seen == [(2, 1), (2, 2), (1, 0), (0, 0)]


def test_new_day() -> None:
    """Line counts begin anew, what is present does not."""
    rules = _rules()
    for foot in (INSIDE, OUTSIDE):
        rules.apply([track(foot)], 0.0)
    crossed = CountKey("cat", line="door", direction="in")
    counts = [rules.counts()]
    rules.new_day()
    counts.append(rules.counts())
    assert [(c[CountKey("cat")], c[crossed]) for c in counts] == [(1, 1), (1, 0)]


def test_ended_tracks_leave_nothing() -> None:
    """Thousands of visitors leave no more behind than their counts."""
    rules = _rules(stationary=0.0)
    for number in range(2000):
        rules.apply([track(INSIDE, number, "new")], float(number))
        rules.apply([track(OUTSIDE, number)], float(number))
        rules.apply([track(OUTSIDE, number, "ended")], float(number))
    kept = (rules._stories, rules._zones._inside_since, rules._zones._entered, rules._lines._last)
    assert (*kept, rules._rest._rests) == ({}, {}, {}, {}, {})
    assert rules._labels == ["cat"]
    assert len(rules.counts()) == 4


def test_end_of_an_unknown_track_leaves_nothing() -> None:
    """An end without a beginning is told and not kept."""
    rules = _rules()
    assert _told(rules, [(0.0, track(INSIDE, phase="ended"))]) == ["end"]
    assert (rules._stories, rules._zones._entered, rules._lines._last) == ({}, {}, {})


_STEPS = st.tuples(
    st.sampled_from([0.0, 0.3, 1.0, 2.0]), st.integers(1, 3), st.sampled_from([INSIDE, OUTSIDE])
)


@settings(deadline=None)
@given(steps=st.lists(_STEPS, max_size=40), update_every=st.sampled_from([0.0, 1.0, 5.0]))
def test_each_object_is_told_from_new_to_end(
    steps: list[tuple[float, int, Point]], update_every: float
) -> None:
    """Each object is new first, ends last, and its updates keep their distance, zones aside."""
    rules, now, known = _rules(update_every), 0.0, set[int]()
    told: dict[int, list[tuple[float, Happening]]] = {}
    for step, number, foot in steps:
        now += step
        phase: Phase = "live" if number in known else "new"
        known.add(number)
        for happening in rules.apply([track(foot, number, phase)], now):
            told.setdefault(number, []).append((now, happening))
    ends = rules.apply([track(OUTSIDE, number, "ended") for number in known], now)
    assert [(h.type, h.zones) for h in ends] == [("end", ())] * len(known)
    assert set(told) == known
    for happenings in told.values():
        assert [h.type for _, h in happenings] == ["new"] + ["update"] * (len(happenings) - 1)
        for (before, a), (after, b) in pairwise(happenings):
            assert after - before >= update_every or a.zones != b.zones
