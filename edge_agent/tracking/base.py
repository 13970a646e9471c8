"""What a tracker is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edge_agent.result import Result, Track


class Tracker(Protocol):
    """Follows objects over the inferred frames of one pipeline, in order.

    Times are seconds on the frames' time line. Every confirmed object is in the answer of each
    update until the one in which its phase is "ended".
    `faint` is the part of a result's threshold from which on it may still go on with an object; 1
    where the tracker has no use for such results.
    """

    faint: float

    def update(
        self, results: Sequence[Result], timeline: float, faint: Sequence[Result] = ()
    ) -> tuple[Track, ...]:
        """Take in the results of the next frame, and those that only go on with an object."""

    def expire(self, timeline: float) -> tuple[Track, ...]:
        """End the objects not seen for too long while no frame came; returns those ended."""

    def flush(self) -> tuple[Track, ...]:
        """End all objects: the source is over; returns those ended."""

    @property
    def active(self) -> bool:
        """Whether any object is being followed, confirmed or not."""
