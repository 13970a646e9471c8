"""What holds for every tracker, whatever it is shown."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.result import ClassScore, Detection, Result, Track
from edge_agent.tracking.base import Tracker
from edge_agent.tracking.boxes import BoxTracker
from edge_agent.tracking.labels import LabelTracker
from edge_agent.tracking.options import TrackOptions
from tests.tracking.stories import phases

Story = list[tuple[float, Sequence[Result] | None]]
"""Seconds since the step before, and what is seen; None is a clock tick without a frame."""

Make = Callable[[TrackOptions], Tracker]

TRACKERS: dict[str, Make] = {
    "boxes": lambda options: BoxTracker(options, count(1)),
    "labels": lambda options: LabelTracker(options, count(1)),
}


@st.composite
def _results(draw: st.DrawFn) -> list[Result]:
    results: list[Result] = []
    for _ in range(draw(st.integers(0, 4))):
        label, score = draw(st.sampled_from("ab")), draw(st.floats(0.1, 1.0))
        xs = sorted(draw(st.tuples(st.integers(0, 8), st.integers(0, 8), st.just(9))))
        ys = sorted(draw(st.tuples(st.integers(0, 8), st.just(9))))
        results.append(Detection(label, score, (xs[0] / 9, ys[0] / 9, xs[1] / 9, ys[1] / 9), 0))
        results.append(ClassScore(label, score, 0))
    return results


_STEPS = st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0])
_STORIES = st.lists(st.tuples(_STEPS, st.none() | _results() | _results()), max_size=25)
_OPTIONS = st.integers(1, 5).flatmap(
    lambda of: st.builds(
        TrackOptions,
        iou=st.sampled_from([0.0, 0.2, 0.9, 1.0]),
        hits=st.integers(1, of),
        of=st.just(of),
        lost=st.sampled_from([0.0, 0.5, 2.0]),
    )
)


def _tell(tracker: Tracker, story: Story) -> list[tuple[Track, ...]]:
    """Everything that the tracker says, the end of the source included."""
    told, now = [], 0.0
    for step, results in story:
        now += step
        told.append(tracker.expire(now) if results is None else tracker.update(results, now))
    return [*told, tracker.flush()]


@pytest.mark.parametrize("kind", TRACKERS)
@settings(deadline=None)
@given(options=_OPTIONS, story=_STORIES)
def test_phases_come_in_order(kind: str, options: TrackOptions, story: Story) -> None:
    """Each id is new once, then live, ends exactly once and never comes back; no id is left out."""
    told = phases(_tell(TRACKERS[kind](options), story))
    assert all(re.fullmatch("nl*e", letters) for letters in told.values())
    assert list(told) == list(range(1, len(told) + 1))


@pytest.mark.parametrize("kind", TRACKERS)
@settings(deadline=None)
@given(options=_OPTIONS, story=_STORIES)
def test_same_story_same_tracks(kind: str, options: TrackOptions, story: Story) -> None:
    """The answer depends on nothing but what is shown."""
    assert _tell(TRACKERS[kind](options), story) == _tell(TRACKERS[kind](options), story)


@pytest.mark.parametrize("kind", TRACKERS)
@settings(deadline=None)
@given(options=_OPTIONS, story=_STORIES)
def test_tracks_are_what_was_seen(kind: str, options: TrackOptions, story: Story) -> None:
    """No more objects than results were seen; a confirmed one stays until its end."""
    tracker, now, seen, alive = TRACKERS[kind](options), 0.0, 0, set[int]()
    for step, results in story:
        now += step
        if results is None:
            alive -= {track.id for track in tracker.expire(now)}
            continue
        seen += len(results) // 2
        tracks = tracker.update(results, now)
        ids = [track.id for track in tracks]
        assert len(ids) == len(set(ids)) <= seen
        assert alive <= set(ids)
        alive = {track.id for track in tracks if track.phase != "ended"}
        assert tracker.active or not alive


@pytest.mark.parametrize("kind", TRACKERS)
@settings(deadline=None)
@given(options=_OPTIONS, story=_STORIES)
def test_tracks_are_sound(kind: str, options: TrackOptions, story: Story) -> None:
    """The start of a track never changes, its top score never falls, times never run back."""
    last: dict[int, Track] = {}
    for track in (track for tracks in _tell(TRACKERS[kind](options), story) for track in tracks):
        before = last.setdefault(track.id, track)
        assert track.start == before.start
        assert track.top_score >= max(before.top_score, track.score)
        assert track.start <= before.last_seen <= track.last_seen
        assert track.seen or track.phase != "new"
        last[track.id] = track


@pytest.mark.parametrize("kind", TRACKERS)
@settings(deadline=None)
@given(options=_OPTIONS, story=_STORIES)
def test_nothing_is_kept_for_ever(kind: str, options: TrackOptions, story: Story) -> None:
    """After enough empty frames nothing is followed any more."""
    tracker = TRACKERS[kind](options)
    now = sum(step for step, _ in story)
    _tell_without_end(tracker, story)
    for frame in range(1, 8):
        tracker.update([], now + frame)
    assert not tracker.active


def _tell_without_end(tracker: Tracker, story: Story) -> None:
    now = 0.0
    for step, results in story:
        now += step
        if results is not None:
            tracker.update(results, now)


_SCENES = st.lists(
    st.lists(st.tuples(st.floats(0.0, 0.9), st.floats(0.0, 0.9), st.floats(0.5, 1.0)), max_size=5),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)
@given(scenes=_SCENES, seed=st.integers(0, 9))
def test_order_of_detections_does_not_matter(
    scenes: list[list[tuple[float, float, float]]], seed: int
) -> None:
    """A frame's detections in another order are the same tracks, apart from their numbers."""
    told = []
    shuffle = random.Random(seed)
    for shuffled in (False, True):
        tracker, frames = TRACKERS["boxes"](TrackOptions(hits=1, of=1)), []
        for number, scene in enumerate(scenes):
            found = [Detection("a", score, (x, y, x + 0.1, y + 0.1), 0) for x, y, score in scene]
            if shuffled:
                shuffle.shuffle(found)
            tracks = tracker.update(found, 0.1 * number)
            frames.append(sorted((t.box, t.start, t.phase, t.seen, t.top_score) for t in tracks))
        told.append(frames)
    assert told[0] == told[1]


def _crossing(rate: float, pace: float, drop: random.Random | None = None) -> list[Track]:
    """Two people who pass through each other at mid-film; the farther one is hidden meanwhile."""
    tracker, told = TRACKERS["boxes"](TrackOptions(hits=2, of=3)), list[Track]()
    for frame in range(int(0.8 / pace * rate)):
        if drop is not None and drop.random() < 0.3:
            continue
        way = pace * frame / rate
        near, far = 0.1 + way, 0.9 - way
        places = [near, far] if abs(near - far) > 0.05 else [near]
        found = [Detection("a", 0.8, (x - 0.05, 0.3, x + 0.05, 0.7), 0) for x in places]
        told += tracker.update(found, frame / rate)
    return told


def _way(told: Sequence[Track], track: int) -> list[float]:
    """Where a track was first and last seen."""
    centres = [(t.box[0] + t.box[2]) / 2 for t in told if t.id == track and t.box and t.seen]
    return [centres[0], centres[-1]]


@pytest.mark.parametrize("rate", [5.0, 10.0, 30.0])
@pytest.mark.parametrize("pace", [0.08, 0.2])
def test_two_who_cross_are_two_at_any_rate(rate: float, pace: float) -> None:
    """Of the same walk at any rate of frames come two tracks, each of which goes on its way."""
    told = _crossing(rate, pace)
    assert {track.id for track in told} == {1, 2}
    (near_start, near_end), (far_start, far_end) = _way(told, 1), _way(told, 2)
    assert near_start < 0.3 < 0.7 < near_end
    assert far_end < 0.3 < 0.7 < far_start


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**16))
def test_two_who_cross_while_frames_are_dropped(seed: int) -> None:
    """A third of the frames may be lost, whichever they are."""
    told = _crossing(20.0, 0.15, random.Random(seed))
    assert {track.id for track in told} == {1, 2}
    assert _way(told, 1)[1] > 0.7
    assert _way(told, 2)[1] < 0.3
