"""Which zones an object is in, which it has entered, and in which it loiters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_agent.result import Track
from edge_agent.rules.areas import ANCHORS, around, contains, grown, overlaps
from edge_agent.rules.filters import passes
from edge_agent.rules.options import ZoneOptions

_MARGIN = 0.01  # who is in a zone leaves it once this far outside: jitter on the edge is no way out


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Zones that an object is in (after their dwell), has entered so far, and loiters in."""

    inside: tuple[str, ...] = ()
    entered: tuple[str, ...] = ()
    loitering: tuple[str, ...] = ()


_NOWHERE = Whereabouts()


class ZoneWatch:
    """Zones of one pipeline, by the anchor of each zone."""

    def __init__(self, zones: Mapping[str, ZoneOptions]) -> None:
        self._zones = dict(zones)
        self._inside_since: dict[int, dict[str, float]] = {}
        self._entered: dict[int, list[str]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all zones."""
        return tuple(self._zones)

    def update(self, track: Track, timeline: float) -> Whereabouts:
        """Take in where an object is now."""
        if track.box is None or not self._zones:
            return _NOWHERE
        since = self._inside_since.setdefault(track.id, {})
        entered = self._entered.setdefault(track.id, [])
        inside, loitering = [], []
        for name, zone in self._zones.items():
            is_in = name in since
            if track.seen:  # out of sight it is where it was
                is_in = _still_in(zone, track) if is_in else _comes_in(zone, track)
            if not is_in:
                since.pop(name, None)
                continue
            stayed = timeline - since.setdefault(name, timeline)
            if stayed >= zone.dwell:
                inside.append(name)
                if name not in entered:
                    entered.append(name)
            if zone.loiter is not None and stayed >= max(zone.loiter, zone.dwell):
                loitering.append(name)
        return Whereabouts(tuple(inside), tuple(entered), tuple(loitering))

    def forget(self, track_id: int) -> None:
        """Drop what is known of an object that ended."""
        self._inside_since.pop(track_id, None)
        self._entered.pop(track_id, None)


def _comes_in(zone: ZoneOptions, track: Track) -> bool:
    assert track.box is not None
    if not passes(zone.filters.get(track.label), track):
        return False  # asked at the entry alone: a size that trembles is no way out
    if zone.anchor == "overlap":
        return overlaps(zone.polygon, track.box)
    return contains(zone.polygon, ANCHORS[zone.anchor](track.box))


def _still_in(zone: ZoneOptions, track: Track) -> bool:
    """Whether an object that is in the zone has not come clear of it."""
    assert track.box is not None
    if zone.anchor == "overlap":
        return overlaps(zone.polygon, grown(track.box, _MARGIN))
    anchor = ANCHORS[zone.anchor](track.box)
    return contains(zone.polygon, anchor) or overlaps(zone.polygon, around(anchor, _MARGIN))
