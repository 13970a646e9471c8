"""Which objects have come to rest, such as a car that was parked."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.geometry import Box, iou
from edge_agent.result import Track

_SAME_PLACE = 0.6  # overlap with where it came to rest; boxes of a still object tremble above that
_STRAYS = 2  # sightings elsewhere in a row that end a rest: one alone may be a bad box


@dataclass(slots=True)
class _Rest:
    """Where an object has been since when, and whether for long enough."""

    box: Box
    since: float
    strays: int = 0
    long_enough: bool = False


class RestWatch:
    """Objects that stay in one place for `after` seconds rest; None: no object ever does."""

    def __init__(self, after: float | None) -> None:
        self._after = after
        self._rests: dict[int, _Rest] = {}

    def update(self, track: Track, timeline: float) -> bool:
        """Take in where an object is now; whether it rests."""
        if self._after is None or track.box is None:
            return False
        rest = self._rests.setdefault(track.id, _Rest(track.box, timeline))
        if not track.seen:
            return rest.long_enough
        if iou(track.box, rest.box) >= _SAME_PLACE:
            rest.strays = 0
            rest.long_enough |= timeline - rest.since >= self._after
            return rest.long_enough
        rest.strays += 1
        if not rest.long_enough or rest.strays >= _STRAYS:
            rest = self._rests[track.id] = _Rest(track.box, timeline)
        return rest.long_enough

    def forget(self, track_id: int) -> None:
        """Drop what is known of an object that ended."""
        self._rests.pop(track_id, None)
