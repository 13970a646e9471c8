"""Pictures for subscribers: the only place where pixels are made ready to leave the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from edge_agent.frame import Frame
from edge_agent.result import Kind
from edge_agent.rules.options import SnapshotOptions
from edge_agent.runtime.pictures import PictureMaker, Seen

_PAUSE = 1.0  # s between two pictures of one pipeline that events ask for


class Snapshots(Protocol):
    """Makes pictures of one pipeline as `options` say; `allowed` tells whether any may leave.

    `least_score` is the score from which on it must be told of results.
    """

    options: SnapshotOptions
    allowed: bool
    least_score: float

    def request(self) -> None:
        """Take a picture of the next frame."""

    def model_opened(self, kind: Kind, labels: Sequence[str] | None) -> None:
        """Take note of what the model can see."""

    def frame(self, frame: Frame) -> None:
        """Take in a frame of the source, already masked; called in the source's thread."""

    def inferred(self, frame: Frame, seen: Seen) -> None:
        """Take in what is seen in a frame; something new makes a picture."""

    def close(self) -> None:
        """The pipeline has ended; safe twice."""


class NoSnapshots:
    """In place of pictures where the configuration allows none."""

    options = SnapshotOptions("off")
    allowed = False
    least_score = 1.0

    def request(self) -> None:
        """Do nothing."""

    def model_opened(self, kind: Kind, labels: Sequence[str] | None) -> None:
        """Do nothing."""

    def frame(self, frame: Frame) -> None:
        """Do nothing."""

    def inferred(self, frame: Frame, seen: Seen) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class PassedOn:
    """Passes all on to `others`; base of those who only look."""

    def __init__(self, others: Snapshots) -> None:
        self.options = others.options
        self.allowed = others.allowed
        self.least_score = others.least_score
        self._others = others

    def request(self) -> None:
        """Take a picture of the next frame."""
        self._others.request()

    def model_opened(self, kind: Kind, labels: Sequence[str] | None) -> None:
        """Take note of what the model can see."""
        self._others.model_opened(kind, labels)

    def frame(self, frame: Frame) -> None:
        """Take in a frame of the source."""
        self._others.frame(frame)

    def inferred(self, frame: Frame, seen: Seen) -> None:
        """Take in what is seen in a frame."""
        self._others.inferred(frame, seen)

    def close(self) -> None:
        """The pipeline has ended."""
        self._others.close()


class JpegSnapshots:
    """A picture of each frame that shows something new, and of the next one when asked.

    `publish` is given the JPEG. Where it matters where things are in the picture, the next one is
    the next that is inferred: in any other they have moved.
    """

    allowed = True

    def __init__(self, options: SnapshotOptions, publish: Callable[[bytes], None]) -> None:
        self.options = options
        self._needs_boxes = options.is_partial or options.area == "crop"
        self._maker = PictureMaker(options)
        self.least_score = self._maker.least_score
        self._publish = publish
        self._requested = False
        self._seen = Seen()
        self._last = float("-inf")

    def request(self) -> None:
        """Take a picture of the next frame."""
        self._requested = True

    def model_opened(self, kind: Kind, labels: Sequence[str] | None) -> None:
        """Take note of what the model can see."""
        self._maker.model_opened(kind, labels)

    def frame(self, frame: Frame) -> None:
        """Take the picture that was asked for, with what was seen last."""
        if self._requested and not self._needs_boxes:
            self._requested = False
            self._publish(self._maker.make(frame, self._seen))

    def inferred(self, frame: Frame, seen: Seen) -> None:
        """Take a picture of something new, at most one a second, or the one that was asked for."""
        self._seen = seen
        self._maker.note(frame.timeline, seen)
        now = frame.timeline
        # A source that began anew may have begun its time line anew too.
        is_news = bool(seen.fresh) and not 0.0 <= now - self._last < _PAUSE
        if is_news or (self._requested and self._needs_boxes):
            self._requested = self._requested and not self._needs_boxes
            self._last = now
            self._publish(self._maker.make(frame, seen))

    def close(self) -> None:
        """Nothing is kept."""
