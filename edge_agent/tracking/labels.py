"""Follows what a whole frame shows: one object per class, from appearing to disappearing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from edge_agent.result import ClassArea, ClassScore, Result, Track
from edge_agent.tracking.lifecycle import Life
from edge_agent.tracking.options import TrackOptions


class LabelTracker:
    """One life per label, by the same N-of-M confirmation and timeout as for boxes."""

    faint = 1.0

    def __init__(self, options: TrackOptions, ids: Iterator[int]) -> None:
        if options.hits > options.of:
            raise ValueError(f"track: hits ({options.hits}) must not be above of ({options.of})")
        self._options = replace(options, sure=1.0)  # classifiers are sure of anything
        self._ids = ids
        self._lives: dict[str, Life] = {}

    @property
    def active(self) -> bool:
        """Whether any class is present."""
        return bool(self._lives)

    def update(
        self, results: Sequence[Result], timeline: float, faint: Sequence[Result] = ()
    ) -> tuple[Track, ...]:
        """Take in the classes of the next frame; results of other kinds are ignored."""
        del faint
        scores: dict[str, float] = {}
        for result in results:
            if isinstance(
                result, ClassScore | ClassArea
            ):  # some label files name two classes alike
                scores[result.label] = max(result.score, scores.get(result.label, result.score))
        for label, life in self._lives.items():
            if label in scores:
                life.saw(scores[label], None, timeline)
            else:
                life.missed()
        for label, score in scores.items():
            if label not in self._lives:
                self._lives[label] = Life(label, score, None, timeline, self._options)
        return self._settle(timeline)

    def expire(self, timeline: float) -> tuple[Track, ...]:
        """End what was not seen for too long while no frame came."""
        return self._end([life for life in self._lives.values() if life.overdue(timeline)])

    def flush(self) -> tuple[Track, ...]:
        """End everything."""
        return self._end(list(self._lives.values()))

    def _settle(self, now: float) -> tuple[Track, ...]:
        for life in self._lives.values():
            if life.ready:
                life.confirm(next(self._ids))
        lives = self._lives.values()
        ended = self._end([life for life in lives if life.id is not None and life.over(now)])
        self._lives = {label: life for label, life in self._lives.items() if not life.hopeless}
        return (*(life.snapshot() for life in self._lives.values() if life.id is not None), *ended)

    def _end(self, lives: list[Life]) -> tuple[Track, ...]:
        for life in lives:
            del self._lives[life.label]
        return tuple(life.snapshot(ended=True) for life in lives if life.id is not None)
