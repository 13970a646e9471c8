"""What each object is taken for on a closer look, and which of them need another look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from edge_agent.result import ClassScore, Track
from edge_agent.tracking.options import RefineOptions

_LEAD = 1.5  # a name needs this many times the votes of the one that is next to it, or was told
_PATIENCE = 4  # times `looks` after which one that stays unsure is looked at no more often


class Opinion:
    """The votes on one object: one from each look, which weighs as much as its score.

    `label` is the name to tell, None while there is none; `score` is the mean of its votes.
    """

    def __init__(self, options: RefineOptions) -> None:
        self.looks = 0
        self.newest = -math.inf
        self.label: str | None = None
        self._options = options
        self._votes: dict[str, list[float]] = {}  # sum of scores, number of them

    @property
    def score(self) -> float:
        """0..1; 0 while there is no name."""
        total, count = self._votes[self.label] if self.label is not None else (0.0, 1.0)
        return total / count

    @property
    def is_unsure(self) -> bool:
        """Whether more looks may settle it."""
        if self.looks < self._options.looks:
            return True
        return self.looks < _PATIENCE * self._options.looks and not self._leads()

    def due(self, now: float) -> bool:
        """Whether to look at it; `now` in seconds of the frames' time line."""
        every = self._options.every
        return self.is_unsure or (every is not None and now - self.newest >= every)

    def add(self, best: ClassScore | None, now: float) -> None:
        """Note a look at a frame of that time; None where no class was likely enough."""
        self.looks += 1
        self.newest = max(self.newest, now)
        if best is None:
            return
        votes = self._votes.setdefault(best.label, [0.0, 0.0])
        votes[0] += best.score
        votes[1] += 1.0
        told = 0.0 if self.label is None else self._votes[self.label][0]
        most = max(total for total, _ in self._votes.values())
        if 2 * votes[1] > self._options.looks and votes[0] >= max(most, _LEAD * told):
            self.label = best.label

    def _leads(self) -> bool:
        """Whether the name to tell is clearly ahead of all others."""
        if self.label is None:
            return False
        others = (votes[0] for label, votes in self._votes.items() if label != self.label)
        return self._votes[self.label][0] >= _LEAD * max(others, default=0.0)


class Opinions:
    """The opinions on all objects that one second model looks at.

    At most `per_frame` objects of a frame are looked at: those that are unsure, of these the ones
    with the fewest looks, of these the newest.
    """

    def __init__(self, options: RefineOptions) -> None:
        self._options = options
        self._labels = frozenset(options.labels) if options.labels is not None else None
        self._by_track: dict[int, Opinion] = {}

    def due(self, tracks: Sequence[Track], now: float, size: tuple[int, int]) -> tuple[Track, ...]:
        """Those to look at in this frame of `size` pixels; `tracks` are all that there are."""
        known = self._by_track
        self._by_track = {
            each.id: known.get(each.id) or Opinion(self._options)
            for each in tracks
            if each.phase != "ended"
        }
        wanted = [each for each in tracks if self._wants(each, now, size)]
        wanted.sort(key=self._urgency)
        return tuple(wanted[: self._options.per_frame])

    def _wants(self, track: Track, now: float, size: tuple[int, int]) -> bool:
        opinion = self._by_track.get(track.id)
        if opinion is None or track.box is None or not track.seen or not self._covers(track):
            return False
        x1, y1, x2, y2 = track.box
        side = min((x2 - x1) * size[0], (y2 - y1) * size[1])
        return side >= self._options.min_size and opinion.due(now)

    def _urgency(self, track: Track) -> tuple[bool, float, int]:
        opinion = self._by_track[track.id]
        if opinion.is_unsure:
            return False, opinion.looks, -track.id
        return True, opinion.newest, -track.id

    def _covers(self, track: Track) -> bool:
        return self._labels is None or track.label in self._labels

    def vote(self, track: int, best: ClassScore | None, now: float) -> None:
        """Note what a look at an object gave; of one that is gone nothing is noted."""
        if opinion := self._by_track.get(track):
            opinion.add(best, now)

    def named(self, track: Track) -> Track:
        """The track with the name that was found for it, if any."""
        opinion = self._by_track.get(track.id)
        if opinion is None or opinion.label is None or not self._covers(track):
            return track
        return replace(track, sublabel=opinion.label, sublabel_score=opinion.score)

    def forget(self) -> None:
        """Begin anew: the votes were another model's."""
        self._by_track.clear()
