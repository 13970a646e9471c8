"""Following what a whole frame shows."""

from __future__ import annotations

from itertools import count

import pytest

from edge_agent.result import ClassScore
from edge_agent.tracking.labels import LabelTracker
from edge_agent.tracking.options import TrackOptions
from tests.tracking.stories import at, phases, play

CAT = ClassScore("cat", 0.8, 0)
DOG = ClassScore("dog", 0.6, 1)


def _tracker(hits: int = 1, of: int = 1, lost: float = 0.3) -> LabelTracker:
    return LabelTracker(TrackOptions(hits=hits, of=of, lost=lost), count(1))


def test_one_life_per_label() -> None:
    """Each class that shows is one object without a box, for as long as it shows."""
    told = play(_tracker(), [[CAT], [CAT, DOG], [DOG, CAT]])
    assert phases(told) == {1: "nll", 2: "nl"}
    assert {(t.id, t.label, t.box) for tracks in told for t in tracks} == {
        (1, "cat", None),
        (2, "dog", None),
    }


def test_confirmed_by_enough_frames() -> None:
    """A class that flashes up is not told and uses up no id."""
    tracker = _tracker(hits=2, of=3)
    told = play(tracker, [[CAT], [], [], [DOG], [], [DOG], [DOG]])
    assert phases(told) == {1: "nl"}
    assert told[-1][0].label == "dog"


def test_short_gap_keeps_the_id_and_a_long_one_ends_it() -> None:
    """A class that is back before `lost` is the same object; later it is another."""
    assert phases(play(_tracker(), [[CAT], [], [], [CAT]])) == {1: "nlll"}
    told = play(_tracker(), [[CAT], [], [], [], [CAT]])
    assert phases(told) == {1: "nlle", 2: "n"}
    assert [t.seen for tracks in told for t in tracks] == [True, False, False, False, True]


def test_scores() -> None:
    """The score is the newest one, the top score the best so far."""
    told = play(_tracker(), [[CAT], [ClassScore("cat", 0.5, 0)]])
    assert [(t.score, t.top_score) for tracks in told for t in tracks] == [(0.8, 0.8), (0.5, 0.8)]


def test_label_that_stands_twice() -> None:
    """Where two classes have one label, which label files do have, the better score counts."""
    told = play(_tracker(), [[CAT, ClassScore("cat", 0.1, 7)]] * 2)
    assert [(t.score, t.top_score) for tracks in told for t in tracks] == [(0.8, 0.8)] * 2


def test_expire() -> None:
    """Without frames, overdue classes end by the clock; unconfirmed ones are dropped silently."""
    tracker = _tracker(hits=2, of=2)
    play(tracker, [[CAT], [CAT, DOG]])
    assert (tracker.expire(0.3), tracker.active) == ((), True)
    assert [(t.label, t.phase) for t in tracker.expire(0.4)] == [("cat", "ended")]
    assert (tracker.active, tracker.expire(9.0), tracker.update([], 9.0)) == (False, (), ())


def test_flush() -> None:
    """The end of the source ends every confirmed class, once."""
    tracker = _tracker(hits=2, of=2)
    play(tracker, [[CAT], [CAT, DOG]])
    assert [(t.label, t.phase) for t in tracker.flush()] == [("cat", "ended")]
    assert (tracker.active, tracker.flush()) == (False, ())


def test_other_results_are_ignored() -> None:
    """Boxes are not classes of the frame."""
    assert play(_tracker(), [[at(0.5)]]) == [()]


def test_hits_above_of_are_refused() -> None:
    """A class cannot show more often than there are frames."""
    with pytest.raises(ValueError, match="must not be above"):
        _tracker(hits=2, of=1)
