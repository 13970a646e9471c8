"""From tracks to happenings and counts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge_agent.event import Change, EventType
from edge_agent.geometry import iou
from edge_agent.result import Track
from edge_agent.rules.base import CountKey, Happening
from edge_agent.rules.lines import LineWatch
from edge_agent.rules.zones import Whereabouts, ZoneWatch

_MOVED = 0.8  # an overlap with the last reported box below this is worth an update
_SURER = 0.05  # ... and so is a top score that rose by this


@dataclass(slots=True)
class _Story:
    """What subscribers were last told of a track, when, and where it is by now.

    `turned` is when they were last told of its way into or out of a zone, by zone.
    """

    track: Track
    time: float
    told: Whereabouts
    now: Whereabouts
    turned: dict[str, float] = field(default_factory=dict)


class ObjectRules:
    """Decides what of the tracks is worth telling, and counts what is there.

    `labels` are counted (as 0) from the start, also over lines, so that a state which an earlier
    run left on the broker is put right at once; other labels are counted from their first object
    on. An update is worth an event when the object moved, became surer, changed zones or loiters.
    Moving and becoming surer are told at most every `update_every` seconds; the way into or out of
    a zone at once, unless that same zone was told less than `update_every` ago; loitering at once.
    """

    def __init__(
        self, zones: ZoneWatch, lines: LineWatch, labels: Sequence[str], update_every: float
    ) -> None:
        self._zones = zones
        self._lines = lines
        self._update_every = update_every
        self._stories: dict[int, _Story] = {}
        self._labels = list(labels)

    def expect(self, labels: Sequence[str]) -> None:
        """Count these labels (as 0) from now on, even if they are never seen."""
        self._labels += [label for label in labels if label not in self._labels]

    def apply(self, tracks: Sequence[Track], timeline: float) -> tuple[Happening, ...]:
        """Take in all tracks of an update of the tracker; what is to be told, in order."""
        happenings = (self._judge(track, timeline) for track in tracks)
        return tuple(happening for happening in happenings if happening is not None)

    def counts(self) -> Mapping[CountKey, int]:
        """How many objects are there now per label, in all and per zone, and line counts."""
        present: Counter[CountKey] = Counter()
        for label in self._labels:
            for zone in (None, *self._zones.names):
                present[CountKey(label, zone)] = 0
            for line in self._lines.names:
                for direction in ("in", "out"):
                    present[CountKey(label, line=line, direction=direction)] = 0
        for story in self._stories.values():
            for place in (None, *story.now.inside):
                present[CountKey(story.track.label, place)] += 1
        return {**present, **self._lines.counts}

    def new_day(self) -> None:
        """Set the line counts to zero."""
        self._lines.reset()

    def _judge(self, track: Track, timeline: float) -> Happening | None:
        self._lines.update(track)
        now = self._zones.update(track, timeline)
        if track.phase == "ended":
            return self._end(track)
        if track.label not in self._labels:
            self._labels.append(track.label)
        story = self._stories.get(track.id)
        if story is None:
            story = self._stories[track.id] = _Story(track, timeline, Whereabouts(), now)
            return self._tell("new", story, track, timeline, _turns(story))
        story.now = now  # counts are right at once, the event may wait
        changes = _turns(story) + _differences(track, story.track)
        if not changes:
            return None
        if timeline - story.time < self._update_every and not self._is_urgent(story, timeline):
            return None
        return self._tell("update", story, track, timeline, changes)

    def _is_urgent(self, story: _Story, timeline: float) -> bool:
        """Whether there is news that does not wait; a zone in and out of which it flickers does."""
        if set(story.now.loitering) - set(story.told.loitering):
            return True
        turned = set(story.now.inside) ^ set(story.told.inside)
        return any(
            timeline - story.turned.get(zone, -math.inf) >= self._update_every for zone in turned
        )

    @staticmethod
    def _tell(
        what: EventType, story: _Story, track: Track, timeline: float, changes: tuple[Change, ...]
    ) -> Happening:
        for zone in set(story.now.inside) ^ set(story.told.inside):
            story.turned[zone] = timeline
        story.track, story.time, story.told = track, timeline, story.now
        now = story.now
        return Happening(what, track, now.inside, now.entered, now.loitering, changes)

    def _end(self, track: Track) -> Happening:
        story = self._stories.pop(track.id, None)
        self._zones.forget(track.id)
        self._lines.forget(track.id)
        if story is None:
            return Happening("end", track)
        story.now = Whereabouts(entered=story.now.entered)
        return Happening("end", track, entered_zones=story.now.entered, changes=_turns(story))


def _turns(story: _Story) -> tuple[Change, ...]:
    """What is new about its zones."""
    now, told = story.now, story.told
    inside, before = set(now.inside), set(told.inside)
    found: dict[Change, bool] = {
        "entered": bool(inside - before),
        "left": bool(before - inside),
        "loitering": bool(set(now.loitering) - set(told.loitering)),
    }
    return tuple(change for change, holds in found.items() if holds)


def _differences(track: Track, told: Track) -> tuple[Change, ...]:
    """What is new about the object itself; of one that is out of sight nothing is."""
    if not track.seen:
        return ()
    found: list[Change] = []
    if track.box is not None and told.box is not None and iou(track.box, told.box) < _MOVED:
        found.append("moved")
    if track.top_score - told.top_score >= _SURER:
        found.append("surer")
    return tuple(found)
