"""For frames that do not follow each other, such as lines of text: each is a story of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from edge_agent.result import ClassScore, Result, Track
from edge_agent.tracking.options import TrackOptions


class InstantTracker:
    """Each class of each frame begins and ends with that frame."""

    active = False
    faint = 1.0

    def __init__(self, options: TrackOptions, ids: Iterator[int]) -> None:
        del options
        self._ids = ids

    def update(
        self, results: Sequence[Result], timeline: float, faint: Sequence[Result] = ()
    ) -> tuple[Track, ...]:
        """The beginning and the end of each class; results of other kinds are ignored."""
        del faint
        return tuple(
            track
            for result in results
            if isinstance(result, ClassScore)
            for track in self._story(result, timeline)
        )

    def expire(self, timeline: float) -> tuple[Track, ...]:  # noqa: ARG002 - same for all
        """Nothing is left to end."""
        return ()

    def flush(self) -> tuple[Track, ...]:
        """Nothing is left to end."""
        return ()

    def _story(self, result: ClassScore, now: float) -> Iterator[Track]:
        score = result.score
        begun = Track(next(self._ids), result.label, score, score, None, now, now, "new")
        yield begun
        yield replace(begun, phase="ended")
