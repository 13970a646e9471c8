"""From tracks to happenings and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_agent.event import EventType
from edge_agent.geometry import iou
from edge_agent.result import Track
from edge_agent.rules.base import CountKey, Happening
from edge_agent.rules.lines import LineWatch
from edge_agent.rules.zones import ZoneWatch

_MOVED = 0.8  # an overlap with the last reported box below this is worth an update
_SURER = 0.05  # ... and so is a top score that rose by this


@dataclass(slots=True)
class _Report:
    """What subscribers were last told of a track, and the zones it is in by now."""

    track: Track
    time: float
    zones: tuple[str, ...]
    entered: tuple[str, ...]
    zones_now: tuple[str, ...]


class ObjectRules:
    """Decides what of the tracks is worth telling, and counts what is there.

    `labels` are counted (as 0) from the start, also over lines, so that a state which an earlier
    run left on the broker is put right at once; other labels are counted from their first object
    on. An update is worth an event when the object moved, became surer or changed zones, at most
    every `update_every` seconds; the first entry into a zone is told at once.
    """

    def __init__(
        self, zones: ZoneWatch, lines: LineWatch, labels: Sequence[str], update_every: float
    ) -> None:
        self._zones = zones
        self._lines = lines
        self._update_every = update_every
        self._reports: dict[int, _Report] = {}
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
        for report in self._reports.values():
            for place in (None, *report.zones_now):
                present[CountKey(report.track.label, place)] += 1
        return {**present, **self._lines.counts}

    def new_day(self) -> None:
        """Set the line counts to zero."""
        self._lines.reset()

    def _judge(self, track: Track, timeline: float) -> Happening | None:
        self._lines.update(track)
        zones, entered = self._zones.update(track, timeline)
        if track.phase == "ended":
            return self._end(track)
        if track.label not in self._labels:
            self._labels.append(track.label)
        last = self._reports.get(track.id)
        if last is None:
            return self._tell("new", track, timeline, zones, entered)
        last.zones_now = zones  # counts are right at once, the event may wait
        if entered == last.entered:
            if timeline - last.time < self._update_every:
                return None
            if zones == last.zones and not (track.seen and _differs(track, last.track)):
                return None
        return self._tell("update", track, timeline, zones, entered)

    def _tell(
        self,
        what: EventType,
        track: Track,
        timeline: float,
        zones: tuple[str, ...],
        entered: tuple[str, ...],
    ) -> Happening:
        self._reports[track.id] = _Report(track, timeline, zones, entered, zones)
        return Happening(what, track, zones, entered)

    def _end(self, track: Track) -> Happening:
        report = self._reports.pop(track.id, None)
        self._zones.forget(track.id)
        self._lines.forget(track.id)
        return Happening("end", track, (), report.entered if report else ())


def _differs(track: Track, told: Track) -> bool:
    if track.top_score - told.top_score >= _SURER:
        return True
    return track.box is not None and told.box is not None and iou(track.box, told.box) < _MOVED
