"""What a tracker is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edge_agent.result import Result, Track


class Tracker(Protocol):
    """Follows objects over the inferred frames of one pipeline, in order.

    Times are seconds on the frames' time line. Every confirmed object is in the answer of each
    update until the one in which its phase is "ended".
    """

    def update(self, results: Sequence[Result], timeline: float) -> tuple[Track, ...]:
        """Take in the results of the next frame."""

    def expire(self, timeline: float) -> tuple[Track, ...]:
        """End the objects not seen for too long while no frame came; returns those ended."""

    def flush(self) -> tuple[Track, ...]:
        """End all objects: the source is over; returns those ended."""

    @property
    def active(self) -> bool:
        """Whether any object is being followed, confirmed or not."""
