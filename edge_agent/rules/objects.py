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
from edge_agent.rules.cooldown import Cooldown
from edge_agent.rules.lines import LineWatch
from edge_agent.rules.rest import RestWatch
from edge_agent.rules.zones import Whereabouts, ZoneWatch

_MOVED = 0.8  # an overlap with the last reported box below this is worth an update
_SURER = 0.05  # ... and so is a top score that rose by this


@dataclass(frozen=True, slots=True)
class _State:
    """What an object is taken for, where it is, and whether it rests there."""

    label: str = ""
    place: Whereabouts = field(default_factory=Whereabouts)
    rests: bool = False
    sublabel: str | None = None


@dataclass(slots=True)
class _Story:
    """What subscribers were last told of a track, when, and how it is by now.

    `turned` is when they were last told of its way into or out of a zone, by zone. One that has
    not begun waits for the cooldown: it counts, but nothing was told.
    """

    track: Track
    time: float
    told: _State = field(default_factory=_State)
    now: _State = field(default_factory=_State)
    turned: dict[str, float] = field(default_factory=dict)
    begun: bool = False


class ObjectRules:
    """Decides what of the tracks is worth telling, and counts what is there.

    `labels` are counted (as 0) from the start, also over lines, so that a state which an earlier
    run left on the broker is put right at once; other labels are counted from their first object
    on. An update is worth an event when the object moved, became surer, changed zones or loiters.
    Moving and becoming surer are told at most every `update_every` seconds; the way into or out of
    a zone at once, unless that same zone was told less than `update_every` ago; another label or
    sublabel, loitering, coming to rest after `stationary` seconds and moving on at once.

    With a `cooldown` in seconds, an object waits to be told until the one of its label that was
    told last has been for so long; one that ends while it waits is not told at all. It counts.
    `at_rest` says that objects are there and all of them are stationary.
    """

    def __init__(
        self,
        zones: ZoneWatch,
        lines: LineWatch,
        labels: Sequence[str],
        update_every: float,
        cooldown: float = 0.0,
        stationary: float | None = None,
    ) -> None:
        self._zones = zones
        self._lines = lines
        self._cooldown = Cooldown(cooldown)
        self._rest = RestWatch(stationary)
        self._update_every = update_every
        self._stories: dict[int, _Story] = {}
        self._labels = list(labels)
        self.at_rest = False

    def expect(self, labels: Sequence[str]) -> None:
        """Count these labels (as 0) from now on, even if they are never seen."""
        self._labels += [label for label in labels if label not in self._labels]

    def apply(self, tracks: Sequence[Track], timeline: float) -> tuple[Happening, ...]:
        """Take in all tracks of an update of the tracker; what is to be told, in order."""
        happenings = [self._judge(track, timeline) for track in tracks]
        states = [story.now for story in self._stories.values()]
        self.at_rest = bool(states) and all(state.rests for state in states)
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
            for place in (None, *story.now.place.inside):
                present[CountKey(story.now.label, place)] += 1
        return {**present, **self._lines.counts}

    def new_day(self) -> None:
        """Set the line counts to zero."""
        self._lines.reset()

    def _judge(self, track: Track, timeline: float) -> Happening | None:
        self._lines.update(track)
        place = self._zones.update(track, timeline)
        now = _State(track.label, place, self._rest.update(track, timeline), track.sublabel)
        if track.phase == "ended":
            return self._end(track)
        if track.label not in self._labels:
            self._labels.append(track.label)
        story = self._stories.get(track.id)
        if story is None:
            story = self._stories[track.id] = _Story(track, timeline)
        story.now = now  # counts are right at once, the event may wait
        if not story.begun:
            if not self._cooldown.allows(track.label, timeline):
                return None
            story.begun = True
            return self._tell("new", story, track, timeline, _turns(story))
        changes = _turns(story) + _differences(track, story)
        if not changes or not self._is_time(story, timeline):
            return None
        return self._tell("update", story, track, timeline, changes)

    def _is_time(self, story: _Story, timeline: float) -> bool:
        """Whether news are due or cannot wait; flickering in and out of a zone can."""
        if timeline - story.time >= self._update_every or story.now.rests != story.told.rests:
            return True
        if (story.now.label, story.now.sublabel) != (story.told.label, story.told.sublabel):
            return True
        now, told = story.now.place, story.told.place
        if set(now.loitering) - set(told.loitering):
            return True
        return any(
            timeline - story.turned.get(zone, -math.inf) >= self._update_every
            for zone in set(now.inside) ^ set(told.inside)
        )

    @staticmethod
    def _tell(
        what: EventType, story: _Story, track: Track, timeline: float, changes: tuple[Change, ...]
    ) -> Happening:
        place = story.now.place
        for zone in set(place.inside) ^ set(story.told.place.inside):
            story.turned[zone] = timeline
        story.track, story.time, story.told = track, timeline, story.now
        return Happening(
            what, track, place.inside, place.entered, place.loitering, changes, story.now.rests
        )

    def _end(self, track: Track) -> Happening | None:
        story = self._stories.pop(track.id, None)
        self._zones.forget(track.id)
        self._lines.forget(track.id)
        self._rest.forget(track.id)
        if story is None:
            return Happening("end", track)
        if not story.begun:
            return None
        entered = story.now.place.entered
        left: tuple[Change, ...] = ("left",) if story.told.place.inside else ()
        return Happening("end", track, entered_zones=entered, changes=left)


def _turns(story: _Story) -> tuple[Change, ...]:
    """What is new about its label, its zones and its rest."""
    now, told = story.now.place, story.told.place
    inside, before = set(now.inside), set(told.inside)
    found: dict[Change, bool] = {
        "label": story.told.label not in ("", story.now.label),
        "sublabel": story.told.label != "" and story.now.sublabel != story.told.sublabel,
        "entered": bool(inside - before),
        "left": bool(before - inside),
        "loitering": bool(set(now.loitering) - set(told.loitering)),
        "stationary": story.now.rests and not story.told.rests,
        "moving": story.told.rests and not story.now.rests,
    }
    return tuple(change for change, holds in found.items() if holds)


def _differences(track: Track, story: _Story) -> tuple[Change, ...]:
    """What is new about the object itself; of one that is out of sight nothing is.

    The box of an object at rest trembles, but it does not move.
    """
    if not track.seen:
        return ()
    told, found = story.track, list[Change]()
    if track.box is not None and told.box is not None and not story.now.rests:
        found += ["moved"] if iou(track.box, told.box) < _MOVED else []
    if track.top_score - told.top_score >= _SURER:
        found.append("surer")
    return tuple(found)
