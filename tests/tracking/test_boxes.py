"""Following boxes over frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from edge_agent.result import ClassScore, Detection, Result
from edge_agent.tracking.boxes import BoxTracker
from edge_agent.tracking.options import TrackOptions
from tests.tracking.stories import FRAME, at, box_tracker, boxes, phases, play

STILL = [at(0.3)]


def test_one_object_keeps_its_id() -> None:
    """An object that moves slowly is new once, then live under the same id, where it is now."""
    path = [[at(0.2 + 0.02 * n)] for n in range(30)]
    told = play(box_tracker(), path)
    assert phases(told) == {1: "n" + 29 * "l"}
    assert boxes(told[-1]) == [path[-1][0].box]


@pytest.mark.parametrize(("frames", "told"), [(2, {}), (3, {1: "n"}), (4, {1: "nl"})])
def test_confirmed_by_enough_sightings(frames: int, told: dict[int, str]) -> None:
    """Fewer sightings than `hits` say nothing."""
    assert phases(play(box_tracker(hits=3, of=5), [STILL] * frames)) == told


def test_confirmed_with_gaps() -> None:
    """Three of five frames confirm it; three of more than five do not."""
    assert phases(play(box_tracker(3, 5), [STILL, [], STILL, [], STILL])) == {1: "n"}
    sparse = [STILL if n % 3 == 0 else [] for n in range(30)]
    assert phases(play(box_tracker(3, 5), sparse)) == {}


def test_start_is_the_first_sighting() -> None:
    """A confirmed object began when it was first seen, not when it was believed."""
    told = play(box_tracker(3, 5), [STILL] * 3, start=10.0)
    assert (told[-1][0].start, told[-1][0].last_seen) == (10.0, 10.0 + 2 * FRAME)


def test_ids_have_no_gaps() -> None:
    """Objects that were never confirmed use up no id."""
    flashes = [[at(0.1 + 0.3 * (n % 3), y=0.2)] if n % 4 == 0 else [] for n in range(40)]
    tracker = box_tracker(hits=2, of=3)
    assert phases(play(tracker, flashes)) == {}
    assert set(phases(play(tracker, [STILL] * 2, start=10.0))) == {1}
    assert set(phases(play(tracker, [[*STILL, at(0.8)]] * 2, start=11.0))) == {1, 2}


def test_ids_are_shared() -> None:
    """Trackers that share their ids never give one twice."""
    ids = iter(range(1, 100))
    trackers = [BoxTracker(TrackOptions(hits=1, of=1), ids) for _ in range(2)]
    told = [tracker.update([*STILL, at(0.8)], 0.0) for tracker in trackers]
    assert [track.id for tracks in told for track in tracks] == [1, 2, 3, 4]


def test_lost_object_ends_once() -> None:
    """An object out of sight is told as unseen, ends after `lost` by the frames' time, once."""
    told = play(box_tracker(lost=1.0), [STILL, *[[]] * 20])
    assert phases(told) == {1: "n" + 9 * "l" + "e"}
    assert [track.seen for tracks in told for track in tracks] == [True] + 10 * [False]
    (ended,) = told[10]
    assert (ended.box, ended.last_seen) == (STILL[0].box, 0.0)


def test_slow_frames_do_not_end_it_at_once() -> None:
    """Where frames are further apart than `lost`, one missed frame is not the end."""
    assert phases(play(box_tracker(lost=1.0), [STILL, [], STILL, [], []], step=5.0)) == {1: "nllle"}


@pytest.mark.parametrize(("gap", "told"), [(8, {1: "n" + 9 * "l"}), (11, {1: "n" + 9 * "l" + "e"})])
def test_occlusion(gap: int, told: dict[int, str]) -> None:
    """A gap shorter than `lost` keeps the id, a longer one ends it and begins another."""
    tracker = box_tracker(lost=1.0)
    found = phases(play(tracker, [STILL, *[[]] * gap, STILL]))
    assert found == (told if gap < 10 else {**told, 2: "n"})


def test_object_that_walks_on_behind_a_pole() -> None:
    """An object comes back a little further on and is still the same."""
    seen = [[at(0.1 + 0.02 * n)] if not 10 <= n < 16 else [] for n in range(30)]
    assert set(phases(play(box_tracker(), seen))) == {1}


def test_object_that_stops_behind_a_pole() -> None:
    """An object out of sight is not believed to run on for long: it comes back where it stopped."""
    walk = [[at(0.1 + 0.02 * n)] for n in range(10)]
    assert set(phases(play(box_tracker(lost=5.0), [*walk, *[[]] * 30, [at(0.36)]]))) == {1}


def test_two_objects_cross() -> None:
    """Two objects that pass through each other keep their ids and labels."""
    path = [[at(0.1 + 0.02 * n, label="cat"), at(0.9 - 0.02 * n, label="dog")] for n in range(40)]
    told = play(box_tracker(), path)
    assert {(track.id, track.label) for tracks in told for track in tracks} == {
        (1, "cat"),
        (2, "dog"),
    }
    assert boxes(told[-1]) == [path[-1][0].box, path[-1][1].box]


def test_alike_objects_cross() -> None:
    """Two objects of one label that cross go on in the direction they had."""
    path = [[at(0.1 + 0.06 * n), at(0.9 - 0.06 * n)] for n in range(14)]
    told = play(box_tracker(), path)
    assert set(phases(told)) == {1, 2}
    assert boxes(told[-1]) == [path[-1][0].box, path[-1][1].box]


def test_a_name_that_flickers_stays_on_its_object() -> None:
    """A box that is called otherwise for some frames is the same object under the same label."""
    dog = [at(0.3, label="dog")]
    told = play(box_tracker(), [STILL, STILL, dog, STILL, dog, STILL])
    assert phases(told) == {1: "nlllll"}
    assert {track.label for tracks in told for track in tracks} == {"cat"}


def test_label_that_wins_the_vote() -> None:
    """An object that was first mistaken is called what most of its sightings say, for good."""
    told = play(box_tracker(), [STILL, *[[at(0.3, label="dog")]] * 9, STILL])
    assert phases(told) == {1: "n" + 10 * "l"}
    assert [track.label for tracks in told for track in tracks] == 2 * ["cat"] + 9 * ["dog"]


def test_labels_do_not_steal_tracks() -> None:
    """A dog beside or before a cat is an object of its own, though the cat is out of sight."""
    dog = at(0.36, label="dog")
    told = play(box_tracker(), [STILL, STILL, [*STILL, dog], [dog], [dog, *STILL]])
    assert phases(told) == {1: "nllll", 2: "nll"}
    assert {(track.id, track.label) for tracks in told for track in tracks} == {
        (1, "cat"),
        (2, "dog"),
    }


def test_doubled_boxes_are_one_object() -> None:
    """Second boxes of one object, which detectors often give, begin none; others do."""
    double, part = at(0.31, size=0.22), at(0.3, y=0.52, size=0.1)
    assert set(phases(play(box_tracker(), [[at(0.3), double, part]] * 9))) == {1}
    dog = Detection("dog", 0.9, double.box, 1)
    assert set(phases(play(box_tracker(), [[at(0.3), dog, at(0.45)]] * 9))) == {1, 2, 3}


def test_fast_object_is_kept_by_nearness() -> None:
    """An object that moves by its own width between frames has no overlap and one id."""
    fast = [[at(0.05 + 0.09 * n, size=0.1)] for n in range(10)]
    assert set(phases(play(box_tracker(), fast))) == {1}
    leap = [[at(0.1, size=0.1)], [at(0.9, size=0.1)]]
    assert set(phases(play(box_tracker(), leap))) == {1, 2}


def test_nearness_needs_a_like_size() -> None:
    """A box beside an object, but of quite another size, is another object."""
    assert set(phases(play(box_tracker(), [[at(0.3)], [at(0.41, size=0.06)]]))) == {1, 2}
    assert set(phases(play(box_tracker(), [[at(0.3)], [at(0.44, size=0.15)]]))) == {1}


def test_overlap_comes_before_nearness() -> None:
    """Of two boxes the overlapping one goes on; the other begins an object."""
    told = play(box_tracker(), [[at(0.3)], [at(0.16), at(0.42)]])
    assert [(track.id, track.box) for track in told[1]] == [(1, at(0.42).box), (2, at(0.16).box)]


def test_each_box_goes_to_one_object() -> None:
    """Two objects that become one box leave one of them unseen."""
    told = play(box_tracker(), [[at(0.3), at(0.5)], [at(0.38)]])
    assert [track.seen for track in told[1]] == [True, False]


def _fades(frames: Iterable[tuple[Sequence[Result], Sequence[Result]]]) -> dict[int, str]:
    """The phases of each id, of frames with sure and with faint detections."""
    tracker = box_tracker(hits=2, of=3, lost=2.0)
    return phases(tracker.update(sure, n * FRAME, faint) for n, (sure, faint) in enumerate(frames))


def test_real_objects_choose_first() -> None:
    """A second box beside a real object, not believed yet, takes over nothing when one is left."""
    tracker = box_tracker(hits=3, of=5)
    play(tracker, [[at(0.3)]] * 6 + [[at(0.3), at(0.42)]] * 2)
    moved = at(0.42)
    (track,) = tracker.update([moved], 8 * FRAME)
    assert (track.id, track.box, track.seen) == (1, moved.box, True)


def test_who_was_long_hidden_takes_nothing_from_who_is_in_sight() -> None:
    """Its box is drawn so wide that it overlaps nearly everything: no sign that it fits."""
    tracker = box_tracker(lost=3.0)
    play(tracker, [[at(0.3)]] * 40 + [[at(0.51)]] * 10)
    moved = at(0.42)
    told = tracker.update([moved], 50 * FRAME)
    assert [each.id for each in told if each.box == moved.box and each.seen] == [2]


def test_faint_detections_go_on_with_an_object() -> None:
    """An object that is only seen faintly for a while is seen, moves on, and does not end."""
    tracker = box_tracker(lost=0.3)
    walk = [at(0.2 + 0.01 * n) for n in range(20)]
    told = [
        tracker.update([each] * (n % 8 == 0), FRAME * n, [each] * (n % 8 != 0))
        for n, each in enumerate(walk)
    ]
    assert phases(told) == {1: "n" + 19 * "l"}
    assert all(track.seen and track.box == walk[-1].box for track in told[-1])


def test_faint_detections_begin_and_confirm_nothing() -> None:
    """However often something is seen faintly, it is no object."""
    assert _fades([([], STILL)] * 20) == {}
    assert _fades([(STILL, []), *[([], STILL)] * 20]) == {}


def test_faint_detections_do_not_bring_back_what_is_gone() -> None:
    """What was not seen for most of its time, or lies elsewhere, or is named otherwise, ends."""
    ended = {1: "n" + 19 * "l" + "e"}
    assert _fades([(STILL, [])] * 2 + [([], [])] * 14 + [([], STILL)] * 9) == ended
    for other in (at(0.42), at(0.3, size=0.06), at(0.3, label="dog")):
        assert _fades([(STILL, [])] * 2 + [([], [other])] * 25) == ended


def test_what_stays_faint_ends() -> None:
    """Something faint where an object was does not keep it for ever."""
    found = _fades([(STILL, [])] * 2 + [([], STILL)] * 100)
    assert found == {1: "n" + 78 * "l" + "e"}


def test_sure_detections_come_first() -> None:
    """A faint box that fits better does not take an object from its sure one."""
    tracker = box_tracker()
    tracker.update(STILL, 0.0)
    (track,) = tracker.update([at(0.33)], FRAME, STILL)
    assert track.box == at(0.33).box


def test_expire() -> None:
    """Without frames, what is overdue ends by the clock; what was never confirmed is dropped."""
    tracker = box_tracker(hits=2, of=2, lost=1.0)
    play(tracker, [STILL, [*STILL, at(0.8)]])
    assert (tracker.expire(1.0), tracker.active) == ((), True)
    assert [(track.id, track.phase) for track in tracker.expire(1.1)] == [(1, "ended")]
    assert (tracker.active, tracker.expire(99.0), tracker.update([], 99.0)) == (False, (), ())


def test_flush() -> None:
    """The end of the source ends what was confirmed, drops the rest, and can come twice."""
    tracker = box_tracker(hits=2, of=2)
    play(tracker, [STILL, [*STILL, at(0.8)]])
    assert [(track.id, track.phase) for track in tracker.flush()] == [(1, "ended")]
    assert (tracker.active, tracker.flush()) == (False, ())
    assert phases(play(tracker, [STILL] * 2, start=1.0)) == {2: "n"}


def test_other_results_are_ignored() -> None:
    """Whole-frame classes are no objects."""
    assert play(box_tracker(), [[ClassScore("cat", 0.9, 0)]]) == [()]


def test_hits_above_of_are_refused() -> None:
    """An object cannot be seen more often than there are frames."""
    with pytest.raises(ValueError, match=r"hits \(4\) must not be above of \(3\)"):
        box_tracker(hits=4, of=3)
