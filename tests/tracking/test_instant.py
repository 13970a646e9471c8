"""Frames that have nothing to do with each other."""

from __future__ import annotations

import itertools

from edge_agent.result import ClassScore
from edge_agent.tracking.instant import InstantTracker
from edge_agent.tracking.options import TrackOptions


def test_each_frame_is_a_story_of_its_own() -> None:
    """Each class begins and ends at once, under a number of its own."""
    tracker = InstantTracker(TrackOptions(), itertools.count(1))
    tracks = [*tracker.update([ClassScore("spam", 0.9, 1), ClassScore("ham", 0.6, 0)], 5.0)]
    tracks += tracker.update([ClassScore("spam", 0.7, 1)], 6.0)
    told = [(each.id, each.label, each.phase, each.last_seen) for each in tracks]
    assert told == [
        (1, "spam", "new", 5.0), (1, "spam", "ended", 5.0),
        (2, "ham", "new", 5.0), (2, "ham", "ended", 5.0),
        (3, "spam", "new", 6.0), (3, "spam", "ended", 6.0),
    ]  # fmt: skip
    assert not tracker.active
    assert tracker.flush() == tracker.expire(9.0) == ()
