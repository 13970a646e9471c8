"""The life of one object: tentative, confirmed, lost, ended. Shared by all trackers."""

from __future__ import annotations

from typing import Literal

from edge_agent.geometry import Box
from edge_agent.result import Track
from edge_agent.tracking.options import TrackOptions

_DOUBT = 0.25  # what a frame without it takes from its claim, in sightings
_FADES = 3.0  # times `lost` for which it goes on without a sure sighting
_STALE = 0.05  # by this its claim shrinks with each frame without it, however well known it is
_LEAD = 1.5  # another name needs this many times the votes of that which was told


class Life:
    """One object from its first sighting on.

    It is confirmed once it was seen in `hits` of its last `of` inferred frames, or at once with a
    score above `sure`; it is over once it was not seen for `lost` seconds. A frame that misses it
    once is not its end: a detector that looks twice a second behind a motion gate needs a second
    look. Its label is the one with the largest sum of scores, by a clear lead.
    """

    _MISSES_BEFORE_END = 2

    def __init__(
        self, label: str, score: float, box: Box | None, now: float, options: TrackOptions
    ) -> None:
        self.id: int | None = None  # given when it is confirmed, so that ids have no gaps
        self.label = label
        self.score = self.top_score = score
        self.box = box
        self.start = self.last_seen = self._last_sure = now
        self._options = options
        self._history = 1  # a bit per inferred frame, the newest lowest; 1 = seen
        self._window = (1 << options.of) - 1
        self._sightings = 1
        self._misses = 0
        self._new = False
        self._votes = {label: score}

    def saw(self, score: float, box: Box | None, now: float, label: str | None = None) -> None:
        """Note a sighting, under its own label if no other is given."""
        if label is not None:
            self._vote(label, score)
        self._history = (self._history << 1 | 1) & self._window
        self._sightings += 1
        self._misses = 0
        self.score = score
        self.top_score = max(self.top_score, score)
        self.box = box
        self.last_seen = self._last_sure = now

    def _vote(self, label: str, score: float) -> None:
        """Count what it is called; nothing is settled until it is real, then the lead must grow."""
        if self.id is None and score > self._options.sure:
            self._votes.clear()  # a sure name outweighs the guesses before it
            self.label = label
        self._votes[label] = self._votes.get(label, 0.0) + score
        lead = 1.0 if self.id is None else _LEAD
        if self._votes[label] > lead * self._votes[self.label]:
            self.label = label

    def missed(self) -> None:
        """Note a frame without it."""
        self._history = (self._history << 1) & self._window
        self._misses += 1

    def may_fade(self, now: float) -> bool:
        """Whether a faint sighting can stand for a sure one: it is real.

        Not for ever: what looks a little like it may stand where it was.
        """
        return self.id is not None and now - self._last_sure < _FADES * self._options.lost

    def faded(self, score: float, box: Box | None, now: float) -> None:
        """Note a faint sighting in the frame that missed it; it goes on, and earns nothing."""
        self._misses = 0
        self.score = score
        self.box = box
        self.last_seen = now

    @property
    def ready(self) -> bool:
        """Whether it has just earned its confirmation."""
        if self.id is not None:
            return False
        enough = self._history.bit_count() >= self._options.hits
        return enough or self.top_score > self._options.sure

    @property
    def claim(self) -> float:
        """How well founded it is, 0..1: more by each sighting, less while it is not seen.

        What was seen just now goes first, however well known the other is, as in the matching
        cascade of Deep SORT (Wojke, Bewley and Paulus 2017).
        """
        known = self._sightings / (self._sightings + 1.0 + _DOUBT * self._misses)
        return known / (1.0 + _STALE * self._misses)

    @property
    def hopeless(self) -> bool:
        """Whether it is tentative and was not seen often enough to go on."""
        return self.id is None and self._misses > self._options.of - self._options.hits

    def confirm(self, track_id: int) -> None:
        """Make it a real object with that id."""
        self.id = track_id
        self._new = True

    def over(self, now: float) -> bool:
        """Whether it was out of sight long enough, over frames that could have shown it."""
        return self._misses >= self._MISSES_BEFORE_END and self.overdue(now)

    def overdue(self, now: float) -> bool:
        """Whether it was out of sight long enough, by the clock alone."""
        # Frame times are rounded; a microsecond early is not early.
        return now - self.last_seen >= self._options.lost - 1e-6

    def snapshot(self, ended: bool = False) -> Track:
        """State of it as the rules see it; "new" exactly once."""
        assert self.id is not None
        phase: Literal["new", "live", "ended"] = "live"
        if ended:
            phase = "ended"
        elif self._new:
            phase = "new"
        self._new = False
        return Track(
            self.id, self.label, self.score, self.top_score, self.box, self.start,
            self.last_seen, phase, seen=self._misses == 0,
        )  # fmt: skip
